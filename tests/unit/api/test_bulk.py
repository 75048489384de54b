"""Many images in one request: a task for each, or the error of that item alone."""

from typing import Any

import pytest

from api.services import Services
from tests.unit.api.callers import JPEG, Caller

URL = "https://example.com/dog.jpg"
GOOD = {"inputs": [{"image": {"source": URL}}]}


@pytest.fixture
def path(version: dict[str, Any]) -> str:
    return f"/recognition/specs/{version['spec_id']}/inference/bulk"


def outcomes(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 202, response.text
    answer: dict[str, list[dict[str, Any]]] = response.get_json()
    assert list(answer) == ["tasks"]
    return answer["tasks"]


def part(name: str, head: str, data: bytes) -> bytes:
    return f'--XX\r\nContent-Disposition: form-data; name="{name}"{head}\r\n\r\n'.encode() + data + b"\r\n"


def multipart(count: int) -> dict[str, Any]:
    parts = b"".join(
        part(f"items[{index}]inputs[0]image.source", '; filename="a.jpg"', JPEG)
        + part(f"items[{index}]reference", "", f"image {index}".encode())
        for index in range(count)
    )
    return {"data": parts + b"--XX--\r\n", "content_type": "multipart/form-data; boundary=XX"}


def test_each_item_becomes_a_task_in_order(
    reader: Caller, services: Services, version: dict[str, Any], path: str
) -> None:
    items = [{**GOOD, "reference": f"image {index}"} for index in range(3)]
    tasks = outcomes(reader.post(path, json={"items": items, "show_discarded": True, "priority": "low"}))
    assert [task["reference"] for task in tasks] == ["image 0", "image 1", "image 2"]
    for task in tasks:
        claimed = services.ledger.claim(task["task_id"], "test", 60, 3)
        assert claimed is not None
        assert claimed.request["version_id"] == version["id"]
        assert (claimed.request["show_discarded"], claimed.request["max_predictions"]) == (True, 100)


def test_images_may_come_as_parts(admin: Caller, services: Services, path: str) -> None:
    tasks = outcomes(admin.post(f"{path}/", **multipart(256)))
    assert len({task["task_id"] for task in tasks}) == 256
    assert tasks[255]["reference"] == "image 255"
    claimed = services.ledger.claim(tasks[255]["task_id"], "test", 60, 3)
    assert claimed is not None
    assert list(claimed.inputs) == [JPEG]


def test_bad_item_is_its_own_error(admin: Caller, path: str) -> None:
    bad: list[tuple[Any, str, str | None]] = [
        ({"inputs": [{"image": {"source": "no"}}], "reference": "a"}, "inputs.0.image.source: Must be", "a"),
        ({"reference": "b"}, "inputs: This field is required.", "b"),
        ({**GOOD, "priority": "low"}, "priority: Unknown field.", None),
        ({**GOOD, "reference": 5}, "reference: Must be a string.", None),
        ({"inputs": GOOD["inputs"] * 2}, "inputs: The network has 1 inputs, 2 were given.", None),
        ("no", "body: Must be an object.", None),
    ]
    *wrong, last = outcomes(admin.post(path, json={"items": [*(item for item, _, _ in bad), GOOD]}))
    for outcome, (_, sentence, reference) in zip(wrong, bad, strict=True):
        assert outcome["error"].startswith(sentence)
        assert outcome["reference"] == reference
        assert "task_id" not in outcome
    assert last["task_id"].isdecimal()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "items"),
        ({"items": []}, "items"),
        ({"items": [GOOD] * 257}, "items"),
        ({"items": [GOOD], "max_predictions": 0}, "max_predictions"),
        ({"items": [GOOD], "inputs": GOOD["inputs"]}, "inputs"),
    ],
)
def test_wrong_common_arguments_are_named(admin: Caller, path: str, body: dict[str, Any], field: str) -> None:
    response = admin.post(path, json=body)
    assert (response.status_code, list(response.get_json()["errors"])) == (400, [field])


def test_specification_without_a_version_cannot_run(admin: Caller) -> None:
    response = admin.post(f"/recognition/specs/{admin.spec()}/inference/bulk", json={"items": [GOOD]})
    assert response.status_code == 400


def test_every_address_of_inference_takes_many(
    admin: Caller, version: dict[str, Any], public_spec: str, public_network: str
) -> None:
    for address in (
        f"/recognition/versions/{version['id']}",
        f"/recognition/public/{public_spec}",
        f"/networks/{version['network_id']}",
        f"/networks/public/{public_network}",
    ):
        [task] = outcomes(admin.post(f"{address}/inference/bulk", json={"items": [GOOD]}))
        assert task["task_id"].isdecimal()


def test_items_have_keys_of_their_own_under_an_idempotency_key(
    admin: Caller, path: str, request: pytest.FixtureRequest
) -> None:
    key = {"Idempotency-Key": request.node.name}
    first = outcomes(admin.post(path, json={"items": [GOOD, GOOD, GOOD]}, headers=key))
    assert len({task["task_id"] for task in first}) == 3
    changed = {"inputs": [{"image": {"source": f"{URL}?other"}}]}
    second = outcomes(admin.post(path, json={"items": [GOOD, changed, GOOD]}, headers=key))
    assert (second[0], second[2]) == (first[0], first[2])
    assert "idempotency key" in second[1]["error"]
