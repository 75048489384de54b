"""What torch says of a failure ends a sentence of ours, without what only its developers can use."""

import pytest

from inference.errors import MAX_REASON_CHARACTERS, reason_of

UNSAFE_ADVICE = (
    "Weights only load failed. This file can still be loaded, to do so you have two options, \x1b[1mdo those only if"
    " you trust the source of the checkpoint\x1b[0m.\n\t(1) Re-running `torch.load` with `weights_only` set to `False`"
)
ENFORCED = (
    "[enforce fail at inline_container.cc:145] . PytorchStreamReader failed reading zip archive: not a ZIP archive"
    "\nframe #0: c10::ThrowEnforceNotMet(char const*) + 0x9f (0x7f3a in /usr/lib/libc10.so)"
)
RAISED = "index 9 is out of bounds Exception raised from check at ../aten/src/ATen/native/Sorting.cpp:12 (most recent"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (UNSAFE_ADVICE, "Weights only load failed."),
        (ENFORCED, "PytorchStreamReader failed reading zip archive: not a ZIP archive."),
        (RAISED, "index 9 is out of bounds."),
        ("\x1b[31mred\x1b[0m\x07 alarm", "red  alarm."),
        ("CUDA out of memory. Tried to allocate 2 GiB.", "CUDA out of memory."),
        ("Expected 3.5 of 4.0 values. got 2", "Expected 3.5 of 4.0 values. got 2."),
        ("RuntimeError: no such thing in /srv/app/secret/model.py", "no such thing in a file."),
        ("", "ValueError."),
        ("\n \n", "ValueError."),
    ],
)
def test_the_sentence_that_says_what_went_wrong_is_left(message: str, reason: str) -> None:
    assert reason_of(ValueError(message)) == reason


def test_a_reason_is_short() -> None:
    assert len(reason_of(ValueError("x" * 10_000))) == MAX_REASON_CHARACTERS
