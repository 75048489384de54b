"""Fetches the weights that a model folder names by URL: streamed, checked against their SHA-256, all or nothing."""

import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from cli.errors import CommandError

CHUNK_BYTES = 256 * 1024
TIMEOUT_SECONDS = 30.0  # without a single byte


@dataclass(frozen=True)
class WeightsSource:
    """Where the weights of a network are published; ``weights`` is the name that their makers give them."""

    weights: str
    url: str
    sha256_prefix: str


def download(source: WeightsSource, target: Path, *, max_bytes: int, schemes: Collection[str] = ("https",)) -> None:
    """Fetch ``source`` into the file ``target``, which appears only once it is whole and its SHA-256 is right.

    Redirects are followed as long as they keep to ``schemes``. Progress is shown on a terminal.

    Raises:
        CommandError: if it cannot be fetched, is larger than ``max_bytes``, or is not what it should be.
    """
    with _partial_file(target) as partial:
        try:
            digest = _fetch(source, partial, max_bytes, schemes)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CommandError(f"{source.url} could not be downloaded: {_reason(error)}.") from error
        if not digest.startswith(source.sha256_prefix.lower()):
            raise CommandError(
                f"What {source.url} gives is not {source.weights}: its SHA-256 begins with "
                f"{digest[: len(source.sha256_prefix)]}, not {source.sha256_prefix}."
            )
        partial.replace(target)


@contextmanager
def _partial_file(target: Path) -> Iterator[Path]:
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _fetch(source: WeightsSource, file: Path, max_bytes: int, schemes: Collection[str]) -> str:
    """Stream the URL into ``file`` and return the SHA-256 in hex."""

    def check_scheme(request: httpx.Request) -> None:
        if request.url.scheme not in schemes:
            raise CommandError(f"{request.url} is not fetched: only {' and '.join(schemes)} URLs are.")

    client = httpx.Client(follow_redirects=True, timeout=TIMEOUT_SECONDS, event_hooks={"request": [check_scheme]})
    # The bytes as they are: a compressing server would make length and progress lie.
    headers = {"Accept-Encoding": "identity"}
    with client, client.stream("GET", source.url, headers=headers) as response:
        response.raise_for_status()
        return _copy(response, file, source, max_bytes)


def _copy(response: httpx.Response, file: Path, source: WeightsSource, max_bytes: int) -> str:
    digest = hashlib.sha256()
    written = 0
    with file.open("wb") as output, _progress() as progress:
        bar = progress.add_task(source.weights, total=_length(response))
        for chunk in response.iter_bytes(CHUNK_BYTES):
            written += len(chunk)
            if written > max_bytes:
                raise CommandError(f"{source.url} is larger than {max_bytes} bytes (RECOQ_MAX_UPLOAD_BYTES).")
            digest.update(chunk)
            output.write(chunk)
            progress.update(bar, completed=written)
    return digest.hexdigest()


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _length(response: httpx.Response) -> float | None:
    length = response.headers.get("Content-Length", "")
    return float(length) if length.isdecimal() else None


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"the server answered {error.response.status_code} {error.response.reason_phrase}".rstrip()
    if isinstance(error, httpx.TimeoutException):
        return f"nothing came for {TIMEOUT_SECONDS:.0f} s"
    return str(error).rstrip(".") or type(error).__name__
