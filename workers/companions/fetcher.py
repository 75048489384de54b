"""``python -m workers.companions.fetcher``: fetches image URLs for a worker that may connect to its services only.

It knows no passwords, reads no files but certificates, and what it fetches is bytes to it. A worker that has been taken
over can have it fetch what any client could.
"""

import sys

from workers.companions.channel import Companion
from workers.companions.process import begin, serve
from workers.fetch import FetchError, ImageFetcher
from workers.sandbox import profiles
from workers.sandbox.confinement import SandboxError, confine

_IMAGE, _REASON = b"+", b"-"  # what an answer begins with


class RemoteFetcher:
    """Fetches images through the companion; safe to share between threads."""

    def __init__(self, companion: Companion) -> None:
        self._companion = companion

    def fetch(self, url: str) -> bytes:
        """Return what :meth:`workers.fetch.ImageFetcher.fetch` returns.

        Raises:
            FetchError: as it does.
            CompanionGone: if the companion has ended or failed.
        """
        answer = self._companion.ask(url.encode("utf-8", "surrogatepass"))
        if answer[:1] == _IMAGE:
            return answer[1:]
        raise FetchError(answer[1:].decode())


def _answer(fetcher: ImageFetcher, question: bytes) -> bytes:
    try:
        return _IMAGE + fetcher.fetch(question.decode("utf-8", "surrogatepass"))
    except FetchError as error:
        return _REASON + str(error).encode()


def main() -> int:
    """Answer a worker's questions until it ends; returns the exit status."""
    line, settings = begin()
    try:
        confine(profiles.fetcher(), settings.sandbox)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    fetcher = ImageFetcher(settings)
    serve(line, lambda question, _: _answer(fetcher, question))
    return 0


if __name__ == "__main__":
    sys.exit(main())
