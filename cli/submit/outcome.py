"""How one image ended: what the sending threads hand over, and what stands in one line of the results."""

from dataclasses import dataclass
from typing import Any

import orjson

SUCCESS = "success"
ERROR = "error"

Size = tuple[int, int]  # width and height in pixels, as the image is looked at


class NotDrawn(Exception):
    """An image that the service has read cannot be read here."""


@dataclass(frozen=True)
class SentImage:
    """An image that has become a task: its path or URL, and its size and file where those are needed later."""

    path: str
    size: Size | None = None
    file: bytes | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of an image: ``outputs`` as the API gives them, or an ``error``.

    ``task_id`` and ``version_id``, which ran it, are ``None`` for an image that was never accepted.
    """

    image: SentImage
    task_id: str | None = None
    error: str | None = None
    outputs: list[Any] | None = None
    version_id: int | None = None

    @property
    def status(self) -> str:
        """``success`` or ``error``."""
        return SUCCESS if self.error is None else ERROR

    def line(self, spec: str) -> bytes:
        """Return the line of JSON for this image, recognised by the specification ``spec``."""
        fields: dict[str, Any] = {
            "path": shown(self.image.path),
            "spec": spec,
            "task_id": self.task_id,
            "version_id": self.version_id,
            "status": self.status,
            "error": self.error,
            "outputs": self.outputs,
        }
        if self.image.size is not None:
            fields["width"], fields["height"] = self.image.size
        return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def outcome_of_task(image: SentImage, task: dict[str, Any]) -> Outcome:
    """Return the outcome of a task that has ended."""
    version_id = task["timing"]["version_id"]
    if task["status"] == ERROR:
        return Outcome(image, task["id"], error=task["error"], version_id=version_id)
    return Outcome(image, task["id"], outputs=task["data"]["outputs"], version_id=version_id)


def shown(path: str) -> str:
    """Return a path as JSON can say it: a file's name need not be text."""
    return path.encode("utf-8", "backslashreplace").decode()
