"""The answer to a request for raw tensors has a largest size."""

import pytest
import torch

from workers.errors import TaskFailure
from workers.infer_tensors import MOST_VALUES, check_size


def test_tensors_of_too_many_values_are_refused_together() -> None:
    half = torch.empty(MOST_VALUES // 2, dtype=torch.uint8)
    check_size({"a": half, "b": half})
    with pytest.raises(TaskFailure, match="over the limit of 10000000"):
        check_size({"a": half, "b": half, "c": torch.empty(1)})
