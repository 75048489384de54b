"""Fits the post-processings of a new version to its specification, filling in defaults, and to its deployed network.

The defaults are stored with the version, so that what is shown is all that will be done.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api.errors import invalid_fields
from api.network_tensors import missing_tensor
from api.schemas.post_processings import BOX_LAYOUTS

KIND_OF_ROI = {"NONE": "classification", "BBOX": "detection"}
DETECTION_THRESHOLD = 0.8
EXCLUSIVE_THRESHOLD = 0.025
INDEPENDENT_THRESHOLD = 0.5
INPUT_SIZE_TENSOR = "input_size"  # built in: always holds the size of the image that was fed to the network

Shape = Sequence[int | None]
Problem = tuple[str, str]  # path within a post-processing, message


def complete(
    outputs: Sequence[Mapping[str, Any]], post_processings: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the post-processings with their defaults, one for each output of the specification.

    Raises:
        InvalidRequest: if they are not as many, of the wrong kind, or have thresholds for other labels.
    """
    if len(post_processings) != len(outputs):
        counts = f"The specification has {len(outputs)} outputs, {len(post_processings)} were given."
        raise invalid_fields({"post_processings": [counts]})
    errors: dict[str, list[str]] = {}
    completed = []
    for index, (output, given) in enumerate(zip(outputs, post_processings, strict=True)):
        labels = output["labels"]
        kind = KIND_OF_ROI[labels["roi"]]
        path = f"post_processings.{index}"
        if kind not in given:
            errors[path] = [f"Must be {kind}, because the roi of the output is {labels['roi']}."]
            continue
        filled = {**_defaults(kind, labels), **given[kind]}
        if len(filled["thresholds"]) != len(labels["labels"]):
            count = len(labels["labels"])
            errors[f"{path}.{kind}.thresholds"] = [f"Must have {count} numbers, one per label."]
        completed.append({kind: filled})
    if errors:
        raise invalid_fields(errors)
    return completed


def _defaults(kind: str, labels: Mapping[str, Any]) -> dict[str, Any]:
    count = len(labels["labels"])
    if kind == "detection":
        return {"thresholds": [DETECTION_THRESHOLD] * count}
    if labels["exclusive"]:
        return {"thresholds": [EXCLUSIVE_THRESHOLD] * count, "activation": "softmax"}
    return {"thresholds": [INDEPENDENT_THRESHOLD] * count, "activation": "sigmoid"}


def check_tensors(
    report: Mapping[str, Any],
    outputs: Sequence[Mapping[str, Any]],
    post_processings: Sequence[Mapping[str, Any]],
) -> None:
    """Check completed post-processings against what the deployment of the network has told.

    Raises:
        InvalidRequest: if a tensor does not exist, or its shape cannot fit the labels.
    """
    shapes = {tensor["name"]: tensor["shape"] for tensor in report["outputs"]}
    errors: dict[str, list[str]] = {}
    for index, (output, given) in enumerate(zip(outputs, post_processings, strict=True)):
        count = len(output["labels"]["labels"])
        for path, message in _problems(given, report, shapes, count):
            errors.setdefault(f"post_processings.{index}.{path}", []).append(message)
    if errors:
        raise invalid_fields(errors)


def _problems(
    given: Mapping[str, Any], report: Mapping[str, Any], shapes: Mapping[str, Shape], count: int
) -> Iterator[Problem]:
    """Yield what is wrong with one post-processing for ``count`` labels."""
    for path, name, expected in _needed(given, count):
        if name not in shapes:
            yield path, missing_tensor(report, name)
        elif expected and not any(_fits(shapes[name], pattern) for pattern in expected):
            wanted = " or ".join(map(_written, expected))
            yield path, f"The tensor {name!r} has the shape {_written(shapes[name])}; {wanted} is needed."
        elif "classification" in given and _values_in(shapes[name]) not in (None, count):
            yield path, f"The tensor {name!r} has the shape {_written(shapes[name])}; {count} values are needed."


def _needed(given: Mapping[str, Any], count: int) -> Iterator[tuple[str, str, list[Shape]]]:
    """Yield (path, tensor, shapes that fit) of every tensor that a post-processing names; no shapes: any may fit."""
    if "classification" in given:
        yield "classification.output_tensor", given["classification"]["output_tensor"], []
        return
    detection = given["detection"]
    size = detection["normalize_wrt_tensor"]
    if size and size != INPUT_SIZE_TENSOR:
        yield "detection.normalize_wrt_tensor", size, []
    layout = next(name for name in BOX_LAYOUTS if name in detection)
    expected = _layout_shapes(layout, count)
    for field, name in _tensors_of(detection[layout]):
        yield f"detection.{layout}.{field}", name, expected.get(field, [])


def _tensors_of(layout: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field, value in layout.items():
        if field == "output_tensors":
            yield from ((f"{field}.{index}", name) for index, name in enumerate(value))
        elif field.endswith("_tensor"):
            yield field, value


def _layout_shapes(layout: str, count: int) -> dict[str, list[Shape]]:
    """Return the shapes that fit, without batch dimension, by the field that names the tensor; None is any size."""
    match layout:
        case "direct_output":
            per_box: list[Shape] = [[None], [None, count]]
            return {
                "boxes_tensor": [[None, 4], [None, count, 4]],
                "scores_tensor": per_box,
                "classes_tensor": per_box,
            }
        case "standard_output":
            return {"boxes_tensor": [[None, 4], [None, count, 4]], "scores_tensor": [[None, count]]}
        case "anchored_output":
            return {
                "anchors_tensor": [[None, 5]],
                "scores_tensor": [[None, count + 1]],
                "offsets_tensor": [[None, (count + 1) * 4]],
            }
    return {}


def _fits(shape: Shape, pattern: Shape) -> bool:
    """Tell whether ``shape`` can be of ``pattern``; a size that varies can be any."""
    return len(shape) == len(pattern) and all(
        size is None or wanted is None or size == wanted for size, wanted in zip(shape, pattern, strict=True)
    )


def _written(shape: Shape) -> str:
    return " × ".join("N" if size is None else str(size) for size in shape) or "of one number"


def _values_in(shape: Shape) -> int | None:
    """Return how many values a tensor of ``shape`` holds, or None if that varies."""
    return None if None in shape else math.prod(size for size in shape if size is not None)
