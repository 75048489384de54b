"""What ``decoding: SCALED`` spares: a JPEG to a network's input, exactly and at a fraction of its size, by turns.

``python -m benchmarks.decoding``. One thread, as one of a worker's; its CPU time is counted, with what the operating
system does for it. The images have coarse and fine structure, text, and the noise of a camera.
"""

import io
from dataclasses import dataclass, replace
from statistics import median
from time import thread_time

import numpy as np
import torch
from PIL import Image, ImageDraw

from benchmarks.results import write_section
from inference.images import ImageLimits, open_image
from inference.network import Decoding, ImageSpec
from inference.preprocess import prepare_image
from inference.reduction import reduce_for
from inference.regions import WHOLE_IMAGE

TURNS = 15
LIMITS = ImageLimits(max_bytes=100_000_000, max_pixels=100_000_000)
JPEG_QUALITY = 90
NOISE_LEVELS = 4.0


@dataclass(frozen=True)
class Case:
    """An image, and the input that it becomes."""

    width: int
    height: int
    target: int
    resize_type: str
    progressive: bool = False


CASES = (
    Case(640, 480, 224, "CROP"),
    Case(1920, 1080, 224, "CROP"),
    Case(1920, 1080, 160, "CROP"),
    Case(3000, 2000, 224, "CROP"),
    Case(4000, 3000, 640, "FILL"),
    Case(4000, 3000, 224, "CROP"),
    Case(4000, 3000, 224, "CROP", progressive=True),
)


@dataclass(frozen=True)
class Comparison:
    """CPU milliseconds from file to input; the factor that was chosen; differences of pixels, of 255."""

    exact_milliseconds: float
    scaled_milliseconds: float
    ratio: float
    factor: int
    mean_difference: float
    largest_difference: float


def measure(case: Case) -> Comparison:
    """Prepare the image of a case both ways, several times by turns."""
    data = _photo(case)
    exact = _spec(case)
    scaled = replace(exact, decoding=Decoding.SCALED)
    expected, _, _ = _prepare(data, exact)
    found, factor, _ = _prepare(data, scaled)
    times = [(_prepare(data, exact)[2], _prepare(data, scaled)[2]) for _ in range(TURNS)]
    differences = (found - expected).abs()
    return Comparison(
        exact_milliseconds=1000 * median(exact_seconds for exact_seconds, _ in times),
        scaled_milliseconds=1000 * median(scaled_seconds for _, scaled_seconds in times),
        ratio=median(exact_seconds / scaled_seconds for exact_seconds, scaled_seconds in times),
        factor=factor,
        mean_difference=float(differences.mean()),
        largest_difference=float(differences.max()),
    )


def _prepare(data: bytes, spec: ImageSpec) -> tuple[torch.Tensor, int, float]:
    start = thread_time()
    image = open_image(data, LIMITS)
    reduction = reduce_for(image, WHOLE_IMAGE, spec)
    tensor = prepare_image(image.decode(), WHOLE_IMAGE, spec, reduction=reduction).tensor
    return tensor, 1 if reduction is None else reduction.factor, thread_time() - start


def _spec(case: Case) -> ImageSpec:
    image = {
        "dimension_order": "NCHW",
        "resize_type": case.resize_type,
        "target_size": str(case.target),
        "color_channels": "RGB",
    }
    return ImageSpec.from_json({"tensor_name": "image", "image": image})


def _photo(case: Case) -> bytes:
    random, size = np.random.default_rng(0), (case.width, case.height)
    pixels = np.zeros((case.height, case.width, 3), np.float32)
    grains = [grain for grain in (2**power for power in range(1, 10)) if grain < case.height]
    for grain in grains:  # the coarser, the stronger, as in nature
        shape = (case.height // grain + 1, case.width // grain + 1, 3)
        layer = Image.fromarray(random.integers(0, 256, shape, np.uint8)).resize(size, Image.Resampling.BICUBIC)
        pixels += np.asarray(layer, np.float32) * (grain / sum(grains))
    image = Image.fromarray(pixels.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for row in range(10):
        place = (case.width * row // 20, case.height * row // 10)
        pen.text(place, "Sphinx of black quartz, judge my vow.", "black", font_size=case.height // 60 + 4 * row)
    noisy = np.asarray(image, np.float32) + random.normal(0, NOISE_LEVELS, pixels.shape)
    buffer = io.BytesIO()
    photo = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    photo.save(buffer, "JPEG", quality=JPEG_QUALITY, progressive=case.progressive)
    return buffer.getvalue()


def table(comparisons: dict[Case, Comparison]) -> str:
    """Return the figures as Markdown."""
    head = [
        "| JPEG → input, CPU ms | `EXACT` | `SCALED` | times faster | decoded at | mean difference | largest |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join(head + [_row(case, comparison) for case, comparison in comparisons.items()])


def _row(case: Case, comparison: Comparison) -> str:
    kind = ", progressive" if case.progressive else ""
    part = "full size" if comparison.factor == 1 else f"1/{comparison.factor}"
    return (
        f"| {case.width}×{case.height}{kind} → {case.target}, {case.resize_type} "
        f"| {comparison.exact_milliseconds:.1f} | {comparison.scaled_milliseconds:.1f} | **{comparison.ratio:.2f}** "
        f"| {part} | {comparison.mean_difference:.2f} | {comparison.largest_difference:.0f} |"
    )


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; how many images is fixed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        figures = table({case: measure(case) for case in CASES})
    finally:
        torch.set_num_threads(threads)
    write_section("decoding", "What it spares to decode JPEGs at a fraction of their size", figures)
    return figures


if __name__ == "__main__":
    print(run(0, []))
