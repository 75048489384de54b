"""What recordings do on the CPU: which size a batch has there, and what is given out of its outputs.

``test_gpu.py`` records and replays.
"""

import pytest
import torch

from inference.recordings import are_tensors, own, size_for


@pytest.mark.parametrize(("count", "size"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (16, 16), (17, 32), (48, 64)])
def test_batch_is_filled_up_to_a_power_of_two(count: int, size: int) -> None:
    assert size_for(count) == size


def test_outputs_are_given_without_what_filled_the_batch_up_and_are_no_views() -> None:
    scores, scale = torch.arange(8.0).view(4, 2), torch.tensor(3.0)
    found = own({"scores": scores, "pair": scores[:, 0], "scale": scale}, 3, 4)
    expected = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    scores.zero_()  # as the next replay writes
    assert found["scores"].tolist() == expected
    assert found["pair"].tolist() == [0.0, 2.0, 4.0]
    assert found["scale"] == 3.0
    one, other = own((torch.ones(4, 1), torch.ones(2, 4)), 1, 4)
    assert (one.shape, other.shape) == ((1, 1), (2, 4))  # the second is no batch, which is found out later


def test_only_tensors_are_replayed() -> None:
    tensor = torch.ones(2)
    assert are_tensors(tensor)
    assert are_tensors((tensor, tensor))
    assert are_tensors({"scores": tensor})
    assert not are_tensors([{"boxes": tensor}])
    assert not are_tensors((tensor, 3))
    assert not are_tensors({"scores": tensor, "count": 2})
