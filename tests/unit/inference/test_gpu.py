"""On a GPU the same networks give the same results, and running out of its memory is got over.

``pytest -m gpu`` runs these where there is an NVIDIA GPU.
"""

import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inference.batcher import Batcher
from inference.device import compute_in_full_float32, give_back_unused
from inference.execution import Execution, prepared
from inference.loaded_network import LoadedNetwork
from inference.loader import load_network
from inference.model_cache import ModelCache, Room
from inference.network import DataType, DimensionOrder, Precision
from inference.normalisation import BatchNormalisation
from inference.preprocess import prepare_image
from inference.regions import WHOLE_IMAGE
from inference.stacking import stacked
from inference.warm_up import run_first_times, warm_up
from tests.unit.inference.gpu import GPU, NEEDS_GPU, difference, recorded_network, results_of
from tests.unit.inference.seeded_networks import CPU, WEIGHT_SETS, description, images

pytestmark = NEEDS_GPU

MEBIBYTE = 1024 * 1024
WAIT_SECONDS = 60
PRECISION_BOUNDS = {Precision.FLOAT32: 1e-4, Precision.BFLOAT16: 0.05, Precision.FLOAT16: 0.02}


@pytest.fixture(autouse=True)
def _as_a_worker_computes() -> None:
    compute_in_full_float32()


@pytest.fixture
def little_memory() -> Iterator[int]:
    """Let this process have 512 MiB more of the GPU than it has now, and return that in bytes."""
    give_back_unused(GPU)
    more = 512 * MEBIBYTE
    total = torch.cuda.get_device_properties(GPU).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(GPU) + more) / total, GPU)
    yield more
    torch.cuda.set_per_process_memory_fraction(1.0, GPU)
    give_back_unused(GPU)


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("precision", PRECISION_BOUNDS)
@pytest.mark.parametrize("weight_set", WEIGHT_SETS)
def test_results_are_those_of_the_cpu(
    classifier_folders: dict[str, Path], weight_set: str, precision: Precision, recorded: bool
) -> None:
    folder = classifier_folders[weight_set]
    expected = results_of(load_network(folder, description(), CPU))
    execution = Execution(precision, channels_last=True, frozen=True, recorded=recorded)
    network = prepared(load_network(folder, description(), GPU), execution)
    found = results_of(network)
    assert {tensor.device.type for tensor in found} == {"cpu"}
    assert {tensor.dtype for tensor in found} == {torch.float32}
    assert difference(found, expected) <= PRECISION_BOUNDS[precision]


def test_detector_finds_what_it_finds_on_the_cpu(detector_folder: Path) -> None:
    sample = [(image,) for image in images(1, 320)]
    [expected] = load_network(detector_folder, description(), CPU).run(sample)
    [found] = load_network(detector_folder, description(), GPU).run(sample)
    assert difference([found["scores"]], [expected["scores"]]) < 1e-3


@pytest.mark.parametrize("order", DimensionOrder)
@pytest.mark.parametrize("data_type", [DataType.FLOAT32, DataType.FLOAT16])
def test_batches_are_normalised_to_the_same_bits(order: DimensionOrder, data_type: DataType) -> None:
    spec = description(
        dimension_order=order, data_type=data_type, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]
    ).inputs[0]
    normalise = BatchNormalisation(spec, GPU)
    photos = [torch.randint(0, 256, (3, 48, 64), dtype=torch.uint8) for _ in range(3)]
    pixels = [prepare_image(photo, WHOLE_IMAGE, spec, as_pixels=True).tensor for photo in photos]
    found = normalise(stacked(pixels, GPU).to(GPU))
    expected = torch.stack([prepare_image(photo, WHOLE_IMAGE, spec).tensor for photo in photos])
    assert found.is_contiguous()
    assert torch.equal(found.cpu(), expected)


def test_batch_may_mix_what_the_gpu_and_the_cpu_have_decoded(classifier_folders: dict[str, Path]) -> None:
    network = recorded_network(classifier_folders["weights.safetensors"])
    pixels = [(255 * image).to(torch.uint8) for image in images(3)]
    expected = [result["output"] for result in network.run([(each,) for each in pixels])]
    mixed = [pixels[0], pixels[1].to(GPU), pixels[2]]
    found = [result["output"] for result in network.run([(each,) for each in mixed])]
    assert difference(found, expected) < 1e-5


def test_recorded_batches_of_any_size_give_what_the_network_gives(classifier_folders: dict[str, Path]) -> None:
    folder = classifier_folders["weights.safetensors"]
    plain, recorded = load_network(folder, description(), GPU), recorded_network(folder)
    for count in (1, 2, 3, 5, 8, 11, 2):
        samples = [(image,) for image in images(20)[:count]]
        expected = [result["output"] for result in plain.run(samples)]
        found = [result["output"] for result in recorded.run(samples)]
        assert len(found) == count
        assert difference(found, expected) < 1e-5


def test_memory_of_recordings_is_counted_and_comes_back(classifier_folders: dict[str, Path]) -> None:
    folder = classifier_folders["weights.safetensors"]
    give_back_unused(GPU)
    before = torch.cuda.memory_reserved(GPU)
    network = recorded_network(folder)
    run_first_times(network, 32)
    give_back_unused(GPU)
    taken = torch.cuda.memory_reserved(GPU) - before
    assert network.weight_bytes < network.nbytes <= taken <= network.nbytes + 64 * MEBIBYTE
    del network
    give_back_unused(GPU)
    assert torch.cuda.memory_reserved(GPU) == before


class Asking(nn.Module):
    """Asks the CPU what to do next, which no recording can hold."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) * (2.0 if x.sum().item() > 0 else 3.0)


def test_recorded_network_that_leaves_gives_its_memory_back_at_once(classifier_folders: dict[str, Path]) -> None:
    gone = weakref.ref(recorded_network(classifier_folders["weights.safetensors"]))
    assert gone() is None  # and not when cycles are looked for


def run_what_cannot_be_recorded() -> None:
    network = prepared(LoadedNetwork(Asking(), description(), GPU, weight_bytes=0), Execution(recorded=True))
    assert not network.is_recorded
    assert torch.equal(network.run([(images(1)[0],)])[0]["output"], 2.0 * images(1)[0].flatten())


def test_network_that_cannot_be_recorded_runs_as_it_is(classifier_folders: dict[str, Path]) -> None:
    run_what_cannot_be_recorded()  # the first recording that fails keeps two numbers of the random generator
    give_back_unused(GPU)
    before, reserved = torch.cuda.memory_allocated(GPU), torch.cuda.memory_reserved(GPU)
    run_what_cannot_be_recorded()
    give_back_unused(GPU)
    assert torch.cuda.memory_allocated(GPU) == before
    torch.zeros(256 * MEBIBYTE, dtype=torch.uint8, device=GPU)
    give_back_unused(GPU)
    assert torch.cuda.memory_reserved(GPU) <= reserved + 32 * MEBIBYTE  # a failed recording does not keep the rest
    other = recorded_network(classifier_folders["weights.safetensors"])  # what failed stands in nobody's way
    assert difference(results_of(other), results_of(other)) == 0
    assert torch.cuda.current_stream(GPU) == torch.cuda.default_stream(GPU)


def test_samples_that_many_threads_submit_do_not_mix(classifier_folders: dict[str, Path]) -> None:
    samples = images(200)
    network = recorded_network(classifier_folders["weights.safetensors"])
    alone = [network.run([(sample,)])[0]["output"] for sample in samples]
    batcher = Batcher(16)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda sample: batcher.submit(network, (sample,)).result(WAIT_SECONDS), samples))
    batcher.close()
    assert difference([answer["output"] for answer in answers], alone) < 1e-4


def test_two_networks_run_while_a_third_is_loaded(classifier_folders: dict[str, Path]) -> None:
    folder = classifier_folders["weights.safetensors"]
    network = recorded_network(folder)
    expected, stop = results_of(network), threading.Event()

    def load_again() -> None:
        while not stop.is_set():
            run_first_times(recorded_network(folder), 4)

    thread = threading.Thread(target=load_again)
    thread.start()
    worst = max(difference(results_of(network), expected) for _ in range(50))
    stop.set()
    thread.join()
    assert worst < 1e-4


class Hungry(nn.Module):
    """Takes 100 MiB for each sample of a batch, for as long as that runs."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :1] + x.new_zeros(len(x), 25 * MEBIBYTE)[:, :1]


def test_out_of_memory_halves_the_batch_and_is_remembered(little_memory: int) -> None:
    network = LoadedNetwork(Hungry(), description(), GPU, weight_bytes=0)
    sizes: list[int] = []
    batcher = Batcher(16, on_batch=lambda _, run: sizes.append(run.size))
    samples = images(16)
    hold = threading.Event()

    def wait(x: Tensor) -> Tensor:
        assert hold.wait(WAIT_SECONDS)
        return x

    stopper = LoadedNetwork(wait, description(), GPU, weight_bytes=0)
    for _ in range(2):
        hold.clear()
        first = batcher.submit(stopper, (samples[0],))  # keeps the device while the others come together
        answers = [batcher.submit(network, (sample,)) for sample in samples]
        hold.set()
        first.result(WAIT_SECONDS)
        for answer, sample in zip(answers, samples, strict=True):
            assert torch.equal(answer.result(WAIT_SECONDS)["output"], sample.flatten()[:1])
    batcher.close()
    assert sizes == [1, 4, 4, 4, 4] * 2


def test_memory_of_networks_that_left_is_free(classifier_folders: dict[str, Path]) -> None:
    folder = classifier_folders["weights.safetensors"]
    loads = 0

    def load(room: Room) -> LoadedNetwork:
        nonlocal loads
        with room(1):
            loads += 1
            return load_network(folder, description(), GPU)

    cache = ModelCache[LoadedNetwork](1, shortest_stay_seconds=0)
    cache.get("first", load)
    give_back_unused(GPU)
    before = torch.cuda.memory_allocated(GPU)
    for number in range(5):
        cache.get(str(number), load)
    give_back_unused(GPU)
    assert loads == 6
    assert torch.cuda.memory_allocated(GPU) == before


def test_weights_take_what_they_are_counted_as(classifier_folders: dict[str, Path]) -> None:
    give_back_unused(GPU)
    before = torch.cuda.memory_allocated(GPU)
    network = load_network(classifier_folders["weights.safetensors"], description(), GPU)
    taken = torch.cuda.memory_allocated(GPU) - before
    assert network.nbytes <= taken <= 1.1 * network.nbytes  # blocks are rounded up


def test_graph_is_run_on_a_gpu_only_if_it_is_recorded() -> None:
    report = warm_up(LoadedNetwork(Asking(), description(), GPU, weight_bytes=0), 4).report
    assert (report["frozen"], report["recorded"]) == (False, False)


@pytest.mark.parametrize("asked", ["float32", "auto"])
def test_deployment_finds_a_way_to_run(classifier_folders: dict[str, Path], asked: str) -> None:
    spec: Any = description(precision=asked)
    found = warm_up(load_network(classifier_folders["weights.safetensors"], spec, GPU), 16)
    assert found.report["max_batch_size"] >= 1
    expected = results_of(load_network(classifier_folders["weights.safetensors"], spec, CPU))
    bound = PRECISION_BOUNDS[Precision(found.report["precision"])]
    assert difference(results_of(found.network), expected) <= bound
