"""Fetches the images that clients name by URL, without letting a URL reach what only the operator may reach.

Tasks share one ``ImageFetcher``. A name is resolved, judged and connected to in one step, in the network
backend of httpcore, so that no second look-up can give another address (DNS rebinding); the name stays in the
Host header and in TLS. Every redirect passes through the same step. Any port may be named: images are served
on many, and the address alone decides what is out of reach.

httpcore makes the connections because httpx offers no public way to replace how a client connects. httpx
reads the URLs because httpcore neither encodes names and paths nor resolves relative redirects. Used like
this, neither looks at the proxies of the environment.
"""

import logging
import select
import socket
import ssl
import sys
from collections.abc import Iterable
from contextlib import closing
from time import monotonic

import httpcore
import httpx

from config import VERSION
from config.settings import Settings
from contract.image_size import over_limit
from workers.addresses.connections import connect, look_up, seconds_until
from workers.addresses.hosts import is_plain_host
from workers.addresses.policy import AddressPolicy

# Shorter than most servers keep an idle connection, so that few requests meet one that is just being closed.
KEEP_ALIVE_SECONDS = 4.0

REDIRECTS = (301, 302, 303, 307, 308)

INVALID_URL = "The image URL is not a valid http or https URL."
CREDENTIALS = "The image URL must not contain a user name or password."
# One sentence for an unknown name and for an internal one: a client cannot ask which internal names exist.
NO_ADDRESS = "The host of the image URL has no public address, or could not be looked up."
UNREACHABLE = "The server of the image URL could not be reached."
BAD_CERTIFICATE = "The certificate of the image URL's server could not be verified."
NO_TLS = "No secure connection could be made to the server of the image URL."
BROKEN_OFF = "The server of the image URL ended the connection too early or did not speak HTTP."
COMPRESSED = "The server of the image URL sent a compressed body, although asked not to."
EMPTY = "The server sent an empty body for the image URL."

_log = logging.getLogger(__name__)


class FetchError(Exception):
    """An image could not be fetched; the message is one sentence that may be shown to the client."""


class ImageFetcher:
    """Fetches images within the limits of the settings; one object serves all threads of a worker."""

    def __init__(self, settings: Settings) -> None:
        self._timeout_seconds = settings.url_timeout_seconds
        self._max_redirects = settings.url_max_redirects
        self._max_bytes = settings.max_image_bytes
        self._pool = httpcore.ConnectionPool(
            # Trusts certifi's authorities, or those of SSL_CERT_FILE for operators who have their own.
            ssl_context=httpx.create_ssl_context(),
            max_connections=None,  # the fetches are bounded: none may wait for another
            max_keepalive_connections=settings.url_fetches,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            network_backend=GuardedBackend(AddressPolicy(settings.url_allowed_networks)),
        )

    def fetch(self, url: str) -> bytes:
        """Return the body that the URL leads to: at least one byte, at most ``max_image_bytes``.

        Looking up names, connecting, redirects and the body together take at most ``url_timeout_seconds``.

        Raises:
            FetchError: when there is no such body, or the URL leads where workers may not go.
        """
        deadline = monotonic() + self._timeout_seconds
        try:
            return self._follow(checked_url(url), deadline)
        except TimeoutError as error:
            raise FetchError(f"The image URL took longer than {self._timeout_seconds:g} seconds.") from error
        except ssl.SSLCertVerificationError as error:
            raise FetchError(BAD_CERTIFICATE) from error
        except ssl.SSLError as error:
            raise FetchError(NO_TLS) from error
        except (OSError, httpcore.ProtocolError) as error:
            raise FetchError(BROKEN_OFF) from error

    def close(self) -> None:
        """Close the connections that are kept for later requests."""
        self._pool.close()

    def _follow(self, url: httpx.URL, deadline: float) -> bytes:
        for _ in range(self._max_redirects + 1):
            with closing(self._answer(url, deadline)) as response:
                headers = {name.lower(): value for name, value in response.headers}
                if response.status not in REDIRECTS or b"location" not in headers:
                    return self._body(response, headers)
            url = checked_url(headers[b"location"].decode("utf-8", "replace"), base=url)
        raise FetchError(f"The image URL leads through more redirects than the limit of {self._max_redirects}.")

    def _answer(self, url: httpx.URL, deadline: float) -> httpcore.Response:
        """Send a GET request and return the answer once its headers are read; the caller closes it."""
        request = httpcore.Request(
            "GET",
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers={
                "Host": url.netloc,
                "User-Agent": f"recoq/{VERSION}",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
            },
            extensions={"timeout": {"connect": deadline, "read": deadline, "write": deadline}},
        )
        try:
            return self._pool.handle_request(request)
        except (ConnectionError, httpcore.RemoteProtocolError):
            # The server may have closed a kept connection just as the request was sent; GET may be repeated.
            return self._pool.handle_request(request)

    def _body(self, response: httpcore.Response, headers: dict[bytes, bytes]) -> bytes:
        if response.status != 200:
            raise FetchError(f"The server answered {response.status} for the image URL.")
        if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            raise FetchError(COMPRESSED)
        too_large = FetchError(f"The image URL leads to {over_limit(self._max_bytes)}.")
        length = int(headers[b"content-length"]) if b"content-length" in headers else None
        if length is not None and length > self._max_bytes:
            raise too_large
        stream = response.extensions["network_stream"]
        stream.begin_body(None if b"transfer-encoding" in headers else length)
        body = bytearray()
        for part in response.iter_stream():
            body += part
            if len(body) > self._max_bytes:
                raise too_large
        if not body:
            raise FetchError(EMPTY)
        return bytes(body)


def checked_url(text: str, base: httpx.URL | None = None) -> httpx.URL:
    """Return the URL that the text means, relative to ``base`` if there is one; its host is a plain one.

    Backslashes and unprintable characters are refused anywhere: URL parsers disagree about them.

    Raises:
        FetchError: when it is not an http or https URL, or names a user.
    """
    if not text.isprintable() or "\\" in text:
        raise FetchError(INVALID_URL)
    try:
        url = httpx.URL(text) if base is None else base.join(text)
        # The dot of a fully qualified name is dropped: certificates and most servers do not know it.
        url = url.copy_with(host=url.raw_host.decode("ascii").removesuffix("."))
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError(INVALID_URL) from error
    if url.userinfo:
        raise FetchError(CREDENTIALS)
    port_is_valid = url.port is None or 0 < url.port < 65536
    if url.scheme not in ("http", "https") or not port_is_valid or not is_plain_host(url.raw_host.decode("ascii")):
        raise FetchError(INVALID_URL)
    return url


class GuardedBackend(httpcore.NetworkBackend):
    """Opens httpcore's connections, to addresses that the policy permits and to no others.

    Here and in the streams, ``timeout`` is the instant of ``time.monotonic()`` at which the whole fetch must
    end. httpcore hands on the timeouts of a request as they are, at every read; seconds would start anew each
    time, and a server that drips its answer would never be cut off.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Return a connection to an address of the host, provided that all its addresses are permitted."""
        addresses = look_up(host, timeout)
        if not addresses or not all(self._policy.permits(address) for address in addresses):
            _log.info("No connection to %s, which has the addresses %s.", host, [str(found) for found in addresses])
            raise FetchError(NO_ADDRESS)
        try:
            return _SocketStream(connect(addresses, port, timeout))
        except OSError as error:
            raise FetchError(UNREACHABLE) from error


class _SocketStream(httpcore.NetworkStream):
    """A connected socket as httpcore wants it; all waiting ends at the request's deadline.

    It never hands out bytes beyond the end of a response: httpcore would take them for the answer to the next request
    on the connection, and so give one client an image that another had smuggled in. Headers go out line by line, and
    bodies of a known length as far as that; a connection with anything left, or a body of unknown length, is not kept.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._received = bytearray()
        self._body_left: int | None = None  # None: within the headers

    def begin_body(self, length: int | None) -> None:
        """Note that the headers of a response are complete; the length is None when they do not tell it."""
        self._body_left = sys.maxsize if length is None else length

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        seconds = seconds_until(timeout)
        if not self._received:
            self._socket.settimeout(seconds)
            self._received += self._socket.recv(max_bytes)
        if self._body_left is None:
            size = self._received.find(b"\n") + 1 or len(self._received)
        else:
            size = min(len(self._received), self._body_left)
            self._body_left -= size
        part = bytes(self._received[:size])
        del self._received[:size]
        return part

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._body_left = None
        self._socket.settimeout(seconds_until(timeout))
        self._socket.sendall(buffer)

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            self._socket.settimeout(seconds_until(timeout))
            return _SocketStream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname))
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> object:
        if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket):
            return self._socket
        if info == "is_readable":  # asked of idle connections, to drop those that have more to say
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            return self._body_left != 0 or bool(self._received) or bool(poll.poll(0))
        return None
