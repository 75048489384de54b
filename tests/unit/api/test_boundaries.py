"""Boundaries are found where RFC 2046 has them, and nowhere else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.bodies.boundaries import Boundary

PATTERN = re.compile(rb"\r\n--B(--[ \t]*(?:\r\n)?|[ \t]*\r\n)")


@pytest.mark.parametrize(
    ("data", "span", "following"),
    [
        (b"image\r\n--B\r\nContent", (5, 12), b"\r\n"),
        (b"image\r\n--B \t\r\n", (5, 14), b" \t\r\n"),
        (b"image\r\n--B--\r\n", (5, 14), b"--\r\n"),
        (b"image\r\n--B--", (5, 12), b"--"),
        (b"\r\n--Bx\r\n--B\r\n", (6, 13), b"\r\n"),  # a longer line is none
    ],
)
def test_boundary_is_found_with_the_rest_of_its_line(data: bytes, span: tuple[int, int], following: bytes) -> None:
    found = Boundary(b"\r\n--B").search(bytearray(data))
    assert found is not None
    assert (found.start(), found.end()) == span
    assert found.group(1) == following


@pytest.mark.parametrize("data", [b"", b"--B\r\n", b"\n--B\r\n", b"\r\n--B", b"\r\n--B-\r\n", b"\r\n-- B\r\n"])
def test_anything_else_is_none(data: bytes) -> None:
    assert Boundary(b"\r\n--B").search(bytearray(data)) is None


@given(st.lists(st.sampled_from([b"\r", b"\n", b"-", b"B", b" ", b"\t", b"x", b"\r\n--B"]), max_size=12).map(b"".join))
def test_boundaries_are_those_of_the_pattern(data: bytes) -> None:
    found, expected = Boundary(b"\r\n--B").search(bytearray(data)), PATTERN.search(data)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert (found.start(), found.end(), found.group(1)) == (*expected.span(), expected[1])
