"""Runs the event loop of fsspec's object stores in a thread of the operating system, beside the greenlets.

fsspec starts a thread with an asyncio loop, and waits for what it does. As a greenlet, that thread would share its
identity with those who wait for it, and fsspec would refuse to wait for itself. Called in each process after its fork,
since threads do not survive one.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

import fsspec.asyn
from gevent import monkey

P = ParamSpec("P")
T = TypeVar("T")


def run_object_stores_natively() -> None:
    """Give fsspec a loop that runs in a real thread."""
    loop = _NativeLoop(monkey.get_original("selectors", "DefaultSelector")())
    loop.set_default_executor(_NativeThreads())
    _start_thread(partial(_run, loop))
    fsspec.asyn.loop[0] = loop
    fsspec.asyn.iothread[0] = threading.current_thread()  # fsspec asks only whether there is one


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


def _start_thread(run: Callable[[], object]) -> None:
    monkey.get_original("_thread", "start_new_thread")(run, ())


class _NativeLoop(asyncio.SelectorEventLoop):
    """asyncio's loop, waiting and looking up names as if nothing had been made cooperative."""

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Return the addresses of a host."""
        look_up = monkey.get_original("socket", "getaddrinfo")
        return await self.run_in_executor(None, partial(look_up, host, port, **options))


class _NativeThreads(ThreadPoolExecutor):
    """A real thread for each call; asyncio takes no other kind of executor."""

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Start the call, and return the future of its result."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(call(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        _start_thread(run)
        return future
