"""Scores for labels of the whole image, from one tensor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor

from inference.errors import NetworkError
from inference.postprocess.predictions import Label, Predictions
from inference.postprocess.tensors import tensor_of
from inference.preprocess import Prepared


class Activation(StrEnum):
    """What makes scores of the network's numbers."""

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    NONE = "none"  # they are scores already


@dataclass(frozen=True)
class Classification:
    """``output_tensor`` holds one number for each label."""

    output_tensor: str
    activation: Activation

    def predictions(self, tensors: Mapping[str, Tensor], prepared: Prepared, labels: Sequence[Label]) -> Predictions:
        """Return one prediction for each label, in the order of the labels, with a score in [0, 1].

        Raises:
            NetworkError: when the tensor is missing, has another number of values, or holds something that is
                no number.
        """
        values = tensor_of(tensors, self.output_tensor, torch.float32).flatten()
        if len(values) != len(labels):
            raise NetworkError(f"The tensor {self.output_tensor!r} has {len(values)} values for {len(labels)} labels.")
        scores = self._scores(values).numpy().astype(np.float64)
        if np.isnan(scores).any():
            raise NetworkError(f"The tensor {self.output_tensor!r} holds values that are not numbers.")
        return Predictions(np.arange(len(labels)), scores.clip(0, 1))

    def _scores(self, values: Tensor) -> Tensor:
        match self.activation:
            case Activation.SOFTMAX:
                return values.softmax(dim=0)
            case Activation.SIGMOID:
                return values.sigmoid()
            case Activation.NONE:
                return values
