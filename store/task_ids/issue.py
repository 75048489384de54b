"""What a process hands to the ledger with a new task, beside the task itself."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Issue:
    """An ID for a new task, and what its process knows of the ledger: the epoch, and the highest ID that was taken."""

    id: int
    epoch: str
    by: str
    seen: int

    def as_option(self) -> dict[str, Any]:
        """Return it as ``issue.lua`` takes it; as text, in which Lua rounds no ID."""
        return {"id": str(self.id), "epoch": self.epoch, "by": self.by, "seen": self.seen}
