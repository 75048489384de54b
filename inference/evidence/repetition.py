"""Refuses a network that answers the same image differently each time: one that was exported without ``eval()``.

Called by the warm-up, beside ``training_mode``, which finds what repeats by chance.
"""

from collections.abc import Sequence

from inference.errors import NetworkError
from inference.evidence.comparison import Answer, differences

ROUNDING = 1e-4  # devices add in other orders, run by run; a network in float32 does not differ by more through that


def check_repeats(first: Sequence[Answer], second: Sequence[Answer]) -> None:
    """Compare the answers of two runs of the same samples in float32.

    Raises:
        NetworkError: if they differ by more than rounding; the sentence says what to do.
    """
    for one, other in zip(first, second, strict=True):
        for name, gap in differences(one, other).items():
            if gap > ROUNDING:
                raise NetworkError(
                    f"The network's output {name!r} differs from run to run for the same image: dropout or other"
                    " randomness is active. Call model.eval() before you export the network."
                )
