"""How one image ended: what the sending threads hand over, and what stands in one line of the results."""

from dataclasses import dataclass
from typing import Any

import orjson

SUCCESS = "success"
ERROR = "error"


@dataclass(frozen=True)
class Outcome:
    """What became of the image ``path`` (or URL): ``outputs`` as the API gives them, or an ``error``.

    ``task_id`` is ``None`` for an image that was never accepted.
    """

    path: str
    task_id: str | None = None
    error: str | None = None
    outputs: list[Any] | None = None

    @property
    def status(self) -> str:
        """``success`` or ``error``."""
        return SUCCESS if self.error is None else ERROR

    def line(self, spec: str) -> bytes:
        """Return the line of JSON for this image, recognised by the specification ``spec``."""
        fields = {
            "path": shown(self.path),
            "spec": spec,
            "task_id": self.task_id,
            "status": self.status,
            "error": self.error,
            "outputs": self.outputs,
        }
        return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def outcome_of_task(path: str, task: dict[str, Any]) -> Outcome:
    """Return the outcome of a task that has ended."""
    if task["status"] == ERROR:
        return Outcome(path, task["id"], error=task["error"])
    return Outcome(path, task["id"], outputs=task["data"]["outputs"])


def shown(path: str) -> str:
    """Return a path as JSON can say it: a file's name need not be text."""
    return path.encode("utf-8", "backslashreplace").decode()
