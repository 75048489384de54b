"""Percent-encoded text is decoded as the standard library does it."""

from unittest.mock import patch
from urllib.parse import unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st

from api.bodies import percent

PIECES = [*(bytes([each]) for each in b"%=4aG\n\r \t_\xff\0."), b"%41", b"%0a", b"%3d", b"%25"]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))
def test_text_is_decoded_as_by_the_standard_library(text: bytes) -> None:
    assert percent.unquote(text) == unquote_to_bytes(text)
    with patch.object(percent, "PIECE_BYTES", 3):
        assert percent.unquote(text) == unquote_to_bytes(text)


def test_image_of_megabytes_is_decoded() -> None:
    data = bytes(range(256)) * 4096
    assert percent.unquote(b"".join(b"%%%02x" % byte for byte in data)) == data
