"""Takes the screenshots of the documents anew: ``python -m tests.integration.pages.screenshots docs/images``.

They show a real service that is asked about the example images meanwhile, so it takes a few minutes. It is no test.
"""

import io
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains

from tests.integration.pages.browser import Browser
from tests.integration.pages.conftest import sign_in
from tests.integration.pages.images import SHAPES, pick
from tests.service import Service, running_service

WIDTH, HEIGHT, SCALE = 1280, 800, 1.5
PHONE_SCALE = 1.5
WARM_UP_SECONDS = 150  # of the five minutes that the operations page shows
QUALITY = 82
LARGEST_BYTES = 150_000
AT_ONCE = 8
SPECS = ("shapes-v1", "shapes-detector-v1")


def ask_on(service: Service, stop: threading.Event) -> None:
    """Ask in bursts, as applications do; now and then about something that is no image."""
    images = [path.read_bytes() for path in SHAPES.parent.glob("*.jpg")]
    chance = random.Random(7)
    with (
        httpx.Client(base_url=f"{service.url}/v0.7", headers={"X-API-KEY": service.key}, timeout=60) as http,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):

        def ask(image: bytes, spec: str) -> None:
            http.post(f"/recognition/public/{spec}/inference", files={"inputs[0]image.source": image})

        while not stop.wait(chance.uniform(0.2, 1.5)):
            count = chance.choice((1, 2, 4, 8, 16))
            burst = [b"no image" if chance.random() < 0.02 else chance.choice(images) for _ in range(count)]
            list(pool.map(ask, burst, [chance.choice(SPECS)] * count))


@contextmanager
def busy(service: Service) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=ask_on, args=(service, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def save(browser: Browser, path: Path) -> None:
    image = Image.open(io.BytesIO(browser.driver.get_screenshot_as_png())).convert("RGB")
    image.save(path, "WEBP", quality=QUALITY, method=6)
    size = path.stat().st_size
    print(path, image.size, size)
    assert size < LARGEST_BYTES


def window(browser: Browser, height: int = HEIGHT, *, phone: bool = False) -> None:
    width, scale = (390, PHONE_SCALE) if phone else (WIDTH, SCALE)
    browser.command(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
    )


def playground(browser: Browser, service: Service) -> None:
    sign_in(browser, service.url, service.key)
    browser.choose("#spec", "Shapes detector v1")
    browser.wait_for_text("#about-spec", "boxes")
    pick(browser, SHAPES)
    browser.one(".score-row")
    ActionChains(browser.driver).move_to_element(browser.one("#top")).perform()  # a box that is pointed at stands out
    time.sleep(1)  # for the image to be painted


def take(browser: Browser, service: Service, folder: Path) -> None:
    for theme in ("light", "dark"):
        if theme == "dark":
            browser.be_dark()
        window(browser)
        playground(browser, service)
        save(browser, folder / f"playground-{theme}.webp")
        browser.driver.get(f"{service.url}/ops")
        browser.press("5 min")
        browser.one("#workers tbody")
        time.sleep(WARM_UP_SECONDS if theme == "light" else 6)
        save(browser, folder / f"operations-{theme}.webp")
        browser.forget()
    window(browser)
    sign_in(browser, service.url, service.key)
    browser.driver.get(f"{service.url}/upload")
    browser.one("#target option")
    save(browser, folder / "upload.webp")
    browser.forget()
    window(browser, 844, phone=True)
    playground(browser, service)
    save(browser, folder / "playground-phone.webp")
    browser.driver.get(f"{service.url}/ops")
    browser.press("5 min")
    browser.one("#workers tbody")
    time.sleep(6)
    save(browser, folder / "operations-phone.webp")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, running_service(Path(scratch) / "data") as service, busy(service):
        browser = Browser(Path(scratch) / "chromium")
        try:
            take(browser, service, folder)
        finally:
            browser.driver.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
