"""The size and the scans of a JPEG file (ITU-T T.81, annex B)."""

from struct import Struct

from contract.image_heads.head import Codec, ImageHead

MAX_SEGMENTS = 1_000  # before the frame; more are read as no image, and the workers refuse ten thousand
# Below, all scans that a worker accepts cost less than to look for them.
COUNTED_PIXELS = 1_000_000
USUAL_SCANS = 10

_FRAME = Struct(">HBHHB")  # length, bits of a sample, height, width, components
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xDA)))
_START_OF_SCAN = 0xDA


def read_jpeg(content: bytes | memoryview) -> ImageHead | None:
    """Return the head of a file that begins like a JPEG; None if there is no frame."""
    position, last = 2, len(content) - 2 - _FRAME.size
    for _ in range(MAX_SEGMENTS):
        if position > last or content[position] != 0xFF:
            return None
        marker = content[position + 1]
        if marker in _FRAMES:
            return _read_frame(content, marker, position + 2)
        if marker == 0xFF:
            position += 1
        elif marker in _WITHOUT_LENGTH:
            position += 2
        elif marker == _START_OF_SCAN:
            return None
        else:
            position += 2 + max(2, content[position + 2] << 8 | content[position + 3])
    return None


def _read_frame(content: bytes | memoryview, marker: int, position: int) -> ImageHead:
    _, bits, height, width, components = _FRAME.unpack_from(content, position)
    pixels = width * height
    if pixels <= COUNTED_PIXELS:
        scans = USUAL_SCANS if marker in _PROGRESSIVE else 1
    else:
        scans = max(1, bytes(content).count(b"\xff\xda", position))
    codec = Codec.PROGRESSIVE_JPEG if scans > 1 else Codec.JPEG
    return ImageHead(codec, width, height, bits * components, pixels, scans)
