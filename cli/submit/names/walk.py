"""What is met on the way to the images: how much was looked at, and what was left out and why."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Skipped(StrEnum):
    """Why something that was met is left out."""

    HIDDEN = "hidden"
    OTHER_NAME = "not called like an image"
    FOLDER = "a folder, which --recursive looks into"
    SPECIAL = "a pipe, socket or device"
    UNREADABLE = "a folder that cannot be read"
    TWICE = "named twice"
    NOT_DRAWN = "not drawn, because Pillow cannot read it"


@dataclass
class Walk:
    """One way through the arguments; ``place`` is where it is now, and ``looked_at`` grows as long as that answers."""

    null: bool = False
    skipped: Counter[Skipped] = field(default_factory=Counter)
    looked_at: int = 0
    found: int = 0
    place: str = ""
    _unreadable: set[str] = field(default_factory=set)

    def skip(self, reason: Skipped) -> None:
        """Count something that is not sent."""
        self.skipped[reason] += 1

    def look(self, place: str) -> None:
        """Note that something is looked at."""
        self.place = place
        self.looked_at += 1

    def cannot_read(self, folder: str) -> None:
        """Count a folder that cannot be read, once: a pattern may lead to it on several ways."""
        if folder not in self._unreadable:
            self._unreadable.add(folder)
            self.skip(Skipped.UNREADABLE)
