"""The ledger's Lua scripts, for the modules that make up the ledger: what must not be torn apart is one of them."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import NoScriptError

from store.availability.redis_states import is_replaced

Call = tuple[Sequence[Any], Sequence[Any]]
"""The keys and the arguments of one call."""


class LedgerScript(Script):
    """A script that Redis runs by its digest, and is sent once after Redis has started."""

    def __init__(self, redis: Redis, text: str) -> None:
        super().__init__(redis, text)
        self._redis = redis

    def run_many(self, calls: Sequence[Call]) -> list[Any]:
        """Run the script for each of ``calls`` in one round trip and return the answers.

        redis-py would ask for the script in a round trip of its own before each of these.

        Raises:
            RedisError: if a call failed; the others have been run all the same.
        """
        answers = self._run_each(calls)
        unknown = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            self._redis.script_load(self.script)
            for index, answer in zip(unknown, self._run_each([calls[index] for index in unknown]), strict=True):
                answers[index] = answer
        for answer in answers:
            if isinstance(answer, Exception):
                self._leave_replaced_server(answer)
                raise answer
        return answers

    def _leave_replaced_server(self, error: Exception) -> None:
        """Connect anew if another server may have taken over, as single commands do (``redis_connection.FailFast``)."""
        if is_replaced(error):
            self._redis.connection_pool.disconnect(inuse_connections=False)

    def _run_each(self, calls: Sequence[Call]) -> list[Any]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for keys, arguments in calls:
                pipeline.evalsha(self.sha, len(keys), *keys, *arguments)
            answers: list[Any] = pipeline.execute(raise_on_error=False)
            return answers


def ledger_script(redis: Redis, *names: str) -> LedgerScript:
    """Return the script that ``store/lua/<name>.lua`` make up one after the other."""
    folder = files("store").joinpath("lua")
    return LedgerScript(redis, "\n".join(folder.joinpath(f"{name}.lua").read_text() for name in names))
