"""Whatever an image does to its decoder, it gets a sentence and the next image is decoded.

Each of the two walls is tried without the other: processes and limits without confinement, and confinement alone.
"""

import io
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from config.sandbox_mode import SandboxMode
from inference.errors import ImageError
from tests.unit.workers.decoders.conftest import MAX_PIXELS, StartDecoders
from tests.unit.workers.decoders.faults.sitecustomize import (
    CONNECTED,
    CRASHES,
    DAMAGES_THE_NEXT,
    GROWS,
    LOOKS_AROUND,
    LOOPS,
    READ,
    SHARED,
    SLEEPS,
    WROTE,
)
from workers.decoders import decoders as module
from workers.decoders.decoders import Decoders

HARMLESS = 100


def image_of(width: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (width, 2), 77).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module", params=[SandboxMode.OFF, SandboxMode.REQUIRED])
def mode(request: pytest.FixtureRequest) -> SandboxMode:
    return SandboxMode(request.param)


@pytest.fixture(scope="module")
def decoders(start_decoders: StartDecoders, mode: SandboxMode) -> Decoders:
    return start_decoders(mode, faulty=True)


def gray_of(decoders: Decoders, width: int) -> int:
    return int(decoders.open(image_of(width), MAX_PIXELS, 1).decode()[0, 0, 0])


def refusal_of(decoders: Decoders, width: int) -> str:
    with pytest.raises(ImageError) as caught:
        decoders.open(image_of(width), MAX_PIXELS, 1)
    assert gray_of(decoders, HARMLESS) == 77
    return str(caught.value)


def test_an_image_that_crashes_its_decoder_is_refused(decoders: Decoders) -> None:
    assert "crashed the process that decoded it (SIGSEGV)" in refusal_of(decoders, CRASHES)


def test_an_image_whose_decoder_grows_is_refused(decoders: Decoders) -> None:
    assert refusal_of(decoders, GROWS) == "The image takes more memory than its size allows; save it again."


def test_a_crash_that_an_earlier_image_caused_costs_the_next_one_nothing(decoders: Decoders) -> None:
    assert gray_of(decoders, DAMAGES_THE_NEXT) == 77
    assert [gray_of(decoders, HARMLESS) for _ in range(4)] == [77] * 4


def test_what_an_image_reaches_from_its_decoder_is_nothing_if_that_is_confined(
    decoders: Decoders, mode: SandboxMode
) -> None:
    reached = {SandboxMode.OFF: READ + CONNECTED + WROTE + SHARED, SandboxMode.REQUIRED: 0}
    assert gray_of(decoders, LOOKS_AROUND) == reached[mode]


def test_images_whose_decoders_loop_or_sleep_are_refused_while_others_pass(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel ends what computes; what does not is ended by the clock."""
    monkeypatch.setattr(module, "WALL_FACTOR", 0)
    with ThreadPoolExecutor(2) as pool:
        loops = pool.submit(refusal_of, decoders, LOOPS)
        time.sleep(0.5)
        monkeypatch.setattr(module, "WALL_SECONDS", 2)
        sleeps = pool.submit(refusal_of, decoders, SLEEPS)
        assert sleeps.result().startswith("Decoding the image took longer than one of its size may take (12 s")
        assert loops.result() == sleeps.result()
