"""One Chromium for all tests of the pages; each test starts signed out, and must leave no complaint in the console."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.integration.pages.browser import Browser, missing_programs
from tests.service import Service, service_environment


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    missing = missing_programs()
    if missing:
        pytest.skip(f"{' and '.join(missing)} missing: run scripts/install-browser as root, or install them yourself")
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.driver.quit()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    yield chromium
    complaints = chromium.console()
    chromium.forget()
    assert complaints == []


@pytest.fixture
def signed_in(browser: Browser, service: Service) -> Browser:
    """The playground, signed in with the first account's key."""
    sign_in(browser, service.url, service.key)
    return browser


def sign_in(browser: Browser, url: str, key: str) -> None:
    browser.driver.get(url)
    browser.fill("#key", key)
    browser.press("Sign in")
    browser.one("#spec option")


@pytest.fixture(scope="session")
def reading_key(service: Service) -> str:
    """A key of the first account that may only read and ask for inferences."""
    command = [sys.executable, "-m", "cli", "keys", "create", "--account", "default", "--role", "read"]
    environment = service_environment(service.data_folder)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
