"""The device is the one that was asked for, and float32 means float32 on it."""

import logging
import time
from collections.abc import Iterator

import pytest
import torch

from inference import device
from inference.device import DeviceError, choose_device, compute_in_full_float32, wait_asleep, wake
from tests.unit.inference.gpu import GPU, needs_gpu

KINDS = (torch.backends, torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul)


@pytest.fixture
def full_float32() -> Iterator[None]:
    before = [kind.fp32_precision for kind in KINDS]
    torch.backends.cudnn.conv.fp32_precision = "tf32"  # as something that ran before may have left it
    compute_in_full_float32()
    yield
    for kind, precision in zip(KINDS, before, strict=True):
        kind.fp32_precision = precision


@pytest.mark.usefixtures("full_float32")
def test_nothing_computes_float32_in_fewer_bits() -> None:
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"
    assert torch.backends.cudnn.rnn.fp32_precision == "ieee"
    assert torch.backends.cuda.matmul.fp32_precision == "ieee"


@needs_gpu
@pytest.mark.usefixtures("full_float32")
def test_a_convolution_on_a_gpu_is_as_exact_as_on_the_cpu() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 64, 32, 32, generator=generator)
    kernels = torch.randn(64, 64, 3, 3, generator=generator)
    expected = torch.nn.functional.conv2d(images.double(), kernels.double())
    found = torch.nn.functional.conv2d(images.cuda(), kernels.cuda()).cpu().double()
    assert (found - expected).abs().amax() / expected.abs().amax() < 1e-6  # TensorFloat-32 is a thousandth off


@needs_gpu
def test_threads_sleep_while_a_gpu_computes() -> None:
    wait_asleep(GPU)
    matrix = torch.randn(8192, 8192, device=GPU)
    torch.cuda.synchronize()
    started, busy = time.perf_counter(), time.thread_time()
    for _ in range(10):
        torch.mm(matrix, matrix)
    torch.cuda.synchronize()
    assert time.thread_time() - busy < 0.5 * (time.perf_counter() - started)


def test_a_driver_that_lets_nobody_sleep_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(device, "_DRIVER", "libnowhere.so.1")
    with caplog.at_level(logging.WARNING):
        wait_asleep(GPU)
    [message] = caplog.messages
    assert message.startswith("Threads that wait for cuda:0 stay awake")


def test_a_gpu_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(DeviceError, match="cuda:99 is not there"):
        choose_device("cuda:99")


def test_the_cpu_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")


def test_a_device_that_works_wakes() -> None:
    wake(torch.device("cpu"))


def test_a_device_that_does_not_work_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.AcceleratorError(
            "CUDA error: uncorrectable ECC error encountered\nCompile with TORCH_USE_CUDA_DSA."
        )

    monkeypatch.setattr(torch, "ones", fail)
    with pytest.raises(DeviceError, match=r"^The device cuda:0 does not work: CUDA error: uncorrectable ECC error"):
        wake(torch.device("cuda:0"))
