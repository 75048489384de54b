"""Decoders' processes make the same pixels and say the same sentences as the library does by itself."""

import io
import itertools
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from inference.errors import ImageError
from inference.image_files.opening import Opener, open_file
from inference.image_files.orientation import ORIENTATION_TAG
from inference.images import ImageLimits, open_image
from tests.mutated_images import accepted_originals, mutations
from tests.unit.workers.decoders.conftest import MAX_BYTES, MAX_PIXELS, StartDecoders
from workers.decoders import pool as pool_module
from workers.decoders import remote_process
from workers.decoders.decoders import Decoders

LIMITS = ImageLimits(MAX_BYTES, MAX_PIXELS)
COUNT = 600


@pytest.fixture(scope="module")
def decoders(start_decoders: StartDecoders) -> Decoders:
    return start_decoders()


def outcome(data: bytes, opener: Opener) -> tuple[list[int], bytes] | str:
    try:
        pixels = open_image(data, LIMITS, opener).decode()
    except ImageError as error:
        return str(error)
    return list(pixels.shape), pixels.contiguous().numpy().tobytes()


def encoded(image: Image.Image, name: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def processes() -> set[int]:
    found = set()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            if "workers.decoders.process" in child.cmdline():
                found.add(child.pid)
    return found


def test_images_of_all_formats_and_mutations_of_them_come_out_the_same(decoders: Decoders) -> None:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    turned = [encoded(Image.new("RGB", (9, 5), "red"), name, exif=exif) for name in ("TIFF", "PNG", "WEBP", "JPEG")]
    files = [*accepted_originals(), *turned, *itertools.islice(mutations(seed=3), COUNT)]
    with ThreadPoolExecutor(4) as pool:
        remote = list(pool.map(lambda data: outcome(data, decoders.open), files))
    assert remote == [outcome(data, open_file) for data in files]
    assert sum(isinstance(each, str) for each in remote) > COUNT // 20


def test_an_image_with_more_pixels_than_the_first_buffer_has_room_for_comes_out_the_same(decoders: Decoders) -> None:
    data = encoded(Image.linear_gradient("L").resize((3000, 2001)))
    assert outcome(data, decoders.open) == outcome(data, open_file)


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_jpeg_is_decoded_at_a_fraction_of_its_size(decoders: Decoders, mode: str) -> None:
    data = encoded(Image.linear_gradient("L").resize((403, 301)).convert("RGB").convert(mode), "JPEG")
    found, expected = (open_image(data, LIMITS, opener) for opener in (decoders.open, open_file))
    for image in (found, expected):
        image.reduce(8)  # type: ignore[attr-defined]  # of JPEGs
    assert torch.equal(found.decode(), expected.decode())


def test_pixels_stay_what_they_are_while_others_are_decoded(decoders: Decoders) -> None:
    """Their memory is used again only when nobody has it any more."""
    first = [open_image(encoded(Image.new("RGB", (50, 40), (each, 0, 0))), LIMITS, decoders.open) for each in range(9)]
    kept = [image.decode()[:1, 3:, 3:] for image in first]
    del first
    for _ in range(30):
        open_image(encoded(Image.new("RGB", (60, 60), "white")), LIMITS, decoders.open).decode()
    assert [set(np.unique(pixels)) for pixels in kept] == [{each} for each in range(9)]


def test_a_decoder_that_died_at_rest_costs_no_image_anything(start_decoders: StartDecoders) -> None:
    decoders, data = start_decoders(), encoded(Image.new("RGB", (8, 8)))
    before = processes()
    decoders.open(data, MAX_PIXELS, 1)
    for pid in processes() - before:
        os.kill(pid, signal.SIGKILL)
    assert decoders.open(data, MAX_PIXELS, 1).decode().shape == (8, 8, 3)


def test_decoders_are_replaced_after_a_number_of_images(
    start_decoders: StartDecoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_process, "MAX_ORDERS", 5)
    decoders, data, before = start_decoders(most=1), encoded(Image.new("RGB", (8, 8))), processes()
    seen = set()
    while len(seen) < 3:
        decoders.open(data, MAX_PIXELS, 1)
        seen |= processes() - before
        assert len(processes() - before) <= 3  # the one whose turn it is, its successor, and one that is ending


def test_decoders_end_with_their_worker(start_decoders: StartDecoders) -> None:
    decoders, before = start_decoders(), processes()
    decoders.open(encoded(Image.new("RGB", (8, 8))), MAX_PIXELS, 1)
    ours = [psutil.Process(pid) for pid in processes() - before]
    assert ours
    decoders.close()
    assert psutil.wait_procs(ours, 20)[1] == []


def test_decoders_and_memory_at_rest_go_back_to_the_system_but_for_one(
    start_decoders: StartDecoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "REST_SECONDS", 1.0)
    decoders, before = start_decoders(most=3), processes()
    with ThreadPoolExecutor(3) as pool:
        data = encoded(Image.effect_noise((1500, 900), 50))
        list(pool.map(lambda _: outcome(data, decoders.open), range(24)))
    assert len(processes() - before) > 1
    deadline = time.monotonic() + 30
    while len(processes() - before) > 1 or decoders.kept_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert decoders.open(encoded(Image.new("RGB", (8, 8))), MAX_PIXELS, 1).decode().shape == (8, 8, 3)


def test_a_decoder_imports_no_torch_and_no_settings() -> None:
    """Each would make its start, and its memory, several times what they are."""
    program = "import sys, workers.decoders.process; print(*sys.modules)"
    ended = subprocess.run((sys.executable, "-P", "-c", program), check=True, stdout=subprocess.PIPE, text=True)
    assert {"torch", "sqlalchemy", "config.settings"}.isdisjoint(ended.stdout.split())
