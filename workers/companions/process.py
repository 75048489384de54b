"""What the companions' processes have in common: how they begin and what ends them."""

import signal
import socket
import sys

from config.log_setup import set_up_logging
from config.settings import Settings, read_settings
from workers.companions.channel import Handler, answer_questions


def begin() -> tuple[socket.socket, Settings]:
    """Set up a companion's process, and return its line to the worker and the settings that it may know.

    It ends with the worker and not before: whoever stops a service sends SIGTERM to all of its processes, and a worker
    that finishes what it has begun still has questions.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    settings = read_settings()
    set_up_logging(settings.log_level)
    return socket.socket(fileno=int(sys.argv[1])), settings


def serve(line: socket.socket, handle: Handler) -> None:
    """Answer the worker's questions until it ends."""
    with line:
        answer_questions(line, handle)
