"""Scores of a classification are those of a plain computation; lists are split, ordered and cut by the contract."""

from typing import Any

import numpy as np
import pytest
import torch

from inference.errors import NetworkError
from inference.geometry import Placement
from inference.postprocess import OutputDescription, postprocess
from inference.preprocess import Prepared

PREPARED = Prepared(torch.zeros(3, 8, 8), Placement(1, 0, 1, 0), 8, 8)
LOGITS = [0.1, 2.0, -1.0, 0.1]


def described(exclusive: bool = True, count: int = 4, **classification: Any) -> OutputDescription:
    labels = [{"id": 10 * index, "name": f"label {index}"} for index in range(count)]
    spec = {"labels": {"labels": labels, "exclusive": exclusive, "roi": "NONE"}}
    return OutputDescription.from_json(spec, {"classification": {"output_tensor": "output", **classification}})


def run(output: OutputDescription, values: Any = LOGITS, show_discarded: bool = True, limit: int = 100) -> Any:
    tensors = {"output": torch.as_tensor(values)}
    return postprocess(output, tensors, PREPARED, show_discarded=show_discarded, max_predictions=limit)["labels"]


def scores_of(result: Any) -> dict[int, float]:
    return {p["label_id"]: p["score"] for p in result["predicted"] + result["discarded"]}


def expected(activation: str) -> np.ndarray:
    values = np.array(LOGITS)
    if activation == "softmax":
        return np.exp(values) / np.exp(values).sum()
    return 1 / (1 + np.exp(-values)) if activation == "sigmoid" else values


@pytest.mark.parametrize(
    ("exclusive", "given", "activation"),
    [
        (True, {}, "softmax"),
        (False, {}, "sigmoid"),
        (True, {"activation": "sigmoid"}, "sigmoid"),
        (False, {"activation": "softmax"}, "softmax"),
    ],
)
def test_scores_are_those_of_the_activation(exclusive: bool, given: dict[str, str], activation: str) -> None:
    scores = scores_of(run(described(exclusive, **given)))
    np.testing.assert_allclose([scores[10 * index] for index in range(4)], expected(activation), rtol=1e-6)
    assert all(type(score) is float for score in scores.values())


def test_scores_without_activation_are_taken_as_they_are_and_kept_in_0_to_1() -> None:
    scores = scores_of(run(described(activation="none"), [0.25, 0.5, 1.5, -2.0]))
    assert scores == {0: 0.25, 10: 0.5, 20: 1.0, 30: 0.0}


@pytest.mark.parametrize(("exclusive", "threshold"), [(True, 0.025), (False, 0.5)])
def test_default_thresholds_depend_on_exclusive(exclusive: bool, threshold: float) -> None:
    result = run(described(exclusive))
    assert {p["threshold"] for p in result["predicted"] + result["discarded"]} == {threshold}


def test_a_prediction_has_exactly_the_fields_of_the_contract() -> None:
    result = run(described(count=1, activation="none", thresholds=[0.25]), [0.5])
    assert result == {
        "predicted": [{"label_id": 0, "label_name": "label 0", "score": 0.5, "threshold": 0.25}],
        "discarded": [],
    }


def test_a_score_equal_to_its_threshold_is_discarded() -> None:
    result = run(described(count=2, activation="none", thresholds=[0.5, 0.5]), [0.5, 0.5000001])
    assert [p["label_id"] for p in result["predicted"]] == [10]
    assert [p["label_id"] for p in result["discarded"]] == [0]


def test_lists_are_by_decreasing_score_and_ties_by_label_order() -> None:
    output = described(count=6, activation="none", thresholds=[0.5] * 6)
    result = run(output, [0.2, 0.75, 0.25, 0.75, 0.25, 1.0])
    assert [p["label_id"] for p in result["predicted"]] == [50, 10, 30]
    assert [p["label_id"] for p in result["discarded"]] == [20, 40, 0]


def test_discarded_are_hidden_unless_asked_for() -> None:
    assert run(described(thresholds=[1.0] * 4), show_discarded=False) == {"predicted": [], "discarded": []}


@pytest.mark.parametrize(("limit", "predicted", "discarded"), [(1, 1, 0), (2, 2, 0), (3, 2, 1), (9, 2, 2)])
def test_max_predictions_bounds_both_lists_and_predicted_come_first(limit: int, predicted: int, discarded: int) -> None:
    output = described(activation="none", thresholds=[0.9, 0.1, 0.9, 0.1])
    result = run(output, [0.8, 0.2, 0.7, 0.3], limit=limit)
    assert (len(result["predicted"]), len(result["discarded"])) == (predicted, discarded)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_scores_of_other_types_are_computed_in_float32(dtype: torch.dtype) -> None:
    values = torch.tensor(LOGITS).to(dtype)
    exact = torch.softmax(values.float(), 0).tolist()
    assert sorted(scores_of(run(described(), values)).values()) == sorted(exact)


def test_values_may_have_dimensions_of_size_1() -> None:
    assert scores_of(run(described(), torch.tensor(LOGITS).view(4, 1, 1))) == scores_of(run(described()))


def test_what_does_not_fit_is_a_sentence() -> None:
    with pytest.raises(NetworkError, match=r"'output' has 3 values for 4 labels\.$"):
        run(described(), [0.1, 0.2, 0.3])
    with pytest.raises(NetworkError, match="not numbers"):
        run(described(), [float("nan")] * 4)
    with pytest.raises(NetworkError, match="has no tensor 'logits'; it has output"):
        run(described(output_tensor="logits"))
    with pytest.raises(NetworkError, match="3 thresholds for 4 labels"):
        described(thresholds=[0.1] * 3)
    with pytest.raises(NetworkError, match="cannot be used"):
        described(activation="tanh")
    with pytest.raises(NetworkError, match="lacks"):
        OutputDescription.from_json({}, {"classification": {"output_tensor": "output"}})
