"""Has the embedded Redis give back the memory of a burst of images when the burst is over.

The bundled server uses the C library's allocator, which keeps what lies below any small record that is still there, and
``MEMORY PURGE`` does nothing about that. To have it keep less from the start takes time from every task (decision 30).
Once in a while is enough: ``FUNCTION FLUSH`` forgets the server's functions, of which Recoq has none, and then has the
allocator give back every free page.
"""

import threading

import redis

from config.settings import MEBIBYTE

CHECK_SECONDS = 15.0
MAX_KEPT_BYTES = 128 * MEBIBYTE


class HeapKeeper:
    """Looks at the server's memory now and then; what two checks in a row find unused is given back."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._kept_too_much = False

    def check(self) -> None:
        """Give unused memory back if there was too much of it at the last check too.

        Raises:
            RedisError: if the server is away, or knows no functions, as Redis 6.2.
        """
        memory = self._client.info("memory")
        keeps_too_much = memory["used_memory_rss"] - memory["used_memory"] > MAX_KEPT_BYTES
        if keeps_too_much and self._kept_too_much:
            self._client.function_flush("SYNC")
        self._kept_too_much = keeps_too_much


class HeapThread(threading.Thread):
    """Checks for as long as the process lives; a server that is away is asked again."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(name="heap", daemon=True)
        self._url = redis_url
        self._never = threading.Event()

    def run(self) -> None:
        """Check until the server turns out to have nothing to give back by this."""
        with redis.Redis.from_url(self._url, socket_timeout=CHECK_SECONDS, retry=None) as client:
            keeper = HeapKeeper(client)
            while not self._never.wait(CHECK_SECONDS):
                try:
                    keeper.check()
                except redis.ResponseError:
                    return  # a server without functions: it has another allocator, or has to do without this
                except redis.RedisError:
                    continue
