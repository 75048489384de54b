"""Reads how one output of a specification is made, and makes it.

The door to this package: the workers call it for each output of a version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from inference.errors import NetworkError
from inference.postprocess.classification import Activation, Classification
from inference.postprocess.detection import Detection
from inference.postprocess.layouts import layout_from_json
from inference.postprocess.predictions import Label, Numbers, present
from inference.preprocess import Prepared

# The defaults of the HTTP contract, for those who use this library without the API, which stores them with a
# version.
EXCLUSIVE_THRESHOLD = 0.025
INDEPENDENT_THRESHOLD = 0.5
DETECTION_THRESHOLD = 0.8
NMS_THRESHOLD = 0.3
DISCARD_THRESHOLD = 0.025


@dataclass(frozen=True)
class OutputDescription:
    """The labels of one output, in order, and how the network's tensors give their scores and boxes."""

    labels: tuple[Label, ...]
    method: Classification | Detection

    @cached_property
    def thresholds(self) -> Numbers:
        """The thresholds of the labels, in their order."""
        return np.array([label.threshold for label in self.labels])

    @classmethod
    def from_json(cls, spec_output: Mapping[str, Any], post_processing: Mapping[str, Any]) -> "OutputDescription":
        """Read ``outputs[i]`` of a specification and ``post_processings[i]`` of its version.

        Raises:
            NetworkError: when they cannot be used, with one sentence that says why.
        """
        try:
            if "classification" in post_processing:
                return _classification(spec_output["labels"], post_processing["classification"])
            return _detection(spec_output["labels"], post_processing["detection"])
        except KeyError as error:
            raise NetworkError(f"The post-processing, or the specification, lacks {error}.") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise NetworkError(f"The post-processing cannot be used: {error}.") from error


def postprocess(
    output: OutputDescription,
    tensors: Mapping[str, Tensor],
    prepared: Prepared,
    show_discarded: bool = False,
    max_predictions: int = 100,
) -> dict[str, Any]:
    """Return one output of the HTTP contract: ``{"labels": {"predicted": [...], "discarded": [...]}}``.

    Args:
        output: what to make.
        tensors: the network's output tensors for one image, by name and without batch dimension, of any type.
        prepared: the input that the network was given, by which boxes are mapped back to the image.
        show_discarded: also return what does not pass its threshold.
        max_predictions: how many predictions are returned at most; predicted ones come first.

    Raises:
        NetworkError: when a tensor is missing, or its shape does not fit the labels.
    """
    predictions = output.method.predictions(tensors, prepared, output.labels)
    return {"labels": present(predictions, output.labels, output.thresholds, show_discarded, max_predictions)}


def _classification(spec: Mapping[str, Any], given: Mapping[str, Any]) -> OutputDescription:
    exclusive = bool(spec.get("exclusive", False))
    default = Activation.SOFTMAX if exclusive else Activation.SIGMOID
    labels = _labels(spec, given, EXCLUSIVE_THRESHOLD if exclusive else INDEPENDENT_THRESHOLD)
    return OutputDescription(
        labels,
        Classification(
            output_tensor=str(given["output_tensor"]),
            activation=Activation(given.get("activation") or default),
        ),
    )


def _detection(spec: Mapping[str, Any], given: Mapping[str, Any]) -> OutputDescription:
    return OutputDescription(
        _labels(spec, given, DETECTION_THRESHOLD),
        Detection(
            layout=layout_from_json(given),
            normalize_wrt_tensor=given.get("normalize_wrt_tensor") or None,
            nms_threshold=float(given.get("nms_threshold", NMS_THRESHOLD)),
            discard_threshold=float(given.get("discard_threshold", DISCARD_THRESHOLD)),
        ),
    )


def _labels(spec: Mapping[str, Any], given: Mapping[str, Any], default_threshold: float) -> tuple[Label, ...]:
    labels = spec["labels"]
    thresholds = given.get("thresholds") or [default_threshold] * len(labels)
    if len(thresholds) != len(labels):
        raise NetworkError(f"The post-processing has {len(thresholds)} thresholds for {len(labels)} labels.")
    return tuple(
        Label(int(label["id"]), str(label["name"]), float(threshold))
        for label, threshold in zip(labels, thresholds, strict=True)
    )
