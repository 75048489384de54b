"""How the batches of one network are to be run: what its deployment has found out, in the words of the batcher."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class BatchPlan:
    """What the batcher needs to know of a network.

    Args:
        max_batch_size: how many samples make a batch; None leaves that to the batcher.
        side_by_side: several batches may run at once.
        threads: the most that a batch gains from on a CPU; None for all cores.
    """

    max_batch_size: int | None = None
    side_by_side: bool = False
    threads: int | None = None

    @classmethod
    def from_report(cls, report: Mapping[str, Any] | None) -> Self:
        """Return what a deployment decided; the careful way as long as it has not."""
        if report is None:
            return cls()
        return cls(report["max_batch_size"], report.get("side_by_side", False), report.get("threads"))


CAREFUL = BatchPlan()
