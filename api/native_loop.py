"""Runs the event loop of fsspec's object stores in a thread of the operating system, beside the greenlets.

fsspec starts a thread with an asyncio loop, and waits for what it does. As a greenlet, that thread would share its
identity with those who wait for it, and fsspec would refuse to wait for itself. Called in each process after its fork,
since threads do not survive one.
"""

import asyncio
import threading

import fsspec.asyn
from gevent import monkey


def run_object_stores_natively() -> None:
    """Give fsspec a loop that runs in a real thread."""
    start_new_thread = monkey.get_original("_thread", "start_new_thread")
    loop = asyncio.new_event_loop()
    start_new_thread(_run, (loop,))
    fsspec.asyn.loop[0] = loop
    fsspec.asyn.iothread[0] = threading.current_thread()  # fsspec asks only whether there is one


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
