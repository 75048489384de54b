"""Closes connections whose client may still be sending, so that it receives its answer.

If unread bytes are left when a socket is closed, TCP resets the connection, and the client may lose an answer that it
was sent: a 413 reads as "connection reset by peer".
"""

import contextlib
import socket
from typing import Any

import gevent
import orjson

from api.http1.refusals import Refusal

LINGER_SECONDS = 30.0
SILENT_SECONDS = 2.0  # nothing more is awaited from a client that has sent nothing for this long
MAX_LINGER_BYTES = 256 * 1024 * 1024
PIECE_BYTES = 1024 * 1024
NOWHERE = bytearray(PIECE_BYTES)  # for what the kernel discards: nothing is ever written to it


def send_refusal(client: Any, refusal: Refusal) -> None:
    """Answer a request that has not reached the application, in the form of every other error."""
    body = orjson.dumps({"error": refusal.sentence})
    seconds = refusal.retry_after_seconds
    retry = "" if seconds is None else f"Retry-After: {seconds}\r\n"
    head = (
        f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}\r\nConnection: close\r\n{retry}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    client.sendall(head.encode() + body)


def linger(client: Any) -> None:
    """Say that the answer has ended, and read what the client still sends until it has seen that, or for a while."""
    with contextlib.suppress(OSError), gevent.Timeout(LINGER_SECONDS, False):
        client.shutdown(socket.SHUT_WR)
        client.settimeout(SILENT_SECONDS)
        left = MAX_LINGER_BYTES
        while left > 0 and (nbytes := client.recv_into(NOWHERE, PIECE_BYTES, socket.MSG_TRUNC)):
            left -= nbytes
            gevent.sleep(0)  # others have their turn, however fast this client sends


def interrupt(client: Any, how: int = socket.SHUT_RD) -> None:
    """Have the greenlet that reads from this client, or writes to it, fail."""
    with contextlib.suppress(OSError):
        client.shutdown(how)
