"""The samples of the documents work as written, on a fresh service: only the hosts are replaced."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from demo import IMAGES_FOLDER
from tests.integration.file_server import served
from tests.samples import run_samples, samples_of
from tests.service import Service

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    "README.md": "## A first prediction",
    "docs/api.md": "",
    "docs/tutorial.md": "",
    "docs/how-to/submit-many-images.md": "",
    "docs/how-to/switch-versions.md": "",
    "docs/how-to/choose-thresholds.md": "",
}  # the section that is run; all of it by default
DOCUMENTED_SERVICE = "http://127.0.0.1:8000"
DOCUMENTED_IMAGE_HOST = "https://example.com"


@pytest.fixture(scope="module")
def image_host() -> Iterator[str]:
    """A host that has the sample images."""
    with served(IMAGES_FOLDER) as url:
        yield url


@pytest.fixture(scope="module")
def _curl() -> None:
    """Install curl where it is missing and may be installed."""
    if shutil.which("curl"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "curl"]):
            subprocess.run(["apt-get", "--quiet", "--quiet", *arguments], check=False, capture_output=True)
    if not shutil.which("curl"):
        pytest.fail("The samples of the documents need curl. Install it, for example with: apt-get install curl")


@pytest.fixture
def working_folder(tmp_path: Path, service: Service) -> Path:
    """A folder that looks like this repository beside a running service; samples write their files into it."""
    folder = tmp_path / "recoq"
    folder.mkdir()
    for name in ("demo", "README.md"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "var").symlink_to(service.data_folder)
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """The environment of this process, with this Python first, and curl without a progress meter."""
    (tmp_path / ".curlrc").write_text("silent\nshow-error\n")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "CURL_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@pytest.fixture
def localised(service: Service, image_host: str) -> Callable[[str], str]:
    """Puts the hosts of this test run in place of those in a document."""
    return lambda text: text.replace(DOCUMENTED_SERVICE, service.url).replace(DOCUMENTED_IMAGE_HOST, image_host)


@pytest.mark.usefixtures("_curl")
@pytest.mark.parametrize("document", DOCUMENTS)
def test_samples_print_what_their_document_says(
    document: str,
    localised: Callable[[str], str],
    working_folder: Path,
    environment: Mapping[str, str],
) -> None:
    samples = samples_of(localised(section(ROOT / document, DOCUMENTS[document])))
    assert samples
    run_samples(samples, working_folder, working_folder.parent, environment)


def section(document: Path, title: str) -> str:
    """Return the section of this title, or all if it is empty; the rest is blank, so that lines keep their numbers."""
    text = document.read_text()
    if not title:
        return text
    start = text.index(f"{title}\n")
    end = text.find("\n## ", start)
    return "\n" * text.count("\n", 0, start) + text[start:end]
