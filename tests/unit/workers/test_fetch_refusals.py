"""What workers must never connect to, however a URL, a resolver or an address spells it; no test here connects."""

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.settings import read_settings
from workers.addresses.policy import AddressPolicy
from workers.fetch import CREDENTIALS, INVALID_URL, NO_ADDRESS, FetchError, ImageFetcher

INTERNAL_ADDRESSES = {
    "loopback": "127.0.0.1",
    "the far end of loopback": "127.255.255.254",
    "unspecified": "0.0.0.0",
    "this network": "0.1.2.3",
    "private, class A": "10.0.0.1",
    "private, class B": "172.16.0.1",
    "the end of private class B": "172.31.255.255",
    "private, class C": "192.168.1.1",
    "carrier-grade NAT": "100.64.0.1",
    "the metadata service of Alibaba": "100.100.100.200",
    "link-local": "169.254.0.1",
    "the metadata service of AWS, Azure and Google": "169.254.169.254",
    "the containers' credentials at AWS": "169.254.170.2",
    "the host agent of Azure": "168.63.129.16",
    "the metadata service of Oracle": "192.0.0.192",
    "port control anycast": "192.0.0.9",
    "NAT64 discovery": "192.0.0.170",
    "documentation 1": "192.0.2.1",
    "documentation 2": "198.51.100.1",
    "documentation 3": "203.0.113.1",
    "AS112": "192.31.196.1",
    "AMT relays": "192.52.193.1",
    "6to4 relays": "192.88.99.1",
    "AS112 by delegation": "192.175.48.1",
    "benchmarks": "198.18.0.1",
    "the end of benchmarks": "198.19.255.255",
    "multicast": "224.0.0.1",
    "source-specific multicast": "232.1.1.1",
    "administratively scoped multicast": "239.255.255.250",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "IPv6 loopback": "::1",
    "IPv6 unspecified": "::",
    "IPv6 link-local": "fe80::1",
    "IPv6 site-local": "fec0::1",
    "IPv6 unique local": "fc00::1",
    "the IPv6 metadata service of AWS": "fd00:ec2::254",
    "IPv6 multicast": "ff02::1",
    "IPv6 multicast of global scope": "ff0e::1",
    "IPv6 documentation": "2001:db8::1",
    "IPv6 documentation, new": "3fff::1",
    "IPv6 benchmarks": "2001:2::1",
    "IPv6 ORCHID": "2001:20::1",
    "IPv6 port control anycast": "2001:1::1",
    "IPv6 AS112": "2620:4f:8000::1",
    "IPv6 discard": "100::1",
    "IPv6 dummy": "100:0:0:1::1",
    "segment routing": "5f00::1",
    "unassigned IPv6": "4000::1",
    "IPv4-mapped loopback": "::ffff:127.0.0.1",
    "IPv4-mapped metadata": "::ffff:169.254.169.254",
    "IPv4-mapped private, in hexadecimal": "::ffff:a00:1",
    "IPv4-compatible loopback": "::127.0.0.1",
    "IPv4-compatible public": "::8.8.8.8",
    "IPv4-translated loopback": "::ffff:0:127.0.0.1",
    "IPv4-translated public": "::ffff:0:8.8.8.8",
    "6to4 of loopback": "2002:7f00:1::",
    "6to4 of private": "2002:c0a8:101::1",
    "6to4 of public": "2002:808:808::1",
    "6to4 of the first public address": "2002:100::",
    "Teredo with a private server": "2001:0:a00:1:0:0:f7f7:f7f7",
    "Teredo with a private client": "2001:0:808:808:0:0:f5ff:fffe",
    "Teredo with public ends": "2001:0:808:808:0:0:f7f7:f7f7",
    "ISATAP of private": "2606:4700::5efe:10.0.0.1",
    "ISATAP of loopback": "2606:4700::5efe:127.0.0.1",
    "ISATAP of metadata, marked as unique": "2606:4700::200:5efe:169.254.169.254",
    "link-local ISATAP of public": "fe80::5efe:8.8.8.8",
    "NAT64 of loopback": "64:ff9b::7f00:1",
    "NAT64 of metadata": "64:ff9b::169.254.169.254",
    "NAT64 of private": "64:ff9b::a00:1",
    "local NAT64 of private": "64:ff9b:1::a00:1",
    "local NAT64 of public, whose prefix length is unknown": "64:ff9b:1::808:808",
}

PUBLIC_ADDRESSES = {
    "IPv4": "8.8.8.8",
    "just below private class A": "9.255.255.255",
    "just above private class A": "11.0.0.0",
    "just above carrier-grade NAT": "100.128.0.0",
    "just below private class B": "172.15.255.255",
    "just above private class B": "172.32.0.0",
    "just above benchmarks": "198.20.0.0",
    "just below multicast": "223.255.255.255",
    "IPv6": "2606:4700::1111",
    "IPv6, the Asian registry": "2400:cb00::1",
    "IPv4-mapped": "::ffff:8.8.8.8",
    "NAT64": "64:ff9b::808:808",
    "ISATAP": "2606:4700::200:5efe:8.8.8.8",
    "what is no ISATAP": "2606:4700::5eff:10.0.0.1",
    "an IPv4 address in the interface identifier": "2606:4700::10.0.0.1",
}

INVALID_URLS = {
    "empty": "",
    "spaces only": "  ",
    "a relative path": "cat.jpg",
    "no scheme": "//example.com/cat.jpg",
    "a file": "file:///etc/passwd",
    "FTP": "ftp://example.com/cat.jpg",
    "gopher": "gopher://example.com:6379/_FLUSHALL",
    "a socket file": "unix:///var/run/docker.sock",
    "HTTP over a socket file": "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "a socket file as host": "http://%2Fvar%2Frun%2Fdocker.sock/info",
    "data": "data:image/png;base64,AAAA",
    "JavaScript": "javascript:alert(1)",
    "websocket": "ws://example.com/",
    "no slashes": "http:example.com",
    "one slash": "http:/example.com",
    "three slashes": "http:///example.com/",
    "an empty host": "http://",
    "an empty host with a port": "http://:80/",
    "an empty host with a query": "http://?x",
    "a dot as host": "http://./",
    "two dots at the end": "http://example.com../",
    "an empty label": "http://example..com/",
    "a dot at the start": "http://.example.com/",
    "a decimal address": "http://2130706433/",
    "a hexadecimal address": "http://0x7f000001/",
    "an octal address": "http://017700000001/",
    "short hexadecimal": "http://0x7f.1/",
    "hexadecimal parts": "http://0x7f.0x0.0x0.0x1/",
    "hexadecimal in capitals": "http://0X7F000001/",
    "octal parts": "http://0177.0.0.01/",
    "two parts": "http://127.1/",
    "three parts": "http://127.0.1/",
    "zero": "http://0/",
    "five parts": "http://127.0.0.1.5/",
    "parts above 255": "http://127.0.0.256/",
    "a decimal address with a dot": "http://2130706433./",
    "a numeric last label": "http://example.1/",
    "bare 0x as last label": "http://example.0x/",
    "full-width digits": "http://１２７.0.0.1/",
    "circled digits": "http://①②⑦.0.0.1/",
    "circled letters": "http://ⓛocalhost/",
    "superscript digits": "http://¹²⁷.0.0.1/",
    "a soft hyphen in the name": "http://local\u00adhost/",
    "an address with percent signs": "http://%31%32%37.0.0.1/",
    "a percent-encoded slash": "http://example.com%2f@127.0.0.1/".replace("@", "."),
    "a zone": "http://[fe80::1%25eth0]/",
    "a zone without escape": "http://[fe80::1%eth0]/",
    "a zone on loopback": "http://[::1%25lo]/",
    "IPv6 without brackets": "http://::1/",
    "IPv4 in brackets": "http://[127.0.0.1]/",
    "a future address form": "http://[v1.127]/",
    "a name in brackets": "http://[localhost]/",
    "a bracket left open": "http://[::1/",
    "text after the bracket": "http://[::1].example.com/",
    "a backslash before the host": "http:\\\\127.0.0.1/",
    "a backslash in the authority": "http://example.com\\@127.0.0.1/",
    "a backslash in the path": "http://example.com/\\cat.jpg",
    "a tab": "http://exam\tple.com/",
    "a line feed": "http://example.com/\nHost: internal",
    "a carriage return and line feed": "http://example.com/ HTTP/1.1\r\nX: y",
    "a null byte": "http://example.com\x00.internal/",
    "a delete character": "http://example.com/\x7f",
    "a space at the start": " http://example.com/",
    "a space in the host": "http://exam ple.com/",
    "a no-break space": "http://example.com\u00a0/",
    "a line separator": "http://example.com/\u2028",
    "a lone surrogate": "http://example.com/\ud800",
    "a right-to-left override": "http://example.com/\u202egpj",
    "port 0": "http://example.com:0/",
    "a port above 65535": "http://example.com:65536/",
    "a negative port": "http://example.com:-1/",
    "a port of letters": "http://example.com:http/",
    "two ports": "http://example.com:80:90/",
    "an angle bracket in the host": "http://<script>/",
    "a quote in the host": "http://exa'mple.com/",
    "a wildcard": "http://*.example.com/",
    "a hyphen at the start": "http://-example.com/",
    "a hyphen at the end": "http://example-.com/",
    "a long label": f"http://{'a' * 64}.com/",
    "a long name": f"http://{'a.' * 127}com/",
    "a long URL": f"http://example.com/{'a' * 70_000}",
}

CREDENTIAL_URLS = {
    "a user": "http://admin@example.com/",
    "a user and a password": "http://admin:secret@example.com/",
    "an empty user and password": "http://:@example.com/",
    "a host as user": "http://example.com@127.0.0.1/",
    "a host and a port as user": "http://example.com:80@127.0.0.1/",
    "two at signs": "http://a@example.com@127.0.0.1/",
    "an encoded slash": "http://example.com%2f@127.0.0.1/",
}

INTERNAL_URLS = {
    "an address": "http://127.0.0.1/",
    "an address and a port": "http://127.0.0.1:6379/",
    "an address with a dot at the end": "http://127.0.0.1./",
    "an address with an empty user": "http://@127.0.0.1/",
    "ideographic full stops": "http://127。0。0。1/",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "IPv6": "http://[::1]/",
    "IPv6 in full": "http://[0:0:0:0:0:0:0:1]/",
    "IPv4-mapped IPv6": "http://[::ffff:127.0.0.1]/",
    "NAT64": "http://[64:ff9b::7f00:1]/",
    "localhost": "http://localhost/",
    "localhost in capitals": "HTTP://LOCALHOST/",
    "localhost with a dot": "http://localhost./",
    "a name below localhost": "http://images.localhost/",
    "a name without dots": "http://redis:6379/",
    "a name that holds an address": "http://127.0.0.1.nip.io/",
    "an international name": "https://münchen.example/",
    "a malformed punycode name": "http://xn--a/",
    "a name with an underscore": "http://my_bucket.example.com/",
}


def named(vectors: dict[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors.values(), ids=vectors.keys())


@pytest.fixture(scope="module")
def fetcher() -> Iterator[ImageFetcher]:
    with closing(ImageFetcher(replace(read_settings(), url_allowed_networks=()))) as fetcher:
        yield fetcher


@pytest.fixture(autouse=True)
def _every_name_is_internal_and_any_connection_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_: socket.socket, place: object) -> None:
        pytest.fail(f"A connection to {place} was tried.")

    monkeypatch.setattr(socket.socket, "connect", connect)
    resolve_to(monkeypatch, "127.0.0.1")


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def getaddrinfo(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(0, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@named(INTERNAL_ADDRESSES)
def test_internal_address_is_not_permitted(vector: str) -> None:
    assert not AddressPolicy(()).permits(ip_address(vector))


@named(PUBLIC_ADDRESSES)
def test_public_address_is_permitted(vector: str) -> None:
    assert AddressPolicy(()).permits(ip_address(vector))


@settings(deadline=None, derandomize=True)
@given(st.ip_addresses())
def test_nothing_is_permitted_that_the_standard_library_knows_as_private(address: IPv4Address | IPv6Address) -> None:
    is_mapped = isinstance(address, IPv6Address) and address.ipv4_mapped
    if AddressPolicy(()).permits(address) and not is_mapped:
        assert address.is_global
        assert not address.is_multicast


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "2606:4700::5efe:10.1.2.3", "fd00::1"],
    ids=["plain", "mapped", "NAT64", "ISATAP", "IPv6"],
)
def test_address_in_an_allowed_network_is_permitted(address: str) -> None:
    policy = AddressPolicy((ip_network("10.1.0.0/16"), ip_network("fd00::/8")))
    assert policy.permits(ip_address(address))


def test_address_beside_an_allowed_network_is_not_permitted() -> None:
    assert not AddressPolicy((ip_network("10.1.0.0/16"),)).permits(ip_address("10.2.0.1"))


def test_allowed_ipv4_network_does_not_open_ipv6() -> None:
    assert not AddressPolicy((ip_network("0.0.0.0/0"),)).permits(ip_address("::1"))


@pytest.mark.parametrize("address", ["2002:c0a8:101::1", "64:ff9b:1::808:808"], ids=["6to4", "local NAT64"])
def test_block_that_is_refused_as_a_whole_can_be_allowed(address: str) -> None:
    policy = AddressPolicy((ip_network("2002::/16"), ip_network("64:ff9b:1::/48")))
    assert policy.permits(ip_address(address))


@named(INVALID_URLS)
def test_invalid_url_is_refused(vector: str, fetcher: ImageFetcher) -> None:
    with pytest.raises(FetchError) as refusal:
        fetcher.fetch(vector)
    assert str(refusal.value) == INVALID_URL


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.text())
def test_any_other_text_is_refused_with_a_sentence(fetcher: ImageFetcher, text: str) -> None:
    for url in (text, f"http://{text}", f"https://[{text}]:80/", f"http://example.com:{text}/"):
        with pytest.raises(FetchError):
            fetcher.fetch(url)


@named(CREDENTIAL_URLS)
def test_credentials_are_refused(vector: str, fetcher: ImageFetcher) -> None:
    with pytest.raises(FetchError) as refusal:
        fetcher.fetch(vector)
    assert str(refusal.value) == CREDENTIALS


@named(INTERNAL_URLS)
def test_url_to_an_internal_place_is_refused(vector: str, fetcher: ImageFetcher) -> None:
    with pytest.raises(FetchError) as refusal:
        fetcher.fetch(vector)
    assert str(refusal.value) == NO_ADDRESS


@named(INTERNAL_ADDRESSES)
def test_name_with_an_internal_address_is_refused(
    vector: str, fetcher: ImageFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, vector)
    with pytest.raises(FetchError) as refusal:
        fetcher.fetch("https://images.example.com/cat.jpg")
    assert str(refusal.value) == NO_ADDRESS


def test_name_with_a_public_and_an_internal_address_is_refused(
    fetcher: ImageFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, "8.8.8.8", "10.0.0.1")
    with pytest.raises(FetchError, match=NO_ADDRESS):
        fetcher.fetch("http://images.example.com/")


@pytest.mark.parametrize(
    "answer", [socket.gaierror(socket.EAI_NONAME, "no"), UnicodeError("no")], ids=["absent", "bad"]
)
def test_unknown_name_reads_like_an_internal_one(
    answer: Exception, fetcher: ImageFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise answer

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(FetchError) as refusal:
        fetcher.fetch("http://nowhere.example.com/")
    assert str(refusal.value) == NO_ADDRESS


def test_address_that_cannot_be_read_is_refused(fetcher: ImageFetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "8.8.8.8", "not an address")
    with pytest.raises(FetchError, match=NO_ADDRESS):
        fetcher.fetch("http://images.example.com/")
