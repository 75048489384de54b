"""Clocks for those that compare by timing; they show what the test says."""

import itertools
from collections.abc import Callable


def clock_of(*seconds: float) -> Callable[[], float]:
    """A clock that finds what is timed to take so long, one after the other."""
    return iter([instant for taken in seconds for instant in (0.0, taken)]).__next__


def ticking() -> Callable[[], float]:
    """A clock that finds everything to take one second."""
    return itertools.count().__next__
