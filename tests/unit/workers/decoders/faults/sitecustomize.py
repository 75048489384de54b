"""Gives decoders faults: an image of a certain width has whatever decodes it crash, loop, grow or look around.

Python imports this module at its start, in processes whose ``PYTHONPATH`` names its folder.
"""

import ctypes
import errno
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import ImageFile

CRASHES, LOOPS, GROWS, SLEEPS, LOOKS_AROUND, DAMAGES_THE_NEXT = range(101, 107)
READ, CONNECTED, WROTE, SHARED = 1, 2, 4, 8

damages: list[int] = []
load = ImageFile.ImageFile.load


def crash() -> None:
    ctypes.string_at(0)


def loop() -> None:
    while True:
        pass


def grow() -> None:
    kept = []
    while True:
        kept.append(b"x" * (64 << 20))


def can(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EACCES, errno.ECONNREFUSED):
            raise
        return False
    return True


def connect() -> None:
    with socket.socket() as client:
        client.connect(("127.0.0.1", int(os.environ["PYTHON_TEST_PORT"])))


def look_around() -> int:
    secret = Path(os.environ["PYTHON_TEST_SECRET"])
    return (
        READ * can(secret.read_bytes)
        + CONNECTED * can(connect)
        + WROTE * can(lambda: secret.with_name("made").write_bytes(b"mine"))
        + SHARED * can(lambda: os.memfd_create("mine"))
    )


def faulty_load(image: ImageFile.ImageFile) -> Any:
    loaded, width = load(image), image.size[0]
    if (damages and width != DAMAGES_THE_NEXT) or width == CRASHES:
        crash()
    elif width == LOOPS:
        loop()
    elif width == GROWS:
        grow()
    elif width == SLEEPS:
        time.sleep(3600)
    elif width == DAMAGES_THE_NEXT:
        damages.append(width)
    elif width == LOOKS_AROUND:
        image.im.paste(look_around(), (0, 0, *image.size))
    return loaded


if "workers.decoders.process" in sys.orig_argv:  # not in the tests' own process, which has the numbers from here
    from workers.decoders import limits

    limits.HEADER_SECONDS, limits.DECODING_SECONDS = 1, 1  # of a loop, so that it need not be waited for
    ImageFile.ImageFile.load = faulty_load  # type: ignore[method-assign]
