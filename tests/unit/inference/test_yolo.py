"""Boxes and scores of YOLO grids are those of the papers' formulas, computed one cell at a time."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from inference.errors import NetworkError
from inference.geometry import Placement
from inference.postprocess import OutputDescription, postprocess
from inference.preprocess import Prepared

PREPARED = Prepared(torch.zeros(1), Placement(1, 0, 1, 0), 96, 64)
ANCHORS = [[1.5, 1.0], [0.7, 2.0]]
LABELS = 3

Row = tuple[int, float, float, float, float, float]  # label, score, xmin, ymin, xmax, ymax


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def described(layout: dict[str, Any]) -> OutputDescription:
    labels = [{"id": index, "name": str(index)} for index in range(LABELS)]
    spec = {"labels": {"labels": labels, "exclusive": False, "roi": "BBOX"}}
    options = {"nms_threshold": 1.0, "discard_threshold": 0.0, "thresholds": [0.0] * LABELS}
    return OutputDescription.from_json(spec, {"detection": {**layout, **options}})


def rows_of(layout: dict[str, Any], **tensors: torch.Tensor) -> list[Row]:
    result = postprocess(described(layout), tensors, PREPARED, max_predictions=10_000)["labels"]
    return [(p["label_id"], p["score"], *p["roi"]["bbox"].values()) for p in result["predicted"]]


def cells_of(grid: np.ndarray, anchors: list[list[float]], units: tuple[float, float], exclusive: bool) -> list[Row]:
    """Compute a grid (A, 5+L, H, W) by the papers' formulas; ``units`` is the input's size in units of anchors."""
    rows = []
    _, _, height, width = grid.shape
    for a, cy, cx in np.ndindex(len(anchors), height, width):
        tx, ty, tw, th, to, *classes = (float(value) for value in grid[a, :, cy, cx])
        x, y = (sigmoid(tx) + cx) / width, (sigmoid(ty) + cy) / height
        w, h = anchors[a][0] * math.exp(tw) / units[0], anchors[a][1] * math.exp(th) / units[1]
        box = np.clip([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 0, 1)
        total = sum(map(math.exp, classes))
        for label, value in enumerate(classes):
            probability = math.exp(value) / total if exclusive else sigmoid(value)
            rows.append((label, sigmoid(to) * probability, *box))
    return rows


def assert_same(rows: list[Row], expected: list[Row]) -> None:
    np.testing.assert_allclose(sorted(rows), sorted(expected), rtol=1e-5, atol=1e-6)


def grid_of(seed: int, anchors: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (anchors, 5 + LABELS, height, width)).astype(np.float32)


@pytest.mark.parametrize("form", ["darknet", "channels last", "a c h w", "a h w c", "h w a c"])
def test_yolov2_grid_is_decoded_by_its_paper(form: str) -> None:
    grid = torch.from_numpy(grid_of(0, 2, 4, 6))
    tensor = {
        "darknet": grid.reshape(-1, 4, 6),
        "channels last": grid.reshape(-1, 4, 6).permute(1, 2, 0),
        "a c h w": grid,
        "a h w c": grid.permute(0, 2, 3, 1),
        "h w a c": grid.permute(2, 3, 0, 1),
    }[form]
    rows = rows_of({"yolo_output": {"output_tensor": "grid", "anchors": ANCHORS}}, grid=tensor)
    assert_same(rows, cells_of(grid.numpy(), ANCHORS, (6, 4), exclusive=True))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_yolov3_scales_are_decoded_by_their_paper_in_any_order(order: tuple[int, int]) -> None:
    small, large = [[10.0, 13.0], [16.0, 30.0]], [[60.0, 40.0], [50.0, 62.0]]
    coarse, fine = grid_of(1, 2, 2, 3), grid_of(2, 2, 4, 6)
    tensors = {"coarse": torch.from_numpy(coarse).reshape(-1, 2, 3), "fine": torch.from_numpy(fine).reshape(-1, 4, 6)}
    names = [["coarse", "fine"][index] for index in order]
    rows = rows_of({"yolov3_output": {"output_tensors": names, "anchors": small + large}}, **tensors)
    expected = cells_of(coarse, large, (96, 64), exclusive=False) + cells_of(fine, small, (96, 64), exclusive=False)
    assert_same(rows, expected)


def test_grids_that_do_not_fit_are_a_sentence() -> None:
    v2 = {"yolo_output": {"output_tensor": "grid", "anchors": ANCHORS}}
    with pytest.raises(NetworkError, match=r"'grid' has the shape \[15, 4, 6\]; \[16, height, width\]"):
        rows_of(v2, grid=torch.zeros(15, 4, 6))
    v3 = {"yolov3_output": {"output_tensors": ["a", "b"], "anchors": [[1, 2]] * 3}}
    with pytest.raises(NetworkError, match="3 anchors cannot be divided among 2 tensors"):
        rows_of(v3, a=torch.zeros(16, 4, 6), b=torch.zeros(16, 4, 6))


def test_sizes_that_overflow_are_dropped() -> None:
    grid = torch.zeros(2, 5 + LABELS, 1, 1)
    grid[0, 2] = 1e4
    rows = rows_of({"yolo_output": {"output_tensor": "grid", "anchors": ANCHORS}}, grid=grid)
    assert len(rows) == LABELS
