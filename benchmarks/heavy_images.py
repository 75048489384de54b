"""What images cost that are heavy for their size: hostile ones, slow ones of every format, and those of phones.

``python -m benchmarks heavy-images``. Each is opened, decoded and resized to 224×224 in one thread, as in a worker, in
a process of its own: CPU seconds, growth of memory, what was estimated from its head, and the outcome.
"""

import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from time import thread_time

import numpy as np
import torch
from PIL import Image

from benchmarks.results import write_section
from contract.image_costs import decoding_seconds
from inference.errors import InferenceError
from inference.images import ImageLimits, open_image
from inference.network import NetworkDescription
from inference.preprocess import bytes_to_prepare, prepare_image
from inference.regions import WHOLE_IMAGE

SIDE = 2000
MEGABYTES = 30_000_000
MAX_BYTES, MAX_PIXELS = 32 * 2**20, 100_000_000
TIMEOUT_SECONDS = 180


def _encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def _picture(width: int, height: int) -> Image.Image:
    """A smooth picture with the noise of a camera."""
    small = Image.radial_gradient("L").resize((width, height))
    noise = Image.effect_noise((width, height), 12)
    return Image.merge("RGB", (small, Image.blend(small, noise, 0.2), noise.point(lambda level: level // 2)))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, *, depth: int = 8, colour: int = 2, interlaced: int = 0) -> bytes:
    """A PNG of zeros, which is small."""
    samples = {0: 1, 2: 3, 6: 4}[colour]
    packer = zlib.compressobj(9)
    row = bytes(1 + width * samples * depth // 8)
    rows = 2 * height if interlaced else height  # whose passes have more rows, and a byte of filter for each
    data = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _tiff(entries: Sequence[tuple[int, int, int, bytes]]) -> bytes:
    """A gray TIFF of 8×8 pixels without compression, with further tags: each a tag, a type, a count and a value."""
    head = [(256, 4, 1, b"\x08\0\0\0"), (257, 4, 1, b"\x08\0\0\0"), (258, 3, 1, b"\x08\0"), (262, 3, 1, b"\1\0")]
    every = [*head, *entries]
    after = 8 + 2 + 12 * len(every) + 4
    directory, body = b"", b""
    for tag, kind, count, value in every:
        stored = value if len(value) <= 4 else struct.pack("<I", after + len(body))
        directory += struct.pack("<HHI", tag, kind, count) + stored.ljust(4, b"\0")
        body += value if len(value) > 4 else b""
    return b"II*\0" + struct.pack("<IH", 8, len(every)) + directory + bytes(4) + body


def _many_scans(side: int) -> bytes:
    data = _encoded(Image.new("L", (side, side)), "JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:last] + data[last:-2] * 90 + b"\xff\xd9"


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return _encoded(_picture(4000, 3000), "JPEG", exif=exif)


def _with_chunks(count: int) -> bytes:
    png = _encoded(Image.new("RGB", (8, 8)), "PNG")
    return png[:33] + _chunk(b"tEXt", b"") * count + png[33:]


def _strips() -> bytes:
    count = MEGABYTES // 4
    return _tiff([(273, 4, count, b"\x08\0\0\0" * count), (278, 4, 1, b"\1\0\0\0")])


def _resolutions() -> bytes:
    strip = [(273, 4, 1, b"\x08\0\0\0"), (278, 4, 1, b"\x08\0\0\0")]
    return _tiff([*strip, (282, 5, MEGABYTES // 8, b"\1\0\0\0" * (MEGABYTES // 4))])


def _animation(image_format: str) -> bytes:
    frame = _picture(400, 300)
    return _encoded(frame, image_format, save_all=True, append_images=[frame.rotate(angle) for angle in range(20)])


FILES: dict[str, Callable[[], bytes]] = {
    "gray PNG, 1 × 4,000,000": lambda: _png(1, 4_000_000, colour=0),
    "gray PNG, 4,000,000 × 1": lambda: _png(4_000_000, 1, colour=0),
    "gray PNG, 1 × 40,000,000": lambda: _png(1, 40_000_000, colour=0),
    "PNG, 98 million pixels": lambda: _png(14_000, 7_000),
    "PNG of 16-bit RGBA, interlaced, 98 million pixels": lambda: _png(14_000, 7_000, depth=16, colour=6, interlaced=1),
    "PNG of a million empty texts": lambda: _with_chunks(1_000_000),
    "PNG of 24,000 empty texts": lambda: _with_chunks(24_000),
    "PPM with a comment of 30 MB": lambda: b"P6\n#" + b"x" * MEGABYTES + b"\n8 8\n255\n" + bytes(192),
    "plain PPM with comments of 30 MB": lambda: b"P3\n8 8\n255\n" + b"#\n" * (MEGABYTES // 2) + b"1 " * 192,
    "plain PPM, 1 million pixels": lambda: b"P3\n1000 1000\n255\n" + b"123 " * 3_000_000,
    "PPM of 254 levels, 1 million pixels": lambda: b"P6\n1000 1000\n254\n" + bytes(3_000_000),
    "PGM, 30,000,000 × 1": lambda: b"P5\n%d 1\n255\n" % MEGABYTES + bytes(MEGABYTES),
    "TIFF of 7.5 million strips": _strips,
    "TIFF with 3.8 million resolutions": _resolutions,
    "TIFF, LZW, 4 million pixels": lambda: _encoded(_picture(SIDE, SIDE), "TIFF", compression="tiff_lzw"),
    "JPEG of 100 scans, 36 million pixels": lambda: _many_scans(6000),
    "JPEG, progressive, 4 million pixels": lambda: _encoded(_picture(SIDE, SIDE), "JPEG", progressive=True),
    "JPEG turned by EXIF, 12 million pixels": _turned,
    "JPEG, 12 million pixels": lambda: _encoded(_picture(4000, 3000), "JPEG"),
    "PNG, 4 million pixels": lambda: _encoded(_picture(SIDE, SIDE), "PNG", compress_level=1),
    "PNG, interlaced, 4 million pixels": lambda: _png(SIDE, SIDE, interlaced=1),
    "GIF of 21 frames, 400×300": lambda: _animation("GIF"),
    "GIF of 190,000 blocks": lambda: b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe\0" * 63_000 + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;",
    "WebP of 21 frames, 400×300": lambda: _animation("WEBP"),
    "WebP, lossless, 4 million pixels": lambda: _encoded(_picture(SIDE, SIDE), "WEBP", lossless=True, method=0),
}


def run(seconds: float, networks: list[str]) -> str:
    """Measure all, write the section, and return it."""
    del seconds, networks
    rows = [_row(name) for name in FILES]
    lines = [
        "From file to the input of a network, 224×224, in one thread; each in a process of its own.",
        "",
        "| image | bytes | CPU, s | estimated, s | memory, MB | outcome |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
    ]
    body = "\n".join(lines)
    write_section("heavy-images", "Images that are heavy for their size", body)
    return body


def _row(name: str) -> str:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.heavy_images", name]
    try:
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT_SECONDS).stdout
    except subprocess.TimeoutExpired:
        return f"| {name} | | over {TIMEOUT_SECONDS} | | | |"
    found = json.loads(output.splitlines()[-1])
    figures = f"{found['bytes']:,} | **{found['seconds']:.3f}** | {found['estimated']:.3f} | {found['growth']:.0f}"
    return f"| {name} | {figures} | {found['outcome']} |"


def _measure(name: str) -> dict[str, object]:
    image = {"dimension_order": "NCHW", "resize_type": "SQUASH", "target_size": "224x224", "color_channels": "RGB"}
    description = NetworkDescription.from_json({"inputs": [{"tensor_name": "x", "image": image}]})
    spec = description.inputs[0]
    torch.set_num_threads(1)
    limits = ImageLimits(MAX_BYTES, MAX_PIXELS)

    def prepare(data: bytes) -> str:
        try:
            image = open_image(data, limits)
            bytes_to_prepare(*image.upright_size(), WHOLE_IMAGE, spec)
            prepare_image(image.decode(), WHOLE_IMAGE, spec)
        except InferenceError as error:
            return str(error)
        return "decoded"

    prepare(_encoded(Image.fromarray(np.zeros((8, 8, 3), np.uint8)), "PNG"))
    data = FILES[name]()
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    start = thread_time()
    outcome = prepare(data)
    seconds = thread_time() - start
    growth = (_memory("VmHWM") - before) / 1e6
    return {
        "bytes": len(data),
        "seconds": seconds,
        "estimated": decoding_seconds(data),
        "growth": growth,
        "outcome": outcome,
    }


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1])))
