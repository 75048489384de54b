"""Fetching from real servers on this machine, well-behaved and hostile; loopback is allowed through the settings."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, read_settings
from workers import fetch
from workers.fetch import FetchError, ImageFetcher

IMAGE = bytes(range(256)) * 400

# A self-signed certificate for images.example, valid until 2120, made for this test only.
TEST_KEY = """-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIOZuFWpJpOX3vIV1EvmuhKI3vScsp1QiS5jr+zHOj27KoAoGCCqGSM49
AwEHoUQDQgAE+7KWc/boWLDfrdztd3nOS03eFrGfMisqPdI0Zmge+whJ5inwxy6w
9qn2juXyz2puJuQgQkgAhKHV1Nvh/htDmQ==
-----END EC PRIVATE KEY-----
"""
TEST_CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBbzCCARagAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5pbWFnZXMu
ZXhhbXBsZTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowGTEXMBUG
A1UEAwwOaW1hZ2VzLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT7
spZz9uhYsN+t3O13ec5LTd4WsZ8yKyo90jRmaB77CEnmKfDHLrD2qfaO5fLPam4m
5CBCSACEodXU2+H+G0OZo00wSzAZBgNVHREEEjAQgg5pbWFnZXMuZXhhbXBsZTAP
BgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBTOUq3cld7vNEG6Bw4N3ZK/vdejYjAK
BggqhkjOPQQDAgNHADBEAiAcnl2E8zL/QhPSIzh55mZVXnmBhbikSlIF1Dl+fuYK
qAIgSvmDil00EnTUASr0p/GmcDOHOy4zDpyf94Nft0pjd+A=
-----END CERTIFICATE-----
"""


class Exchange(BaseHTTPRequestHandler):
    """One connection of a ``Site``; its routes get it as their argument."""

    protocol_version = "HTTP/1.1"
    server: "Site"

    def do_GET(self) -> None:
        self.server.requests.append(self)
        self.server.routes[self.path](self)

    def answer(self, body: bytes = IMAGE, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def send_until_hung_up(self, piece: bytes, pause_seconds: float = 0.0) -> None:
        """Send the piece over and over, until the client is gone."""
        try:
            while not self.server.closed.wait(pause_seconds):
                self.wfile.write(piece)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Site(ThreadingHTTPServer):
    """A local HTTP server: ``routes`` says what each path does, ``requests`` and ``connections`` what came."""

    daemon_threads = False

    def __init__(self, address: str, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.routes: dict[str, Callable[[Exchange], object]] = {"/cat.jpg": Exchange.answer}
        self.requests: list[Exchange] = []
        self.connections = 0
        self.closed = threading.Event()
        self.client_left = threading.Event()
        self._tls = tls
        super().__init__((address, port), Exchange)
        host = f"[{address}]" if ":" in address else address
        self.url = f"http://{host}:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        self.connections += 1
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.client_left.set()

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what many tests are about."""

    def close(self) -> None:
        self.closed.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


@pytest.fixture
def settings() -> Settings:
    return replace(
        read_settings(),
        url_allowed_networks=(ip_network("127.0.0.1/32"), ip_network("::1/128")),
        max_image_bytes=len(IMAGE),
        url_timeout_seconds=5.0,
    )


@pytest.fixture
def site() -> Iterator[Site]:
    with closing(Site("127.0.0.1")) as site:
        yield site


@pytest.fixture
def fetcher(site: Site, settings: Settings) -> Iterator[ImageFetcher]:
    """A fetcher that is closed before the site, whose handlers wait for requests on the connections it keeps."""
    with closing(ImageFetcher(settings)) as fetcher:
        yield fetcher


@pytest.fixture
def hasty(site: Site, settings: Settings) -> Iterator[ImageFetcher]:
    """A fetcher that gives up after a quarter of a second."""
    with closing(ImageFetcher(replace(settings, url_timeout_seconds=0.25))) as fetcher:
        yield fetcher


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What the resolver answers, look-up by look-up; the last answer stays."""
    answers: list[tuple[str, ...]] = []

    def getaddrinfo(*_: object, **__: object) -> list[tuple[object, ...]]:
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(0, socket.SOCK_STREAM, 6, "", (address, 0)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return answers


def refusal(fetcher: ImageFetcher, url: str) -> str:
    with pytest.raises(FetchError) as raised:
        fetcher.fetch(url)
    return str(raised.value)


def redirect(target: str, status: int = 302) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.answer(b"", status, Location=target)


def test_image_is_fetched(site: Site, fetcher: ImageFetcher) -> None:
    assert fetcher.fetch(f"{site.url}/cat.jpg") == IMAGE


def test_request_names_the_host_and_asks_for_no_compression(site: Site, fetcher: ImageFetcher) -> None:
    fetcher.fetch(f"{site.url}/cat.jpg")
    headers = {name.lower(): value for name, value in site.requests[0].headers.items()}
    version = headers.pop("user-agent")
    assert headers == {"host": f"127.0.0.1:{site.server_port}", "accept": "*/*", "accept-encoding": "identity"}
    assert version.startswith("recoq/")


def test_path_and_query_arrive_encoded_and_without_the_fragment(site: Site, fetcher: ImageFetcher) -> None:
    site.routes["/my%20caf%C3%A9.jpg?w=1&sig=a%2Fb+c"] = Exchange.answer
    assert fetcher.fetch(f"{site.url}/my café.jpg?w=1&sig=a%2Fb+c#top") == IMAGE


def test_image_is_fetched_over_ipv6(settings: Settings) -> None:
    try:
        site = Site("::1")
    except OSError:
        pytest.skip("This machine has no IPv6.")
    with closing(site), closing(ImageFetcher(settings)) as fetcher:
        assert fetcher.fetch(f"{site.url}/cat.jpg") == IMAGE
        assert site.requests[0].headers["Host"] == f"[::1]:{site.server_port}"


def test_next_address_is_tried_when_the_first_does_not_answer(
    site: Site, fetcher: ImageFetcher, names: list[tuple[str, ...]]
) -> None:
    names.append(("::1", "127.0.0.1"))
    assert fetcher.fetch(f"http://images.example:{site.server_port}/cat.jpg") == IMAGE


def test_connection_is_kept_for_the_next_image(site: Site, fetcher: ImageFetcher) -> None:
    for _ in range(3):
        fetcher.fetch(f"{site.url}/cat.jpg")
    assert (len(site.requests), site.connections) == (3, 1)


def test_body_without_a_length_is_read_to_its_end(site: Site, fetcher: ImageFetcher) -> None:
    def pour(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.end_headers()
        exchange.wfile.write(IMAGE)
        exchange.close_connection = True

    site.routes["/unknown.jpg"] = pour
    assert fetcher.fetch(f"{site.url}/unknown.jpg") == IMAGE


def test_chunked_body_is_put_together_and_its_connection_not_kept(site: Site, fetcher: ImageFetcher) -> None:
    chunks = [IMAGE[start : start + 1000] for start in range(0, len(IMAGE), 1000)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    site.routes["/chunks.jpg"] = lambda exchange: exchange.wfile.write(head + body)
    assert fetcher.fetch(f"{site.url}/chunks.jpg") == fetcher.fetch(f"{site.url}/cat.jpg") == IMAGE
    assert site.connections == 2


@pytest.mark.parametrize("length", [b"4", b"4, 4", b"4\r\nContent-Length: 4"], ids=["once", "listed", "twice"])
def test_content_length_may_be_repeated(length: bytes, site: Site, fetcher: ImageFetcher) -> None:
    answer = b"HTTP/1.1 200 OK\nContent-Length: " + length + b"\n\nfour"
    site.routes["/four.jpg"] = lambda exchange: exchange.wfile.write(answer)
    assert fetcher.fetch(f"{site.url}/four.jpg") == b"four"


def test_threads_share_a_fetcher(site: Site, fetcher: ImageFetcher) -> None:
    with ThreadPoolExecutor(8) as threads:
        images = list(threads.map(fetcher.fetch, [f"{site.url}/cat.jpg"] * 40))
    assert images == [IMAGE] * 40
    assert site.connections <= 8


def test_request_is_repeated_when_a_kept_connection_dies_under_it(site: Site, fetcher: ImageFetcher) -> None:
    def hang_up_on_the_second(exchange: Exchange) -> None:
        if len(site.requests) == 2:
            exchange.close_connection = True
        else:
            exchange.answer()

    site.routes["/flaky.jpg"] = hang_up_on_the_second
    assert fetcher.fetch(f"{site.url}/flaky.jpg") == fetcher.fetch(f"{site.url}/flaky.jpg") == IMAGE
    assert site.connections == 2


def test_proxies_of_the_environment_are_ignored(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with closing(ImageFetcher(settings)) as fetcher:
        assert fetcher.fetch(f"{site.url}/cat.jpg") == IMAGE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_followed(status: int, site: Site, fetcher: ImageFetcher) -> None:
    site.routes["/old/cat"] = redirect("../cat.jpg", status)
    assert fetcher.fetch(f"{site.url}/old/cat") == IMAGE


def test_redirect_to_a_forbidden_address_is_refused(site: Site, fetcher: ImageFetcher) -> None:
    with closing(Site("127.0.0.2")) as internal:
        site.routes["/trap"] = redirect(f"{internal.url}/cat.jpg")
        assert refusal(fetcher, f"{site.url}/trap") == fetch.NO_ADDRESS
        assert internal.connections == 0


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("file:///etc/passwd", fetch.INVALID_URL),
        ("http://2130706433/", fetch.INVALID_URL),
        ("//127.0.0.1\\@example.com/", fetch.INVALID_URL),
        ("http://[::1", fetch.INVALID_URL),
        ("//user:secret@127.0.0.1/", fetch.CREDENTIALS),
        ("//169.254.169.254/latest/meta-data/", fetch.NO_ADDRESS),
        ("http://[::ffff:10.0.0.1]/", fetch.NO_ADDRESS),
    ],
)
def test_redirect_is_checked_like_the_first_url(target: str, sentence: str, site: Site, fetcher: ImageFetcher) -> None:
    site.routes["/trap"] = redirect(target)
    assert refusal(fetcher, f"{site.url}/trap") == sentence


def test_redirects_are_followed_up_to_the_limit(site: Site, settings: Settings) -> None:
    site.routes["/1"] = redirect("/2")
    site.routes["/2"] = redirect("/cat.jpg")
    with closing(ImageFetcher(replace(settings, url_max_redirects=2))) as fetcher:
        assert fetcher.fetch(f"{site.url}/1") == IMAGE
    with closing(ImageFetcher(replace(settings, url_max_redirects=1))) as fetcher:
        assert refusal(fetcher, f"{site.url}/1") == "The image URL leads through more redirects than the limit of 1."


def test_redirect_loop_ends(site: Site, fetcher: ImageFetcher) -> None:
    site.routes["/loop"] = redirect("/loop")
    assert refusal(fetcher, f"{site.url}/loop") == "The image URL leads through more redirects than the limit of 5."
    assert len(site.requests) == 6


def test_rebinding_name_reaches_only_the_address_that_was_checked(
    settings: Settings, names: list[tuple[str, ...]]
) -> None:
    allowed = replace(settings, url_allowed_networks=(ip_network("127.0.0.2/32"),))
    with closing(Site("127.0.0.2")) as public, closing(Site("127.0.0.1", public.server_port)) as internal:
        url = f"http://rebind.example:{public.server_port}/cat.jpg"
        names[:] = [("127.0.0.2",), ("127.0.0.1",)]
        with closing(ImageFetcher(allowed)) as fetcher:
            assert fetcher.fetch(url) == IMAGE
            assert names == [("127.0.0.1",)], "one look-up for a connection"
        with closing(ImageFetcher(allowed)) as fetcher:
            assert refusal(fetcher, url) == fetch.NO_ADDRESS
        assert (public.connections, internal.connections) == (1, 0)
        assert public.requests[0].headers["Host"] == f"rebind.example:{public.server_port}"


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 401, 403, 404, 410, 500, 503])
def test_status_other_than_200_is_an_error(status: int, site: Site, fetcher: ImageFetcher) -> None:
    site.routes["/gone.jpg"] = lambda exchange: exchange.answer(b"", status)
    assert refusal(fetcher, f"{site.url}/gone.jpg") == f"The server answered {status} for the image URL."


def test_redirect_without_a_target_is_an_error(site: Site, fetcher: ImageFetcher) -> None:
    site.routes["/lost.jpg"] = lambda exchange: exchange.answer(b"", 302)
    assert refusal(fetcher, f"{site.url}/lost.jpg") == "The server answered 302 for the image URL."


def test_empty_body_is_an_error(site: Site, fetcher: ImageFetcher) -> None:
    site.routes["/empty.jpg"] = lambda exchange: exchange.answer(b"")
    assert refusal(fetcher, f"{site.url}/empty.jpg") == fetch.EMPTY


def test_body_that_says_it_is_too_large_is_not_read(site: Site, fetcher: ImageFetcher) -> None:
    site.routes["/huge.jpg"] = lambda exchange: exchange.answer(b"", Content_Length=str(len(IMAGE) + 1))
    assert refusal(fetcher, f"{site.url}/huge.jpg") == f"The image URL leads to more than {len(IMAGE)} bytes."


def test_endless_body_is_cut_off_at_the_limit(site: Site, fetcher: ImageFetcher) -> None:
    def pour(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.end_headers()
        exchange.send_until_hung_up(bytes(65536))

    site.routes["/endless.jpg"] = pour
    assert refusal(fetcher, f"{site.url}/endless.jpg") == f"The image URL leads to more than {len(IMAGE)} bytes."


def test_endless_chunks_are_cut_off_at_the_limit(site: Site, fetcher: ImageFetcher) -> None:
    def pour(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("Transfer-Encoding", "chunked")
        exchange.end_headers()
        exchange.send_until_hung_up(b"1000\r\n" + bytes(4096) + b"\r\n")

    site.routes["/chunks.jpg"] = pour
    assert refusal(fetcher, f"{site.url}/chunks.jpg") == f"The image URL leads to more than {len(IMAGE)} bytes."


def test_body_shorter_than_its_content_length_is_an_error(site: Site, fetcher: ImageFetcher) -> None:
    def stop_short(exchange: Exchange) -> None:
        exchange.answer(b"half", Content_Length="8")
        exchange.close_connection = True

    site.routes["/short.jpg"] = stop_short
    assert refusal(fetcher, f"{site.url}/short.jpg") == fetch.BROKEN_OFF


@pytest.mark.parametrize(
    "injected",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 302 Found\r\nLocation: /evil.jpg\r\nX: ",
        b"\r\n",
    ],
    ids=["a response", "the start of a response", "an empty line"],
)
def test_bytes_beyond_the_content_length_reach_no_other_image(
    injected: bytes, site: Site, fetcher: ImageFetcher
) -> None:
    site.routes["/long.jpg"] = lambda exchange: exchange.answer(b"good" + injected, Content_Length="4")
    assert fetcher.fetch(f"{site.url}/long.jpg") == b"good"
    assert fetcher.fetch(f"{site.url}/cat.jpg") == IMAGE


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_compressed_body_is_refused_unread(encoding: str, site: Site, fetcher: ImageFetcher) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    site.routes["/bomb.jpg"] = lambda exchange: exchange.answer(bomb, Content_Encoding=encoding)
    assert refusal(fetcher, f"{site.url}/bomb.jpg") == fetch.COMPRESSED


@pytest.mark.parametrize(
    "answer",
    [
        b"+PONG\r\n",
        b"220 mail.example ESMTP\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot hexadecimal\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
    ],
    ids=["Redis", "mail", "nothing", "two lengths", "negative", "bad chunk", "bad transfer", "endless header"],
)
def test_server_that_does_not_speak_http_is_an_error(answer: bytes, site: Site, fetcher: ImageFetcher) -> None:
    def speak(exchange: Exchange) -> None:
        exchange.close_connection = True
        exchange.wfile.write(answer)

    site.routes["/odd.jpg"] = speak
    assert refusal(fetcher, f"{site.url}/odd.jpg") == fetch.BROKEN_OFF


def test_closed_port_is_an_error(fetcher: ImageFetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert refusal(fetcher, f"http://127.0.0.1:{port}/cat.jpg") == fetch.UNREACHABLE


def in_time(fetcher: ImageFetcher, url: str) -> bool:
    """Return whether the fetch gave up at its deadline, with the sentence that says so."""
    start = time.monotonic()
    sentence = refusal(fetcher, url)
    return sentence == "The image URL took longer than 0.25 seconds." and time.monotonic() - start < 1.0


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
    ],
    ids=["before the headers", "within the headers", "within the body"],
)
def test_dripping_server_is_cut_off_at_the_deadline(start: bytes, site: Site, hasty: ImageFetcher) -> None:
    def drip(exchange: Exchange) -> None:
        exchange.wfile.write(start)
        exchange.send_until_hung_up(b"H" if start else b"HTTP/1.1 100 Continue\r\n\r\n", pause_seconds=0.02)

    site.routes["/drip.jpg"] = drip
    assert in_time(hasty, f"{site.url}/drip.jpg")


def test_slow_redirects_share_one_deadline(site: Site, hasty: ImageFetcher) -> None:
    def wait_and_redirect(exchange: Exchange) -> None:
        site.closed.wait(0.1)
        exchange.answer(b"", 302, Location="/slow")

    site.routes["/slow"] = wait_and_redirect
    assert in_time(hasty, f"{site.url}/slow")


def test_silent_tls_server_is_cut_off_at_the_deadline(hasty: ImageFetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert in_time(hasty, f"https://127.0.0.1:{listener.getsockname()[1]}/cat.jpg")


def test_slow_resolver_is_cut_off_at_the_deadline(hasty: ImageFetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def getaddrinfo(*_: object, **__: object) -> list[tuple[object, ...]]:
        done.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert in_time(hasty, "http://slow.example/cat.jpg")
    done.set()


@pytest.fixture
def secure_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site with a certificate for images.example, which fetchers made in the test trust."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_text(TEST_CERTIFICATE)
    key.write_text(TEST_KEY)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with closing(Site("127.0.0.1", tls=context)) as site:
        yield site


def test_tls_asks_for_the_name_and_not_for_the_address(
    secure_site: Site, settings: Settings, names: list[tuple[str, ...]]
) -> None:
    names.append(("127.0.0.1",))
    with closing(ImageFetcher(settings)) as fetcher:
        for _ in range(2):
            assert fetcher.fetch(f"https://images.example.:{secure_site.server_port}/cat.jpg") == IMAGE
    assert secure_site.connections == 1
    assert secure_site.requests[0].headers["Host"] == f"images.example:{secure_site.server_port}"


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
def test_certificate_of_another_host_is_refused(
    host: str, secure_site: Site, settings: Settings, names: list[tuple[str, ...]]
) -> None:
    names.append(("127.0.0.1",))
    with closing(ImageFetcher(settings)) as fetcher:
        assert refusal(fetcher, f"https://{host}:{secure_site.server_port}/cat.jpg") == fetch.BAD_CERTIFICATE


def test_plain_http_behind_an_https_url_is_an_error(site: Site, fetcher: ImageFetcher) -> None:
    assert refusal(fetcher, f"https://127.0.0.1:{site.server_port}/cat.jpg") == fetch.NO_TLS


def test_closed_fetcher_keeps_no_connection(site: Site, fetcher: ImageFetcher) -> None:
    fetcher.fetch(f"{site.url}/cat.jpg")
    assert not site.client_left.is_set()
    fetcher.close()
    assert site.client_left.wait(5)
