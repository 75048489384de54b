"""Images come through a process that may connect anywhere and read nothing: as the fetcher itself would give them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config.settings import read_settings
from tests.unit.workers.companion_processes import companions_of
from tests.unit.workers.test_fetch import IMAGE, Site
from workers.companions.fetcher import RemoteFetcher
from workers.fetch import CREDENTIALS, INVALID_URL, NO_ADDRESS, FetchError


@pytest.fixture
def site() -> Iterator[Site]:
    with closing(Site("127.0.0.1")) as site:
        yield site


@pytest.fixture
def fetcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteFetcher]:
    monkeypatch.setenv("RECOQ_URL_ALLOWED_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("RECOQ_SANDBOX", "required")
    monkeypatch.setenv("RECOQ_DATA", str(tmp_path))
    with companions_of(read_settings()) as companions:
        yield RemoteFetcher(companions.fetcher)


def test_an_image_is_fetched(site: Site, fetcher: RemoteFetcher) -> None:
    assert fetcher.fetch(f"{site.url}/cat.jpg") == IMAGE


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("file:///etc/passwd", INVALID_URL),
        ("http://\udc80/", INVALID_URL),
        ("http://me:secret@127.0.0.1/", CREDENTIALS),
        ("http://10.0.0.1/", NO_ADDRESS),
    ],
)
def test_a_refusal_comes_with_its_sentence(url: str, sentence: str, fetcher: RemoteFetcher) -> None:
    with pytest.raises(FetchError) as refused:
        fetcher.fetch(url)
    assert str(refused.value) == sentence
