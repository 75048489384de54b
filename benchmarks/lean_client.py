"""A client that costs next to nothing, because it shares the machine with the servers that it measures.

One connection carries one request at a time. What is sent is made once for each image, and of an answer only the length
is read before its body. Enough for servers that answer with ``Content-Length``, as all contenders do.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BOUNDARY = b"recoq-benchmark"
_PART = (
    b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="image.jpg"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n%s\r\n"
)


class LeanClient:
    """One kept connection to the server at ``url``, with an API key for those that want one."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._address = parts.hostname, parts.port
        self._head = f"Host: {parts.netloc}\r\nX-API-KEY: {key}\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def upload(self, path: str, field: str, image: bytes, headers: str = "") -> bytes:
        """Return a request that posts ``image`` as the file ``field`` of a multipart body."""
        return self.upload_all(path, {field: image}, headers)

    def upload_all(self, path: str, images: Mapping[str, bytes], headers: str = "") -> bytes:
        """Return a request that posts images by field as the files of a multipart body."""
        parts = [_PART % (_BOUNDARY, field.encode(), image) for field, image in images.items()]
        body = b"%s--%s--\r\n" % (b"".join(parts), _BOUNDARY)
        kind = f"Content-Type: multipart/form-data; boundary={_BOUNDARY.decode()}\r\nContent-Length: {len(body)}\r\n"
        return f"POST {path} HTTP/1.1\r\n{self._head}{headers}{kind}\r\n".encode() + body

    def read(self, path: str) -> bytes:
        """Return a request that gets ``path``."""
        return f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode()

    async def ask(self, request: bytes) -> Any:
        """Send a request and return the JSON of its answer.

        Raises:
            RuntimeError: if the answer is an error.
        """
        is_kept = self._streams is not None
        try:
            reader, head = await self._head_of_answer(request)
        except (asyncio.IncompleteReadError, ConnectionError):
            if not is_kept:
                raise
            self.close()  # servers end connections that nobody has used for a while
            reader, head = await self._head_of_answer(request)
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        if int(head.split(b" ", 2)[1]) >= 400:
            raise RuntimeError(f"{head.splitlines()[0].decode()}: {body[:500].decode(errors='replace')}")
        return json.loads(body)

    async def _head_of_answer(self, request: bytes) -> tuple[asyncio.StreamReader, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        writer.write(request)
        return reader, await reader.readuntil(b"\r\n\r\n")

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
