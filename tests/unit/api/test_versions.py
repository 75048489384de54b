"""Linking specifications to networks."""

from typing import Any

import pytest

from api.services import Services
from store.records import Deployment
from tests.unit.api.callers import Caller, output

CLASSIFICATION = {"output_tensor": "output"}
DIRECT = {"boxes_tensor": "boxes", "scores_tensor": "scores", "classes_tensor": "labels"}
DETECTION = {"direct_output": DIRECT}


def create(caller: Caller, own_spec: int, *post_processings: Any, **fields: Any) -> Any:
    body = {"spec_id": own_spec, "network_id": caller.network(), "post_processings": post_processings, **fields}
    return caller.post("/recognition/versions", json=body)


def test_first_version_becomes_current_and_later_ones_do_not(admin: Caller) -> None:
    first = admin.version()
    second = admin.version(first["spec_id"], first["network_id"])
    assert admin.get(f"/recognition/specs/{first['spec_id']}").get_json()["current_version_id"] == first["id"]
    listed = admin.get(f"/recognition/specs/{first['spec_id']}/versions/").get_json()
    assert [version["id"] for version in listed["results"]] == [first["id"], second["id"]]
    assert not any("post_processings" in version for version in listed["results"])


def test_version_shows_the_names_of_what_it_links(admin: Caller, version: dict[str, Any]) -> None:
    assert (version["spec_name"], version["network_name"]) == ("spec", "net")
    assert admin.get(f"/recognition/versions/{version['id']}").get_json() == version


@pytest.mark.parametrize(("exclusive", "threshold", "activation"), [(True, 0.025, "softmax"), (False, 0.5, "sigmoid")])
def test_defaults_of_classification_are_shown(
    admin: Caller, exclusive: bool, threshold: float, activation: str
) -> None:
    spec_id = admin.spec(outputs=[output(exclusive=exclusive)])
    shown = create(admin, spec_id, {"classification": CLASSIFICATION}).get_json()["post_processings"]
    expected = {"output_tensor": "output", "thresholds": [threshold] * 2, "activation": activation}
    assert shown == [{"classification": expected}]


def test_defaults_of_detection_are_shown(admin: Caller) -> None:
    spec_id = admin.spec(outputs=[output("BBOX")])
    shown = create(admin, spec_id, {"detection": DETECTION}).get_json()["post_processings"]
    expected = {
        "direct_output": DIRECT,
        "thresholds": [0.8, 0.8],
        "nms_threshold": 0.3,
        "discard_threshold": 0.025,
        "normalize_wrt_tensor": "",
    }
    assert shown == [{"detection": expected}]


@pytest.mark.parametrize(
    "layout",
    [
        {"direct_output": DIRECT},
        {"standard_output": {"boxes_tensor": "b", "scores_tensor": "s"}},
        {"anchored_output": {"anchors_tensor": "a", "scores_tensor": "s", "offsets_tensor": "o"}},
        {"yolo_output": {"output_tensor": "o", "anchors": [[1.0, 2.0], [3.5, 4.0]]}},
        {"yolov3_output": {"output_tensors": ["a", "b"], "anchors": [[10.0, 13.0], [16.0, 30.0]]}},
    ],
)
def test_each_layout_of_boxes_is_taken(admin: Caller, layout: dict[str, Any]) -> None:
    response = create(admin, admin.spec(outputs=[output("BBOX")]), {"detection": layout})
    assert response.status_code == 201, response.text
    detection = response.get_json()["post_processings"][0]["detection"]
    assert layout.items() <= detection.items()


def test_flat_anchors_are_paired(admin: Caller) -> None:
    layout = {"yolo_output": {"output_tensor": "o", "anchors": [1, 2, 3.5, 4]}}
    response = create(admin, admin.spec(outputs=[output("BBOX")]), {"detection": layout})
    detection = response.get_json()["post_processings"][0]["detection"]
    assert detection["yolo_output"]["anchors"] == [[1.0, 2.0], [3.5, 4.0]]


ONE = "post_processings.0"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, ONE),
        ({"classification": CLASSIFICATION, "detection": DETECTION}, ONE),
        ({"detection": DETECTION}, ONE),
        ({"classification": {}}, f"{ONE}.classification.output_tensor"),
        ({"classification": {**CLASSIFICATION, "thresholds": [0.5]}}, f"{ONE}.classification.thresholds"),
        ({"classification": {**CLASSIFICATION, "thresholds": [0.5, 1.5]}}, f"{ONE}.classification.thresholds.1"),
        ({"classification": {**CLASSIFICATION, "thresholds": [0.5, "1"]}}, f"{ONE}.classification.thresholds.1"),
        ({"classification": {**CLASSIFICATION, "activation": "relu"}}, f"{ONE}.classification.activation"),
        ({"classification": {**CLASSIFICATION, "nms_threshold": 1}}, f"{ONE}.classification.nms_threshold"),
    ],
)
def test_wrong_classification_is_named(admin: Caller, given: dict[str, Any], path: str) -> None:
    response = create(admin, admin.spec(), given)
    assert response.status_code == 400
    assert path in response.get_json()["errors"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"classification": CLASSIFICATION}, ONE),
        ({"detection": {}}, f"{ONE}.detection"),
        ({"detection": {**DETECTION, "yolo_output": {"output_tensor": "o", "anchors": [[1, 1]]}}}, f"{ONE}.detection"),
        ({"detection": {"direct_output": {"boxes_tensor": "b"}}}, f"{ONE}.detection.direct_output.scores_tensor"),
        ({"detection": {**DETECTION, "thresholds": [1, 1, 1]}}, f"{ONE}.detection.thresholds"),
        ({"detection": {**DETECTION, "nms_threshold": 2}}, f"{ONE}.detection.nms_threshold"),
        (
            {"detection": {"yolo_output": {"output_tensor": "o", "anchors": [[1, 0]]}}},
            f"{ONE}.detection.yolo_output.anchors",
        ),
        (
            {"detection": {"yolo_output": {"output_tensor": "o", "anchors": [1, 2, 3]}}},
            f"{ONE}.detection.yolo_output.anchors.0",
        ),
        (
            {"detection": {"yolov3_output": {"output_tensors": [], "anchors": [[1, 1]]}}},
            f"{ONE}.detection.yolov3_output.output_tensors",
        ),
    ],
)
def test_wrong_detection_is_named(admin: Caller, given: dict[str, Any], path: str) -> None:
    response = create(admin, admin.spec(outputs=[output("BBOX")]), given)
    assert response.status_code == 400
    assert path in response.get_json()["errors"], response.text


def test_every_output_needs_a_post_processing(admin: Caller) -> None:
    response = create(admin, admin.spec(outputs=[output(), output()]), {"classification": CLASSIFICATION})
    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == ["post_processings"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("spec_id", 10**9),
        ("network_id", 10**9),
        ("network_id", "nothing"),
        ("spec_id", "x"),
        ("network_id", None),
        ("id", 1),
    ],
)
def test_wrong_references_are_named(admin: Caller, field: str, value: Any) -> None:
    response = create(admin, admin.spec(), {"classification": CLASSIFICATION}, **{field: value})
    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [field]


def test_version_may_use_a_public_network(admin: Caller, public_network: str) -> None:
    version = admin.version(network_id=public_network)
    assert version["network_id"] == public_network


def test_versions_cannot_be_edited(admin: Caller, version: dict[str, Any]) -> None:
    for method in ("PATCH", "PUT"):
        assert admin.send(method, f"/recognition/versions/{version['id']}", json={}).status_code == 405


def test_deletion_of_the_current_version_leaves_none(admin: Caller) -> None:
    version = admin.version()
    assert admin.delete(f"/recognition/versions/{version['id']}").status_code == 204
    assert admin.get(f"/recognition/specs/{version['spec_id']}").get_json()["current_version_id"] is None


def deployed(caller: Caller, services: Services, **shapes: list[int | None]) -> int:
    network_id = caller.network()
    outputs = [{"name": name, "shape": shape, "dtype": "float32"} for name, shape in shapes.items()]
    report = {"inputs": [], "outputs": outputs, "max_batch_size": 8}
    services.networks.record_deployment(network_id, Deployment("success", report=report))
    return network_id


@pytest.mark.parametrize("shape", [[2], [2, 1, 1], [None]])
def test_scores_of_a_fitting_shape_are_accepted(admin: Caller, services: Services, shape: list[int | None]) -> None:
    network_id = deployed(admin, services, output=shape)
    assert admin.version(network_id=network_id)["network_id"] == network_id


@pytest.mark.parametrize("shapes", [{"output": [1000]}, {"other": [2]}])
def test_tensors_that_are_known_not_to_fit_are_refused(
    admin: Caller, services: Services, shapes: dict[str, list[int | None]]
) -> None:
    network_id = deployed(admin, services, **shapes)
    response = create(admin, admin.spec(), {"classification": CLASSIFICATION}, network_id=network_id)
    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [f"{ONE}.classification.output_tensor"]


def test_tensor_that_was_left_out_is_refused_with_the_reason(admin: Caller, services: Services) -> None:
    network_id = admin.network()
    report = {
        "inputs": [],
        "outputs": [{"name": "logits", "shape": [2], "dtype": "float32"}],
        "left_out": [{"name": "output", "reason": "The output is not a tensor but None."}],
    }
    services.networks.record_deployment(network_id, Deployment("success", report=report))
    response = create(admin, admin.spec(), {"classification": CLASSIFICATION}, network_id=network_id)
    assert response.get_json()["errors"] == {
        f"{ONE}.classification.output_tensor": [
            "The network has no tensor 'output'; it has logits. The output is not a tensor but None."
        ]
    }


BOXES: dict[str, list[int | None]] = {"boxes": [None, 4], "scores": [None], "labels": [None]}


@pytest.mark.parametrize(
    ("detection", "shapes", "wrong"),
    [
        (DETECTION, BOXES, None),
        ({**DETECTION, "normalize_wrt_tensor": "input_size"}, BOXES, None),
        ({**DETECTION, "normalize_wrt_tensor": "size"}, BOXES, "normalize_wrt_tensor"),
        (DETECTION, {**BOXES, "boxes": [None, 5]}, "direct_output.boxes_tensor"),
        (DETECTION, {**BOXES, "scores": [None, 3]}, "direct_output.scores_tensor"),
        (DETECTION, {"boxes": [100, 2, 4], "scores": [100, 2], "labels": [100, 2]}, None),
        ({"standard_output": {"boxes_tensor": "b", "scores_tensor": "s"}}, {"b": [9, 4], "s": [9, 2]}, None),
        (
            {"standard_output": {"boxes_tensor": "b", "scores_tensor": "s"}},
            {"b": [9, 4], "s": [9, 3]},
            "standard_output.scores_tensor",
        ),
        (
            {"anchored_output": {"anchors_tensor": "a", "scores_tensor": "s", "offsets_tensor": "o"}},
            {"a": [9, 5], "s": [9, 3], "o": [9, 12]},
            None,
        ),
        (
            {"yolov3_output": {"output_tensors": ["a", "b"], "anchors": [[1, 1], [2, 2]]}},
            {"a": [7, 13, 13]},
            "yolov3_output.output_tensors.1",
        ),
    ],
)
def test_tensors_of_boxes_are_checked(
    admin: Caller, services: Services, detection: dict[str, Any], shapes: dict[str, Any], wrong: str | None
) -> None:
    network_id = deployed(admin, services, **shapes)
    spec_id = admin.spec(outputs=[output("BBOX")])
    response = create(admin, spec_id, {"detection": detection}, network_id=network_id)
    assert response.status_code == (201 if wrong is None else 400), response.text
    if wrong:
        assert list(response.get_json()["errors"]) == [f"{ONE}.detection.{wrong}"]
