"""What a file is made of, bounded before a decoder sees it: the one place where hostile structure ends.

Pillow's readers are loops in Python over whatever a file lists (chunks, comments, tags, strips, blocks), and some take
time that grows with its square. Each format's module brings a file into a form in which that is little: without what
its pixels do not need, within bounds, or refused by a sentence.
"""

from collections.abc import Callable

from inference.image_files import bmp, gif, png, pnm, tiff, webp
from inference.image_files.tiff_directory import reduce_tiff

_REDUCERS: tuple[tuple[tuple[bytes, ...], Callable[[bytes], bytes]], ...] = (
    ((png.MAGIC,), png.reduce_png),
    ((bmp.MAGIC,), bmp.expand_run_lengths),
    (gif.MAGICS, gif.reduce_gif),
    (tiff.MAGICS, reduce_tiff),
)


def reduce(data: bytes) -> bytes:
    """Return a file of the same pixels and orientation with as little structure as they need.

    JPEG files are returned as they are; :mod:`inference.image_files.jpeg` has more to tell of them.

    Raises:
        ImageError: for more of anything than any encoder writes.
    """
    for magics, reduce_format in _REDUCERS:
        if data.startswith(magics):
            return reduce_format(data)
    if pnm.is_pnm(data):
        return pnm.reduce_pnm(data)
    if webp.is_webp(data):
        webp.check_chunks(data)
    return data
