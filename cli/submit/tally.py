"""Counts how the images of one run ended, for the progress bar, the closing summary and the exit status."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field

from cli.submit.outcome import SUCCESS, Outcome

MOST_SENTENCES = 100  # beyond these, errors are counted together: a sentence may name its image
OTHER_ERRORS = "Other errors"
RATE_SECONDS = 10.0


@dataclass
class Tally:
    """Images of this run that were in the results ``already``, and those that ended now, with their errors by sentence.

    ``failed_already`` are those of the former that ended in an error.
    """

    already: int = 0
    failed_already: int = 0
    succeeded: int = 0
    failed: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=4096))

    @property
    def ended(self) -> int:
        """Images that ended in this run."""
        return self.succeeded + self.failed

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return time.monotonic() - self.started

    def count(self, outcome: Outcome) -> None:
        """Count one image."""
        self._recent.append(time.monotonic())
        if outcome.status == SUCCESS:
            self.succeeded += 1
            return
        self.failed += 1
        sentence = str(outcome.error)
        known = sentence in self.errors or len(self.errors) < MOST_SENTENCES
        self.errors[sentence if known else OTHER_ERRORS] += 1

    def images_per_second(self) -> float:
        """Return the rate of the last seconds."""
        now = time.monotonic()
        while self._recent and self._recent[0] < now - RATE_SECONDS:
            self._recent.popleft()
        if not self._recent:
            return 0.0
        since = max(self.started, now - RATE_SECONDS)
        if len(self._recent) == self._recent.maxlen:
            since = self._recent[0]
        return len(self._recent) / max(now - since, 1e-3)
