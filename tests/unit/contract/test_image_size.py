"""Sizes in messages are in MiB, and the two of one sentence are never the same."""

import pytest

from contract.image_size import MEBIBYTE, image_is_too_large, over_limit


@pytest.mark.parametrize(
    ("size_bytes", "max_bytes", "sizes"),
    [
        (40 * MEBIBYTE, 32 * MEBIBYTE, "has 40 MiB, which is over the limit of 32 MiB;"),
        (32 * MEBIBYTE + 1, 32 * MEBIBYTE, "has 32.1 MiB, which is over the limit of 32 MiB;"),
        (1_600_000, 1_500_000, "has 1.6 MiB, which is over the limit of 1.4 MiB;"),
        (1_500_001, 1_500_000, "has 1.5 MiB, which is over the limit of 1.4 MiB;"),
        (5000 * MEBIBYTE, 2048 * MEBIBYTE, "has 5000 MiB, which is over the limit of 2048 MiB;"),
        (11, 10, "has 11 bytes, which is over the limit of 10 bytes;"),
        (200_000, 100_000, "has 0.2 MiB, which is over the limit of 100000 bytes;"),
    ],
)
def test_image_that_is_too_large_is_told_by_both_sizes(size_bytes: int, max_bytes: int, sizes: str) -> None:
    assert image_is_too_large(size_bytes, max_bytes).startswith(f"The image file {sizes}")


def test_image_of_unknown_size_is_told_by_the_limit() -> None:
    assert over_limit(32 * MEBIBYTE) == "more than 32 MiB"
