"""The size and the scans of a JPEG file (ITU-T T.81, annex B)."""

from struct import Struct

from contract.image_heads.head import Codec, ImageHead

MAX_SEGMENTS = 1_000  # before the pixels; files of more have no head here, and workers refuse ten thousand
# Below, all scans that a worker accepts cost less than to look for them.
COUNTED_PIXELS = 1_000_000
USUAL_SCANS = 10

_FRAME = Struct(">HBHHB")  # length, bits of a sample, height, width, components
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset((0x01, 0xFF, *range(0xD0, 0xDA)))
_START_OF_SCAN, _SCAN = 0xDA, b"\xff\xda"

_Content = bytes | memoryview


def read_jpeg(content: _Content) -> ImageHead | None:
    """Return the head of a file that begins like a JPEG; None if there is no frame."""
    marker, frame = _find(content, 2, _FRAMES)
    if marker is None:
        return None
    _, bits, height, width, components = _FRAME.unpack_from(content, frame)
    pixels = width * height
    _, scan = _find(content, frame - 2, frozenset((_START_OF_SCAN,)))
    is_progressive = marker in _PROGRESSIVE
    scans = 1
    if is_progressive or (scan and content[scan + 2] < components):  # else a decoder stops after the first
        scans = USUAL_SCANS if pixels <= COUNTED_PIXELS else max(1, bytes(content).count(_SCAN, frame))
    codec = Codec.PROGRESSIVE_JPEG if is_progressive or scans > 1 else Codec.JPEG
    return ImageHead(codec, width, height, bits * components, pixels, scans)


def _find(content: _Content, position: int, wanted: frozenset[int]) -> tuple[int | None, int]:
    """Return the first marker of some, and where its content is; None and 0 if there is none near."""
    last = len(content) - 2 - _FRAME.size
    for _ in range(MAX_SEGMENTS):
        if position > last or content[position] != 0xFF:
            break
        marker = content[position + 1]
        if marker in wanted:
            return marker, position + 2
        if marker in _WITHOUT_LENGTH:
            position += 1 if marker == 0xFF else 2
        elif marker == _START_OF_SCAN:
            break
        else:
            position += 2 + max(2, content[position + 2] << 8 | content[position + 3])
    return None, 0
