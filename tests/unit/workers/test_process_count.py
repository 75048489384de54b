"""How many worker processes a device keeps busy."""

import pytest
import torch

from workers.process_count import MOST_PROCESSES, process_count


def test_one_process_keeps_a_cpu_busy() -> None:
    assert process_count(torch.device("cpu"), 64, 0) == 1


@pytest.mark.parametrize(
    ("cores", "gpus", "processes"), [(1, 1, 1), (2, 1, 1), (16, 1, 8), (16, 4, 2), (128, 1, MOST_PROCESSES), (4, 8, 1)]
)
def test_a_gpu_gets_a_process_for_each_two_of_its_cores(cores: int, gpus: int, processes: int) -> None:
    assert process_count(torch.device("cuda:0"), cores, gpus) == processes
