"""How large an image may be, in bytes and pixels: the API refuses larger ones at once, workers those that they fetched.

Both say so with the same sentence, which ends the task of that image alone.
"""

MEBIBYTE = 1024 * 1024
_TENTHS = 10


def image_is_too_large(size_bytes: int, max_bytes: int) -> str:
    """Return the sentence for an image file of this size."""
    return (
        f"The image file has {_mebibytes(size_bytes, round_up=True)}, which is over the limit of"
        f" {_mebibytes(max_bytes)}; send a smaller one."
    )


def image_has_too_many_pixels(width: int, height: int, max_pixels: int) -> str:
    """Return the sentence for an image of this size."""
    return f"The image has {width}x{height} pixels, which is over the limit of {max_pixels}."


def over_limit(max_bytes: int) -> str:
    """Return the limit as the end of a sentence about an image file of unknown size."""
    return f"more than {_mebibytes(max_bytes)}"


def _mebibytes(size_bytes: int, *, round_up: bool = False) -> str:
    """Return a size in MiB, to a tenth; of what is far less than one, in bytes."""
    if size_bytes < MEBIBYTE // _TENTHS:
        return f"{size_bytes} bytes"
    tenths = (size_bytes * _TENTHS + (MEBIBYTE - 1 if round_up else 0)) // MEBIBYTE
    return f"{tenths / _TENTHS:g} MiB"
