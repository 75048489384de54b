"""Images as a person brings them to the playground, and what the API says of them."""

import base64
import io
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from demo import IMAGES_FOLDER
from tests.integration.pages.browser import Browser
from tests.integration.tasks import result

SHAPES = IMAGES_FOLDER / "shapes.jpg"
DETECTOR = "/recognition/public/shapes-detector-v1/inference"

DROP_OR_PASTE = """
const [kind, name, type, base64] = arguments;
const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
const data = new DataTransfer();
data.items.add(new File([bytes], name, { type }));
const event = kind === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
                              : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
document.getElementById("drop").dispatchEvent(event);
"""

Json = dict[str, Any]


def drop(browser: Browser, content: bytes, name: str = "image.jpg") -> None:
    browser.run(DROP_OR_PASTE, "drop", name, "image/jpeg", base64.b64encode(content).decode())


def paste(browser: Browser, content: bytes) -> None:
    browser.run(DROP_OR_PASTE, "paste", "image.jpg", "image/jpeg", base64.b64encode(content).decode())


def pick(browser: Browser, *paths: Path) -> None:
    browser.all("#files")[0].send_keys("\n".join(map(str, paths)))


def turned(path: Path) -> bytes:
    """Return the image stored lying on its side, with the EXIF orientation that sets it upright again."""
    with Image.open(path) as upright:
        image = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = io.BytesIO()
    image.save(stored, "JPEG", exif=exif, quality=95)
    return stored.getvalue()


def proportions(path: Path) -> float:
    """Return the width of an image by its height."""
    with Image.open(path) as image:
        return image.width / image.height


def predictions(http: httpx.Client, content: bytes, **fields: Any) -> list[Json]:
    """Return all that the detector says of an image, discarded predictions too."""
    data = {"show_discarded": "true", "max_predictions": "200", **fields}
    response = http.post(DETECTOR, files={"inputs[0]image.source": content}, data=data)
    labels = result(http, response)["outputs"][0]["labels"]
    return [*labels["predicted"], *labels["discarded"]]


def boxes_above(found: list[Json], threshold: float | None) -> list[Json]:
    """Return the boxes of the regions with a score above the threshold, or above their own."""
    regions: dict[int, Json] = {}
    for each in found:
        if each["score"] > (each["threshold"] if threshold is None else threshold):
            regions.setdefault(each["roi"]["region_id"], each["roi"]["bbox"])
    return list(regions.values())
