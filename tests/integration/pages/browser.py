"""A headless Chromium with the few verbs that the tests of the pages need; every wait has a deadline."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service as DriverService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

TIMEOUT_SECONDS = 60.0
PAUSE_SECONDS = 0.05
WIDTH, HEIGHT = 1400, 1000
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    f"--window-size={WIDTH},{HEIGHT}",
)
KEEP_ERRORS = """
window.uncaught = [];
for (const type of ["error", "unhandledrejection", "securitypolicyviolation"])
  addEventListener(type, (event) => uncaught.push(`${type}: ${event.message ?? event.reason ?? event.blockedURI}`));
"""

Json = dict[str, Any]


def missing_programs() -> list[str]:
    return [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]


class Browser:
    """One Chromium with a new profile."""

    def __init__(self, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=DriverService(shutil.which("chromedriver")))
        self.command("Page.addScriptToEvaluateOnNewDocument", source=KEEP_ERRORS)

    def command(self, name: str, **arguments: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, arguments)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def shown(self, selector: str) -> list[WebElement]:
        return [each for each in self.all(selector) if each.is_displayed()]

    def one(self, selector: str) -> WebElement:
        """Return the first visible element, as soon as there is one."""
        return until(lambda: self.shown(selector), f"{selector} is not on the page")[0]

    def text(self, selector: str) -> str:
        texts: list[str] = until(lambda: self.texts(selector), f"{selector} is not on the page")
        return texts[0]

    def texts(self, selector: str) -> list[str]:
        return [each.text for each in self.shown(selector)]

    def click(self, selector: str) -> None:
        self.one(selector).click()

    def press(self, name: str) -> None:
        """Click the visible button, tab or link with this text."""
        path = f"//*[self::button or self::a][normalize-space()={json.dumps(name)}]"

        def has_clicked() -> bool:
            visible = [each for each in self.driver.find_elements(By.XPATH, path) if each.is_displayed()]
            for each in visible[:1]:
                each.click()
            return bool(visible)

        until(has_clicked, f"there is no {name!r} to click")

    def fill(self, selector: str, value: str) -> None:
        field = self.one(selector)
        field.clear()
        field.send_keys(value)

    def choose(self, selector: str, name: str) -> None:
        """Choose the option with this text, as soon as the list has it."""
        until(lambda: name in self.texts(f"{selector} option"), f"{selector} has no {name!r}")
        Select(self.one(selector)).select_by_visible_text(name)

    def wait_for_text(self, selector: str, words: str) -> None:
        def has_come() -> bool:
            return any(words in text for text in self.texts(selector))

        until(has_come, f"{selector} does not say {words!r}")

    def frame_of(self, selector: str) -> Json:
        """Return where the visible element is, in CSS pixels with fractions."""
        rectangle: Json = self.run("return arguments[0].getBoundingClientRect().toJSON()", self.one(selector))
        return rectangle

    def console(self) -> list[str]:
        """Return what the page complained of since the last call, without requests that the service refused."""
        logged = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] != "INFO"]
        refused = "the server responded with a status of 4"
        return [message for message in logged if refused not in message] + self.run("return window.uncaught ?? []")

    def forget(self) -> None:
        """Leave nothing to the next test: no key, no emulated device, an empty page."""
        for name in ("Emulation.clearDeviceMetricsOverride", "Network.clearBrowserCookies"):
            self.command(name)
        self.command("Emulation.setEmulatedMedia", features=[])
        self.run("try { sessionStorage.clear() } catch {}")
        self.driver.get("about:blank")

    def be_a_phone(self) -> None:
        self.command("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)

    def be_dark(self) -> None:
        self.prefer(color_scheme="dark")

    def prefer(self, **features: str) -> None:
        """Be the browser of somebody with these preferences, such as ``reduced_motion="reduce"``, and no others."""
        named = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
        self.command("Emulation.setEmulatedMedia", features=named)


def until(condition: Callable[[], Any], complaint: str) -> Any:
    """Return what ``condition`` returns, as soon as it is true; that an element is drawn anew meanwhile is no fault."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            found = condition()
        except StaleElementReferenceException:
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, complaint
        time.sleep(PAUSE_SECONDS)
