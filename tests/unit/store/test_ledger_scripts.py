"""Scripts are sent to Redis once, and again when it has forgotten them; a call that fails leaves the others alone."""

import pytest
import redis

from store.ledger_scripts import LedgerScript

ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


def test_a_script_that_redis_forgot_is_sent_again(client: redis.Redis) -> None:
    add = LedgerScript(client, ADD)
    assert add.run_many([(["a"], [1]), (["a"], [2])]) == [1, 3]
    client.script_flush()
    assert add.run_many([(["a"], [3]), (["b"], [4])]) == [6, 4]


def test_each_call_is_made_whatever_becomes_of_the_others(client: redis.Redis) -> None:
    add = LedgerScript(client, ADD)
    with pytest.raises(redis.ResponseError, match="not an integer"):
        add.run_many([(["a"], [1]), (["a"], ["one"]), (["a"], [1])])
    assert client.get("a") == b"2"
