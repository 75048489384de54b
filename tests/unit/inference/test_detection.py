"""Objects are those of a plain computation, one box at a time, whatever layout the network returns them in."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import NetworkError
from inference.geometry import Crop, Placement, fit_of
from inference.network import ResizeType, TargetSize
from inference.postprocess import OutputDescription, postprocess
from inference.preprocess import Prepared

WHOLE = Placement(1, 0, 1, 0)
DIRECT = {"direct_output": {"boxes_tensor": "boxes", "scores_tensor": "scores", "classes_tensor": "labels"}}
STANDARD = {"standard_output": {"boxes_tensor": "boxes", "scores_tensor": "scores"}}
ANCHORED = {"anchored_output": {"anchors_tensor": "anchors", "scores_tensor": "scores", "offsets_tensor": "offsets"}}
Box = tuple[float, float, float, float]


def prepared(placement: Placement = WHOLE, width: int = 100, height: int = 50) -> Prepared:
    return Prepared(torch.zeros(1), placement, width, height)


def described(layout: dict[str, Any], ids: tuple[int, ...] = (1, 2, 3), **detection: Any) -> OutputDescription:
    labels = [{"id": label, "name": f"label {label}"} for label in ids]
    spec = {"labels": {"labels": labels, "exclusive": True, "roi": "BBOX"}}
    return OutputDescription.from_json(spec, {"detection": {**layout, **detection}})


def run(output: OutputDescription, where: Prepared | None = None, **tensors: Any) -> Any:
    values = {name: torch.as_tensor(value) for name, value in tensors.items()}
    return postprocess(output, values, where or prepared(), show_discarded=True)["labels"]


def found(result: Any) -> list[tuple[int, float, Box]]:
    return [
        (
            p["label_id"],
            round(p["score"], 5),
            tuple(round(p["roi"]["bbox"][k], 5) for k in ("xmin", "ymin", "xmax", "ymax")),
        )
        for p in result["predicted"] + result["discarded"]
    ]


def jaccard(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def test_a_prediction_has_exactly_the_fields_of_the_contract() -> None:
    result = run(described(DIRECT, thresholds=[0.5] * 3), boxes=[[0.0, 0.25, 0.5, 1.0]], scores=[0.75], labels=[2])
    assert result == {
        "predicted": [
            {
                "label_id": 2,
                "label_name": "label 2",
                "score": 0.75,
                "threshold": 0.5,
                "roi": {"region_id": 1, "bbox": {"xmin": 0.0, "ymin": 0.25, "xmax": 0.5, "ymax": 1.0}},
            }
        ],
        "discarded": [],
    }


def test_defaults_are_those_of_the_contract() -> None:
    boxes = [[0, 0, 0.1, 0.1], [0.2, 0, 0.3, 0.1], [0.4, 0, 0.5, 0.1], [0.6, 0, 0.7, 0.1]]
    result = run(described(DIRECT), boxes=boxes, scores=[0.81, 0.8 - 1e-6, 0.025, 0.02], labels=[1, 1, 1, 1])
    assert [p["score"] for p in result["predicted"]] == [pytest.approx(0.81)]
    assert [p["score"] for p in result["discarded"]] == [pytest.approx(0.8, abs=1e-5), pytest.approx(0.025)]
    assert result["predicted"][0]["threshold"] == 0.8


def test_unknown_label_ids_are_dropped() -> None:
    boxes = [[0, 0, 0.1, 0.1], [0.2, 0, 0.3, 0.1], [0.4, 0, 0.5, 0.1]]
    result = run(described(DIRECT, ids=(7, -1)), boxes=boxes, scores=[0.9, 0.9, 0.9], labels=[0, 7, -1])
    assert [entry[0] for entry in found(result)] == [7, -1]


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.float32, torch.float16])
def test_label_ids_may_be_of_any_type(dtype: torch.dtype) -> None:
    result = run(
        described(DIRECT, ids=(3, 1, 2)),
        boxes=[[0.0, 0, 0.1, 0.1], [0.2, 0, 0.3, 0.1]],
        scores=[0.9, 0.85],
        labels=torch.tensor([2, 3]).to(dtype),
    )
    assert [entry[0] for entry in found(result)] == [2, 3]


def test_direct_output_with_several_labels_for_each_box() -> None:
    box, other = [0.1, 0.1, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]
    result = run(
        described(DIRECT),
        boxes=[[box, box], [other, [0.55, 0.5, 0.9, 0.9]]],
        scores=[[0.6, 0.3], [0.9, 0.5]],
        labels=[[1, 2], [3, 1]],
    )
    assert [(p["label_id"], p["roi"]["region_id"]) for p in result["predicted"] + result["discarded"]] == [
        (3, 1),
        (1, 2),
        (1, 3),  # the same source, but another box
        (2, 2),
    ]


def test_boxes_in_pixels_are_normalised_by_the_size_of_the_input() -> None:
    boxes = [[10.0, 10.0, 60.0, 40.0]]
    by_input = run(described(DIRECT, normalize_wrt_tensor="input_size"), boxes=boxes, scores=[0.9], labels=[1])
    assert found(by_input) == [(1, 0.9, (0.1, 0.2, 0.6, 0.8))]
    by_tensor = run(
        described(DIRECT, normalize_wrt_tensor="im_info"),
        boxes=boxes,
        scores=[0.9],
        labels=[1],
        im_info=[200.0, 100.0, 1.0],  # height, width, and a scale that some networks add
    )
    assert found(by_tensor) == [(1, 0.9, (0.1, 0.05, 0.6, 0.2))]
    already = run(described(DIRECT, normalize_wrt_tensor=""), boxes=[[0.1, 0.2, 0.3, 0.4]], scores=[0.9], labels=[1])
    assert found(already) == [(1, 0.9, (0.1, 0.2, 0.3, 0.4))]


def test_boxes_are_those_of_the_original_image_and_clipped_to_it() -> None:
    # The right half of a 200x100 image, as 60x60 in the middle of a 100x60 canvas.
    fit = fit_of(100, 100, ResizeType.FILL, TargetSize(100, 60))
    placement = Placement.of(Crop(100, 0, 100, 100), fit, 200, 100)
    result = run(
        described(DIRECT, normalize_wrt_tensor="input_size"),
        prepared(placement, 100, 60),
        boxes=[[20.0, 0.0, 50.0, 30.0], [50.0, 30.0, 100.0, 90.0], [0.0, 0.0, 20.0, 60.0]],
        scores=[0.95, 0.9, 0.85],
        labels=[1, 1, 1],
    )
    # The last box lies on the padding: that is image outside of the crop, and stays a box of the original.
    assert found(result) == [
        (1, 0.95, (0.5, 0.0, 0.75, 0.5)),
        (1, 0.9, (0.75, 0.5, 1.0, 1.0)),
        (1, 0.85, (0.33333, 0.0, 0.5, 1.0)),
    ]


@pytest.mark.parametrize(
    "box",
    [
        [0.5, 0.5, 0.5, 0.9],
        [0.6, 0.5, 0.5, 0.9],
        [1.1, 0.2, 1.4, 0.5],
        [-0.5, 0.2, 0.0, 0.5],
        [float("nan"), 0.2, 0.5, 0.5],
        [0.1, 0.2, float("inf"), 0.5],
    ],
)
def test_boxes_that_are_none_are_dropped(box: list[float]) -> None:
    result = run(described(DIRECT), boxes=[box, [0.1, 0.1, 0.2, 0.2]], scores=[0.9, 0.85], labels=[1, 1])
    assert found(result) == [(1, 0.85, (0.1, 0.1, 0.2, 0.2))]


def test_scores_that_are_no_number_are_dropped_and_others_end_at_1() -> None:
    boxes = [[0.1, 0.1, 0.2, 0.2], [0.5, 0.1, 0.6, 0.2]]
    result = run(described(DIRECT), boxes=boxes, scores=[float("nan"), 1.5], labels=[1, 1])
    assert [entry[1] for entry in found(result)] == [1.0]


@pytest.mark.parametrize(("threshold", "count"), [(0.49, 1), (0.5, 2), (0.51, 2)])
def test_boxes_above_the_jaccard_index_are_one_object(threshold: float, count: int) -> None:
    boxes = [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.5]]  # their Jaccard index is exactly one half
    result = run(described(DIRECT, nms_threshold=threshold), boxes=boxes, scores=[0.9, 0.85], labels=[1, 1])
    assert len(found(result)) == count


def test_boxes_of_different_labels_are_different_objects() -> None:
    boxes = [[0.1, 0.1, 0.4, 0.4]] * 2
    result = run(described(DIRECT), boxes=boxes, scores=[0.9, 0.85], labels=[1, 2])
    assert [(p["label_id"], p["roi"]["region_id"]) for p in result["predicted"]] == [(1, 1), (2, 2)]


def test_alternate_labels_of_one_box_share_its_region() -> None:
    result = run(
        described(STANDARD, thresholds=[0.4] * 3),
        boxes=[[0.1, 0.1, 0.4, 0.4], [0.6, 0.6, 0.9, 0.9]],
        scores=[[0.1, 0.5, 0.01], [0.85, 0.02, 0.45]],
    )
    listed = [(p["label_id"], round(p["score"], 4), p["roi"]["region_id"]) for p in result["predicted"]]
    assert listed == [(1, 0.85, 1), (2, 0.5, 2), (3, 0.45, 1)]
    assert [(p["label_id"], p["roi"]["region_id"]) for p in result["discarded"]] == [(1, 2)]


def test_region_ids_do_not_depend_on_what_is_shown() -> None:
    output = described(STANDARD, ids=(1, 2), thresholds=[0.9, 0.1])
    tensors = {
        "boxes": torch.tensor([[0.1, 0.1, 0.2, 0.2], [0.6, 0.6, 0.9, 0.9]]),
        "scores": torch.tensor([[0.8, 0.0], [0.0, 0.3]]),
    }
    shown = postprocess(output, tensors, prepared(), show_discarded=True)["labels"]
    hidden = postprocess(output, tensors, prepared(), show_discarded=False)["labels"]
    cut = postprocess(output, tensors, prepared(), show_discarded=True, max_predictions=1)["labels"]
    assert shown["predicted"] == hidden["predicted"] == cut["predicted"]
    assert hidden["predicted"][0]["roi"]["region_id"] == 2
    assert (len(shown["discarded"]), cut["discarded"], hidden["discarded"]) == (1, [], [])


def test_standard_output_with_a_box_for_each_label() -> None:
    boxes = torch.rand(1, 3, 2, 2, generator=torch.Generator().manual_seed(0)).cumsum(2).div(2).flatten(2)
    scores = torch.tensor([[0.9, 0.5, 0.7]])
    result = run(described(STANDARD), boxes=boxes, scores=scores)
    for label, score, box in found(result):
        assert score == pytest.approx(scores[0, label - 1].item(), abs=1e-5)
        np.testing.assert_allclose(box, boxes[0, label - 1].clamp(0, 1), atol=1e-5)


def test_anchored_output_moves_anchors_by_the_deltas_of_r_cnn() -> None:
    rng = np.random.default_rng(3)
    count, labels = 4, 3
    anchors = np.column_stack([rng.random(count), rng.uniform(30, 70, (count, 2)), rng.uniform(5, 20, (count, 2))])
    offsets = rng.normal(0, 0.2, (count, (labels + 1) * 4))
    scores = rng.uniform(0.1, 0.9, (count, labels + 1))
    result = run(
        described(ANCHORED, nms_threshold=1.0, normalize_wrt_tensor="input_size"),
        prepared(width=100, height=80),
        anchors=anchors.astype(np.float32),
        offsets=offsets.astype(np.float32),
        scores=scores.astype(np.float32),
    )
    expected = []
    for row in range(count):
        _, x, y, width, height = anchors[row]
        for label in range(1, labels + 1):
            dx, dy, dw, dh = offsets[row, 4 * label : 4 * label + 4]
            centre_x, centre_y = x + dx * width, y + dy * height
            new_width, new_height = width * np.exp(dw), height * np.exp(dh)
            box = [
                (centre_x - new_width / 2) / 100,
                (centre_y - new_height / 2) / 80,
                (centre_x + new_width / 2) / 100,
                (centre_y + new_height / 2) / 80,
            ]
            expected.append((label, scores[row, label], np.clip(box, 0, 1)))
    listed = sorted(found(result))
    for (label, score, box), (wanted, wanted_score, wanted_box) in zip(
        listed, sorted(expected, key=lambda entry: entry[:2]), strict=True
    ):
        assert label == wanted
        assert score == pytest.approx(wanted_score, abs=1e-5)
        np.testing.assert_allclose(box, wanted_box, atol=2e-5)


def test_anchored_output_with_absurd_deltas_stays_finite() -> None:
    result = run(
        described(ANCHORED, ids=(1,)),
        anchors=[[1.0, 0.5, 0.5, 0.1, 0.1]],
        offsets=[[0.0] * 4 + [0.0, 0.0, 1000.0, 0.0]],
        scores=[[0.1, 0.9]],
    )
    assert found(result) == [(1, 0.9, (0.0, 0.45, 1.0, 0.55))]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_tensors_of_other_types_are_understood(dtype: torch.dtype) -> None:
    boxes = torch.tensor([[0.25, 0.25, 0.5, 0.75]]).to(dtype)
    result = run(described(DIRECT), boxes=boxes, scores=torch.tensor([0.875]).to(dtype), labels=[1])
    assert found(result) == [(1, 0.875, (0.25, 0.25, 0.5, 0.75))]


@pytest.mark.parametrize(
    "tensors",
    [
        {"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": torch.zeros(0, dtype=torch.int64)},
        {"boxes": torch.zeros(0), "scores": torch.zeros(0), "labels": torch.zeros(0)},
    ],
)
def test_nothing_found_is_an_empty_answer(tensors: dict[str, torch.Tensor]) -> None:
    assert run(described(DIRECT), **tensors) == {"predicted": [], "discarded": []}
    assert run(described(STANDARD), boxes=tensors["boxes"], scores=torch.zeros(0, 3)) == {
        "predicted": [],
        "discarded": [],
    }


@pytest.mark.parametrize(
    ("layout", "tensors", "sentence"),
    [
        (DIRECT, {"boxes": (3, 4), "scores": (3,)}, "has no tensor 'labels'; it has boxes, scores"),
        (DIRECT, {"boxes": (3, 4), "scores": (3,), "labels": (2,)}, r"'labels' has the shape \[2\]; \[3\]"),
        (DIRECT, {"boxes": (2, 4), "scores": (3,), "labels": (3,)}, r"'boxes' has the shape \[2, 4\]; \[3, 4\]"),
        (DIRECT, {"boxes": (3, 4), "scores": (3, 1, 1), "labels": (3, 1, 1)}, "N or N x L"),
        (STANDARD, {"boxes": (3, 4), "scores": (3, 4)}, r"'scores' has the shape \[3, 4\]; N x 3 is needed"),
        (STANDARD, {"boxes": (3, 2, 4), "scores": (3, 3)}, r"'boxes' has the shape \[3, 2, 4\]"),
        (ANCHORED, {"anchors": (3, 4), "scores": (3, 4), "offsets": (3, 16)}, "N x 5"),
        (ANCHORED, {"anchors": (3, 5), "scores": (3, 3), "offsets": (3, 16)}, "N x 4"),
        (ANCHORED, {"anchors": (3, 5), "scores": (3, 4), "offsets": (3, 12)}, "N x 16"),
        (ANCHORED, {"anchors": (2, 5), "scores": (3, 4), "offsets": (3, 16)}, "2, 3 and 3 rows"),
    ],
)
def test_shapes_that_do_not_fit_are_a_sentence(
    layout: dict[str, Any], tensors: dict[str, tuple[int, ...]], sentence: str
) -> None:
    with pytest.raises(NetworkError, match=sentence) as caught:
        run(described(layout), **{name: torch.ones(shape) for name, shape in tensors.items()})
    assert str(caught.value).endswith(".")


def test_a_size_tensor_without_a_size_is_a_sentence() -> None:
    output = described(DIRECT, normalize_wrt_tensor="size")
    for size in ([5.0], [0.0, 5.0], [float("nan"), 1.0]):
        with pytest.raises(NetworkError, match="does not hold a height and a width"):
            run(output, boxes=[[0.0, 0, 1, 1]], scores=[0.9], labels=[1], size=size)
    with pytest.raises(NetworkError, match="has no tensor 'size'"):
        run(output, boxes=[[0.0, 0, 1, 1]], scores=[0.9], labels=[1])


def test_a_post_processing_without_layout_is_a_sentence() -> None:
    with pytest.raises(NetworkError, match="names no layout"):
        described({})


def test_very_many_candidates_are_cut_to_the_best() -> None:
    count = 30_000
    side = 200
    places = torch.arange(count)
    x, y = (places % side) / side, (places // side) / side
    boxes = torch.stack([x, y, x + 0.8 / side, y + 0.8 / side], dim=1)
    scores = torch.linspace(0.5, 0.9, count)
    result = run(described(DIRECT, thresholds=[0.0] * 3), boxes=boxes, scores=scores, labels=torch.ones(count))
    assert len(result["predicted"]) == 100
    assert result["predicted"][0]["score"] == pytest.approx(0.9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 25), threshold=st.floats(0.05, 0.95))
def test_objects_are_those_of_a_plain_loop(seed: int, count: int, threshold: float) -> None:
    """The reference is the textbook loop: take the best box, drop those of its label that overlap it, repeat."""
    rng = np.random.default_rng(seed)
    corners = rng.random((count, 2)) * 0.6
    boxes = np.concatenate([corners, corners + rng.uniform(0.1, 0.4, (count, 2))], axis=1)
    scores, labels = rng.random(count).astype(np.float32), rng.integers(0, 4, count)
    result = run(
        described(DIRECT, nms_threshold=threshold, discard_threshold=0.2), boxes=boxes, scores=scores, labels=labels
    )
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        overlaps = any(
            labels[index] == labels[other] and jaccard(tuple(boxes[index]), tuple(boxes[other])) > threshold
            for other in kept
        )
        if scores[index] >= 0.2 and labels[index] != 0 and not overlaps:
            kept.append(int(index))
    expected = [(int(labels[i]), round(float(scores[i]), 5), tuple(round(float(v), 5) for v in boxes[i])) for i in kept]
    assert found(result) == expected
    regions = [p["roi"]["region_id"] for p in result["predicted"] + result["discarded"]]
    assert regions == list(range(1, len(kept) + 1))
