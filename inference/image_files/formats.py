"""The formats that are read, and the sentence for a file that cannot be: true also of an image of an unusual kind."""

from importlib import import_module

from PIL import AvifImagePlugin
from pillow_heif import register_heif_opener

from inference.errors import ImageError
from inference.image_files import bmp, gif, jpeg, jpeg2000, png, tiff

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "HEIF", "JPEG2000")
FORMAT_NAMES = "JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP, TIFF, JPEG 2000 and PNM"

# Pillow's modules that read them. Otherwise it imports all of its modules at the first file of a rarer format.
_PLUGINS = ("Jpeg", "Png", "WebP", "Gif", "Bmp", "Tiff", "Ppm", "Jpeg2K")
# A box of type "ftyp" comes first in both, and begins with the brand (ISO/IEC 14496-12, section 4.3).
_BRANDS = {
    "AVIF": (b"avif", b"avis"),
    "HEIC": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
    "HEIF": (b"mif1", b"msf1", b"mif2"),
}

_MAGICS = {
    "JPEG": (jpeg.MAGIC,),
    "PNG": (png.MAGIC,),
    "GIF": gif.MAGICS,
    "BMP": (bmp.MAGIC,),
    "TIFF": tiff.MAGICS,
    "JPEG 2000": jpeg2000.MAGICS,
    "PNM": tuple(b"P%d" % kind for kind in range(1, 7)),
}


def register_formats() -> None:
    """Have Pillow know these formats and no others; imports what reads them."""
    for name in _PLUGINS:
        import_module(f"PIL.{name}ImagePlugin")
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # other images have the other cores
    register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)


def refusal_of(data: bytes) -> ImageError:
    """Return why a file cannot be read."""
    name = _format_of(data)
    if name is None:
        return ImageError(f"The data is not an image that can be read (supported are {FORMAT_NAMES}).")
    bits = jpeg.bits_of(data, jpeg.read_head(data)) if name == "JPEG" else None
    if bits not in (None, 8):
        return ImageError(f"The JPEG image has {bits} bits a sample, which is not supported; convert it to 8.")
    samples = tiff.describe_samples(data) if name == "TIFF" else None
    if samples is not None:
        return ImageError(f"The TIFF image is damaged, or of a kind that is not supported ({samples}). {tiff.ADVICE}")
    return ImageError(
        f"The data begins like a {name} image, but its header is truncated, damaged, or of a variant that is not"
        f" supported (supported are {FORMAT_NAMES})."
    )


def _format_of(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        return next((name for name, brands in _BRANDS.items() if data[8:12] in brands), None)
    return next((name for name, magics in _MAGICS.items() if data.startswith(magics)), None)
