"""Results and specifications as the service gives them."""

from typing import Any

Json = dict[str, Any]


def spec_output(roi: str, *labels: tuple[int, str]) -> Json:
    """Return an output of a specification."""
    named = [{"id": label_id, "name": name} for label_id, name in labels]
    return {"labels": {"labels": named, "exclusive": True, "roi": roi}}


def tag(label_id: int, name: str, score: float) -> Json:
    """Return a prediction without a box."""
    return {"label_id": label_id, "label_name": name, "score": score, "threshold": 0.5}


def box(label_id: int, name: str, score: float, corners: tuple[float, float, float, float], region: int = 1) -> Json:
    """Return a prediction with a box."""
    bbox = dict(zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
    return {**tag(label_id, name, score), "roi": {"region_id": region, "bbox": bbox}}


def output(*predicted: Json, discarded: tuple[Json, ...] = ()) -> Json:
    """Return an output of a task."""
    return {"labels": {"predicted": list(predicted), "discarded": list(discarded)}}


def success(path: str, *outputs: Json, size: tuple[int, int] | None = None) -> Json:
    """Return the result of an image that was recognised."""
    result = {"path": path, "spec": "s", "task_id": "1", "status": "success", "error": None, "outputs": list(outputs)}
    return result if size is None else {**result, "width": size[0], "height": size[1]}


def failure(path: str, error: str) -> Json:
    """Return the result of an image that ended in an error."""
    return {"path": path, "spec": "s", "task_id": "1", "status": "error", "error": error, "outputs": None}
