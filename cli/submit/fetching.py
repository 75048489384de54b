"""Fetches images by URL on this side, where their pixels are needed here too."""

import httpx

TIMEOUT_SECONDS = 30.0
MOST_BYTES = 256 * 2**20
CHUNK_BYTES = 256 * 1024


class NotFetched(Exception):
    """A URL gave no file; the message says why."""


def fetch(url: str) -> bytes:
    """Return the file at ``url``.

    Raises:
        NotFetched: if there is none, or it is too large to be an image.
    """
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=TIMEOUT_SECONDS) as response:
            if not response.is_success:
                raise NotFetched(f"The URL answered {response.status_code}.")
            content = bytearray()
            for chunk in response.iter_bytes(CHUNK_BYTES):
                content += chunk
                if len(content) > MOST_BYTES:
                    raise NotFetched(f"The URL gives more than {MOST_BYTES} bytes.")
            return bytes(content)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotFetched(f"The URL cannot be fetched: {error}.") from error
