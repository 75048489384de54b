"""One request that sends several images, which costs both sides a fraction of as many requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from cli.api_client import ApiClient, Refused
from cli.submit.requests import IMAGE_FIELD, ImageRequest, Target, multipart

MOST_IMAGES = 8
LARGEST_BYTES = 1024 * 1024  # of an image: the cost of a request is nothing beside a larger one


@dataclass(frozen=True)
class BulkRequest:
    """Several images, ready to be sent, as often as needed: its key makes all attempts the same tasks."""

    images: Sequence[ImageRequest]
    key: str = field(default_factory=lambda: uuid4().hex)

    def send(self, client: ApiClient, target: Target, arguments: Mapping[str, Any]) -> list[str | None] | None:
        """Return the ID of each image's task; None for one that has to be sent alone, to be told what is wrong.

        None in all if the service refuses such a request.

        Raises:
            ServiceAway: if it is to be tried again.
        """
        fields, files = dict(arguments), {}
        for index, image in enumerate(self.images):
            name = f"items[{index}]{IMAGE_FIELD}"
            if image.body is None:
                fields[name] = image.path
            else:
                files[name] = image.body
        try:
            answer = client.upload(f"{target.inference_path}/bulk", fields, files, multipart(self.key))
        except Refused:
            return None
        return [task.get("task_id") for task in answer["tasks"]]
