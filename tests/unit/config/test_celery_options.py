"""Celery finds the Redis that everything else finds under the same URL, also on a socket."""

import subprocess
from collections.abc import Iterator

import pytest
from kombu import Connection

from cli.redis_server import prepare_redis, wait_for_redis
from config.celery_options import broker_url
from store.redis_connection import connect

PASSWORD = "a b/c@d:e?"
QUOTED = "a%20b%2Fc%40d%3Ae%3F"


@pytest.fixture(scope="module")
def socket_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis on a socket, without the password that it asks for."""
    launch = prepare_redis(tmp_path_factory.mktemp("a b"))
    with subprocess.Popen(launch.command, stdout=subprocess.DEVNULL) as process:
        wait_for_redis(launch.url)
        with connect(launch.url) as client:
            client.config_set("requirepass", PASSWORD)
        yield launch.url
        process.terminate()


@pytest.mark.parametrize("credentials", [f":{QUOTED}@", f"default:{QUOTED}@", ""])
@pytest.mark.parametrize("options", [[], ["db=3"]])
def test_socket_is_the_same_for_celery(socket_url: str, credentials: str, options: list[str]) -> None:
    options = options if credentials else [*options, f"password={QUOTED}"]
    url = socket_url.replace("unix://", f"unix://{credentials}") + ("?" if options else "") + "&".join(options)
    with connect(url) as client, Connection(broker_url(url)) as broker:
        broker.default_channel.client.set("written", url)
        assert client.get("written") == url.encode()


@pytest.mark.parametrize("url", ["redis://:p%40@host:6379/2", "rediss://user:p@host/0?ssl_cert_reqs=required"])
def test_other_urls_are_left_as_they_are(url: str) -> None:
    assert broker_url(url) == url
