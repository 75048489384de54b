"""Callers of the API with one key each, and the valid bodies that tests start from."""

import io
import json
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 4

PREPROCESSING: dict[str, Any] = {
    "inputs": [
        {
            "tensor_name": "input",
            "image": {
                "dimension_order": "NCHW",
                "resize_type": "SQUASH",
                "target_size": "224x224",
                "color_channels": "RGB",
                "pixel_scaling": 1.0,
            },
        }
    ],
    "batched_output": True,
}
LABELS = [{"id": 7, "name": "hot-dog"}, {"id": 9, "name": "not hot-dog"}]


@dataclass(frozen=True)
class Caller:
    """A client of the API with one key."""

    client: FlaskClient
    key: str

    def send(self, method: str, path: str, headers: Any = (), **options: Any) -> TestResponse:
        return self.client.open(
            f"/v0.7{path}", method=method, headers={"X-API-KEY": self.key, **dict(headers)}, **options
        )

    @property
    def account_id(self) -> int:
        return int(self.get("/accounts/me").get_json()["id"])

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.send("GET", path, **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        return self.send("POST", path, **options)

    def patch(self, path: str, **options: Any) -> TestResponse:
        return self.send("PATCH", path, **options)

    def put(self, path: str, **options: Any) -> TestResponse:
        return self.send("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.send("DELETE", path, **options)

    def upload(self, files: dict[str, bytes] | None = None, **fields: Any) -> TestResponse:
        """POST a network with valid fields, but for those given; None leaves a field out."""
        texts = {"name": "net", "framework": "pytorch-2.x", "preprocessing": json.dumps(PREPROCESSING), **fields}
        data: dict[str, Any] = {name: text for name, text in texts.items() if text is not None}
        for name, content in (files if files is not None else {"model.pt2": ZIP}).items():
            data[name] = FileStorage(io.BytesIO(content), name)
        boundary, body = encode_multipart(data)
        return self.post("/networks", data=body, content_type=f"multipart/form-data; boundary={boundary}")

    def network(self, **fields: Any) -> int:
        response = self.upload(**fields)
        assert response.status_code == 201, response.text
        return int(response.get_json()["id"])

    def spec(self, **fields: Any) -> int:
        response = self.post("/recognition/specs", json={"name": "spec", "outputs": [output()], **fields})
        assert response.status_code == 201, response.text
        return int(response.get_json()["id"])

    def version(self, spec_id: int | None = None, network_id: int | str | None = None) -> dict[str, Any]:
        body = {
            "spec_id": spec_id or self.spec(),
            "network_id": network_id or self.network(),
            "post_processings": [{"classification": {"output_tensor": "output"}}],
        }
        response = self.post("/recognition/versions", json=body)
        assert response.status_code == 201, response.text
        answer: dict[str, Any] = response.get_json()
        return answer


ZIP = b"PK\x03\x04" + b"\x00" * 100


def output(roi: str = "NONE", *, exclusive: bool = True) -> dict[str, Any]:
    """One output of a specification with two labels."""
    return {"labels": {"roi": roi, "exclusive": exclusive, "labels": LABELS}}
