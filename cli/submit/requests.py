"""The requests of ``recoq submit``: one that sends an image, and few that ask what became of many."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from cli.api_client import ApiClient, Json, Refused
from cli.errors import CommandError
from cli.manage.references import path_of
from cli.submit.fetching import NotFetched, fetch
from cli.submit.files import NotRead, read_file
from cli.submit.names.sources import is_url
from cli.submit.outcome import SentImage, Size

IDS_IN_ONE_REQUEST = 200  # servers take lines of 4 kB, and an ID may have 10 digits
LONGEST_WAIT_SECONDS = 5
IMAGE_FIELD = "inputs[0]image.source"
IMAGE_ERRORS = "inputs"

Measure = Callable[[bytes], Size | None]
EndedTasks = dict[str, Json | None]  # by ID; none for one that the service does not know any more


class ImageRefused(Exception):
    """This one image cannot be sent or is not taken; the message says why. Others may be."""


@dataclass(frozen=True)
class Target:
    """Where images go: a specification, as ``name`` in results, the path of its inferences, and its labels."""

    name: str
    inference_path: str
    outputs: Sequence[Json]


@dataclass(frozen=True)
class ImageRequest:
    """One image, read and ready to be sent, as often as needed: its key makes all attempts one task."""

    path: str
    body: bytes | None  # none for a URL that the service fetches
    size: Size | None = None
    key: str = field(default_factory=lambda: uuid4().hex)

    def send(self, client: ApiClient, target: Target, arguments: Mapping[str, Any]) -> str:
        """Return the ID of the image's task.

        Raises:
            ImageRefused: if the service does not take this image.
            Refused: if it would take none.
            ServiceAway: if it is to be tried again.
        """
        try:
            if self.body is None:
                body = {"inputs": [{"image": {"source": self.path}}], **arguments}
                answer = client.create(target.inference_path, body, {"Idempotency-Key": self.key})
            else:
                files = {IMAGE_FIELD: self.body}
                answer = client.upload(target.inference_path, arguments, files, multipart(self.key))
        except Refused as error:
            if _is_about_the_image(error):
                raise ImageRefused(error.sentence) from error
            raise
        return str(answer["task_id"])

    def sent(self, *, with_file: bool) -> SentImage:
        """Return what is to be remembered of the image while it is under way."""
        return SentImage(self.path, self.size, self.body if with_file else None)


def read_image(path: str, measure: Measure | None) -> ImageRequest:
    """Return the request for a file or URL, with the size that ``measure`` finds; a URL to measure is fetched here.

    Raises:
        ImageRefused: if the image cannot be read.
    """
    if is_url(path) and measure is None:
        return ImageRequest(path, None)
    try:
        body = fetch(path) if is_url(path) else read_file(path)
    except (NotFetched, NotRead) as error:
        raise ImageRefused(str(error)) from error
    return ImageRequest(path, body, None if measure is None else measure(body))


def multipart(key: str) -> dict[str, str]:
    """Return headers that make the same bytes of each attempt: with another boundary it would be another request."""
    return {"Idempotency-Key": key, "Content-Type": f"multipart/form-data; boundary={key}"}


def ended_tasks(client: ApiClient, task_ids: Sequence[str]) -> EndedTasks:
    """Return those of the tasks that have ended."""
    ended: EndedTasks = {}
    for start in range(0, len(task_ids), IDS_IN_ONE_REQUEST):
        asked = task_ids[start : start + IDS_IN_ONE_REQUEST]
        page = client.get("/tasks", {"task_ids": ",".join(asked), "limit": len(asked)})
        found = {task["id"]: task for task in page["results"]}
        ended |= {each: found.get(each) for each in asked if each not in found or found[each]["status"] != "pending"}
    return ended


def lone_task(client: ApiClient, task_id: str) -> tuple[EndedTasks, bool]:
    """Wait some seconds for a task; return it if it has ended, and false if the service is known not to wait."""
    try:
        task, waited = client.get_waiting(f"/tasks/{task_id}", LONGEST_WAIT_SECONDS)
    except Refused as error:
        if error.status != 404:
            raise
        return {task_id: None}, True
    if task["status"] == "pending":
        return {}, waited
    return {task_id: task}, True


def find_target(client: ApiClient, spec: str, version: int | None) -> Target:
    """Return where to send the images of ``spec``, an ID or the slug of a public one.

    Raises:
        CommandError: if the service does not have it, or ``version`` is not one of its versions.
    """
    path = path_of("specs", spec)
    found = client.get(path)
    if version is None:
        return Target(spec, f"{path}/inference", found["outputs"])
    chosen = client.get(f"/recognition/versions/{version}")
    if str(chosen["spec_id"]) != spec:
        raise CommandError(f"Version {version} is of specification {chosen['spec_id']}, not of {spec}.")
    return Target(spec, f"/recognition/versions/{version}/inference", found["outputs"])


def _is_about_the_image(error: Refused) -> bool:
    """Tell whether another image might be taken: the service names this one's input, or failed on it."""
    paths = error.errors.keys()
    return error.status in (413, 500) or (error.status == 400 and any(path.startswith(IMAGE_ERRORS) for path in paths))
