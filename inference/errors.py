"""The ways in which an inference fails: through its image, through its network, or through the machine.

Raised everywhere in this library. The message of an :class:`InferenceError` is one sentence that a user may
read: it never holds a path of the server or a traceback. Whoever runs tasks records that message as the
task's error.
"""

import re
from traceback import format_tb
from typing import TypeVar

MAX_REASON_CHARACTERS = 240

_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][\w.@+~-]+){2,}[\\/]?")
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_MACHINERY = re.compile(
    r"\[enforce fail at [^\]]*\][ .]*|\s*Exception raised from .*|\s*\(Triggered internally .*|\bframe #\d+.*"
)
_NEXT_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_Error = TypeVar("_Error", bound=BaseException)
_EXCEPTION_NAME = re.compile(r"^(?:[\w.]*(?:Error|Exception|AssertionError))\s*:\s*")


class InferenceError(Exception):
    """An inference that cannot succeed; the message is one sentence that is safe to show to the user."""


class ImageError(InferenceError):
    """An image that cannot be used: not an image, truncated, too large, or of an unsupported format."""


class NetworkError(InferenceError):
    """Network files that cannot be loaded or run, or tensors that do not fit what a post-processing needs."""


class DeviceLostError(Exception):
    """The accelerator is in a state that only a new process leaves, say after an illegal memory access.

    Not the fault of an image or of one network alone, and nothing that runs later in this process can
    succeed.
    """


def without_frames(error: _Error) -> _Error:
    """Return an error that was caught, without the frames that it came through.

    An error that outlives its ``except`` clause, say in a future, keeps the variables of all these functions and of
    those that called them: images, tensors, whole networks, and often itself, in a cycle that is only found when the
    garbage collector goes through all objects. The lines of an unexpected error stay, as a note, for the log.
    """
    seen = set[int]()
    rest: list[BaseException] = [error]
    while rest:
        each = rest.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if each.__traceback__ is not None and not isinstance(each, InferenceError):
            each.add_note("".join(format_tb(each.__traceback__)))
        each.__traceback__ = None
        rest += [linked for linked in (each.__cause__, each.__context__) if linked is not None]
    return error


def reason_of(error: BaseException) -> str:
    """Return the sentence of an exception's message that says what went wrong, as the end of one of ours.

    Torch reports failures in many lines, of which the last says what went wrong in scripts, and the first elsewhere;
    advice, colours for terminals, places in its source and paths of the server are left out. The result has no line
    break, ends with a full stop and has at most ``MAX_REASON_CHARACTERS`` characters.
    """
    text = _ESCAPES.sub("", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip(" ~^<")]
    is_script_trace = len(lines) > 1 and "TorchScript" in lines[0]
    line = (lines[-1] if is_script_trace else lines[0]) if lines else type(error).__name__
    line = _PATH.sub("a file", _MACHINERY.sub("", _EXCEPTION_NAME.sub("", line))).strip()
    line = "".join(each if each.isprintable() else " " for each in _NEXT_SENTENCE.split(line, maxsplit=1)[0])
    return (line.rstrip(".: ") or type(error).__name__)[: MAX_REASON_CHARACTERS - 1] + "."
