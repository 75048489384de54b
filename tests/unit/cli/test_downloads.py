"""Downloads from a real HTTP server of the test's own; only these tests allow http instead of https."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cli.downloads import WeightsSource, download
from cli.errors import CommandError

CONTENT = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(CONTENT).hexdigest()
SCHEMES = ("http",)


class Weights(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        match self.path:
            case "/weights.pth":
                self.answer(200, CONTENT)
            case "/moved.pth":
                self.answer(302, b"", location="/weights.pth")
            case "/moved-elsewhere.pth":
                self.answer(302, b"", location="ftp://127.0.0.1/weights.pth")
            case "/cut-short.pth":
                self.answer(200, CONTENT[:1000], length=len(CONTENT))
            case _:
                self.answer(404, b"")

    def answer(self, status: int, body: bytes, location: str = "", length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Weights) as http:
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture
def source(server: str) -> WeightsSource:
    return WeightsSource("Shapes_Weights.V1", f"{server}/weights.pth", DIGEST[:8])


def refused(source: WeightsSource, target: Path, max_bytes: int = 2**30) -> str:
    with pytest.raises(CommandError) as caught:
        download(source, target, max_bytes=max_bytes, schemes=SCHEMES)
    assert not list(target.parent.iterdir())
    return str(caught.value)


@pytest.mark.parametrize("path", ["/weights.pth", "/moved.pth"])
def test_download_is_stored_whole(source: WeightsSource, server: str, path: str, tmp_path: Path) -> None:
    target = tmp_path / "weights.pth"
    download(replace(source, url=server + path), target, max_bytes=len(CONTENT), schemes=SCHEMES)
    assert target.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [target]


def test_digest_may_be_written_in_capitals(source: WeightsSource, tmp_path: Path) -> None:
    source = replace(source, sha256_prefix=DIGEST[:12].upper())
    download(source, tmp_path / "weights.pth", max_bytes=2**30, schemes=SCHEMES)


def test_wrong_content_is_refused(source: WeightsSource, tmp_path: Path) -> None:
    message = refused(replace(source, sha256_prefix="0123abcd"), tmp_path / "weights.pth")
    assert f"its SHA-256 begins with {DIGEST[:8]}, not 0123abcd" in message


def test_content_that_ends_early_is_refused(source: WeightsSource, server: str, tmp_path: Path) -> None:
    message = refused(replace(source, url=f"{server}/cut-short.pth"), tmp_path / "weights.pth")
    assert "could not be downloaded" in message


def test_content_above_the_limit_is_refused(source: WeightsSource, tmp_path: Path) -> None:
    message = refused(source, tmp_path / "weights.pth", max_bytes=len(CONTENT) - 1)
    assert "RECOQ_MAX_UPLOAD_BYTES" in message


def test_missing_file_is_told_with_the_answer_of_the_server(source: WeightsSource, server: str, tmp_path: Path) -> None:
    message = refused(replace(source, url=f"{server}/nothing.pth"), tmp_path / "weights.pth")
    assert message == f"{server}/nothing.pth could not be downloaded: the server answered 404 Not Found."


def test_redirect_to_another_scheme_is_refused(source: WeightsSource, server: str, tmp_path: Path) -> None:
    message = refused(replace(source, url=f"{server}/moved-elsewhere.pth"), tmp_path / "weights.pth")
    assert "ftp" in message


def test_unencrypted_download_is_refused(source: WeightsSource, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="only https URLs are"):
        download(source, tmp_path / "weights.pth", max_bytes=2**30)


def test_server_that_is_away_is_told(source: WeightsSource, tmp_path: Path) -> None:
    message = refused(replace(source, url="http://127.0.0.1:9/weights.pth"), tmp_path / "weights.pth")
    assert "could not be downloaded" in message
