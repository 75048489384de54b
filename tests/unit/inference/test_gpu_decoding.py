"""The decoder of a GPU gives the images of the CPU but for rounding, always the same, and gives back what it cannot.

``pytest -m gpu`` runs these where there is an NVIDIA GPU.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from inference.device_decoding import DeviceDecoder, decodes_on_device
from inference.images import ImageLimits, open_image
from inference.preprocess import prepare_image
from inference.regions import WHOLE_IMAGE
from tests.unit.inference.gpu import GPU, NEEDS_GPU, difference, recorded_network
from tests.unit.inference.jpegs import damaged, photo
from tests.unit.inference.seeded_networks import description

pytestmark = NEEDS_GPU

LIMITS = ImageLimits(10_000_000, 50_000_000)


def test_gpu_decodes_what_the_cpu_decodes_but_for_rounding() -> None:
    spec = description(decoding="DEVICE", target_size="224").inputs[0]
    decoder = DeviceDecoder(GPU)
    for seed in range(20):
        image = open_image(photo(640 - 3 * seed, 480 + seed, quality=90), LIMITS)
        assert decodes_on_device(image, WHOLE_IMAGE, spec)
        found = decoder.submit(image, WHOLE_IMAGE, spec).result()
        assert found is not None
        assert found.tensor.is_cuda
        exact = prepare_image(image.decode(), WHOLE_IMAGE, spec, as_pixels=True)
        assert (found.placement, found.tensor.stride()) == (exact.placement, exact.tensor.stride())
        differences = (found.tensor.cpu().int() - exact.tensor.int()).abs()
        assert differences.max() <= 16
        assert differences.float().mean() < 2
    decoder.close()


def test_gpu_decodes_the_same_again_and_again_while_networks_run(classifier_folders: dict[str, Path]) -> None:
    """The decoder runs on a stream of its own, and writes wherever the allocator lets it."""
    network, decoder = recorded_network(classifier_folders["weights.safetensors"]), DeviceDecoder(GPU)
    spec = description(decoding="DEVICE").inputs[0]
    photos = [photo(640 + seed, 480, quality=90) for seed in range(16)]

    def decoded(data: bytes) -> Tensor:
        image = open_image(data, LIMITS)
        found = decoder.submit(image, WHOLE_IMAGE, spec).result()
        assert found is not None
        return found.tensor

    expected = [decoded(data).clone() for data in photos]
    scores = [result["output"] for result in network.run([(tensor,) for tensor in expected])]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(40):
            again = list(pool.map(decoded, photos))
            assert all(torch.equal(one, other) for one, other in zip(again, expected, strict=True))
            found = [result["output"] for result in network.run([(tensor,) for tensor in again])]
            assert difference(found, scores) < 1e-5
    decoder.close()


def test_damaged_jpeg_is_given_back_and_others_of_its_batch_are_not() -> None:
    spec = description(decoding="DEVICE").inputs[0]
    decoder = DeviceDecoder(GPU)
    files = [photo(640, 480), damaged(photo(640, 480))] * 8
    with ThreadPoolExecutor(len(files)) as pool:
        found = list(pool.map(lambda data: decoder.submit(open_image(data, LIMITS), WHOLE_IMAGE, spec).result(), files))
    assert [prepared is None for prepared in found] == [False, True] * 8
    decoder.close()


def test_image_that_a_gpu_cannot_resize_is_given_back() -> None:
    spec = description(decoding="DEVICE", target_size="8").inputs[0]
    decoder, image = DeviceDecoder(GPU), open_image(photo(4000, 3000), LIMITS)
    found = decoder.submit(image, WHOLE_IMAGE, spec).result()
    assert found is None
    decoder.close()
