"""Speaks to a running Recoq over HTTP for ``recoq push``; every failure becomes one sentence."""

from collections.abc import Mapping
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import httpx
import orjson

from cli.errors import CommandError

API_PATH = "/v0.7"
LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
# Storing a large upload takes the server a while after its last byte.
TIMEOUT = httpx.Timeout(30.0, read=300.0)

Json = dict[str, Any]
_PartContent = tuple[str | None, bytes | BinaryIO, str]  # filename, content, type


class ServiceAway(CommandError):
    """The service cannot be reached, or asks to be tried again later."""


class ApiClient:
    """The HTTP API of the service at ``url``, as the account that ``key`` belongs to."""

    def __init__(self, url: str, key: str) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise CommandError(f"{url} is not the URL of a service; an example is http://127.0.0.1:8000.")
        if not key.isascii() or not key.isprintable():
            raise CommandError("The key has characters that no key has.")
        self._url = url.rstrip("/")
        # A proxy that the environment names has no way back to this very machine.
        through_proxy = urlsplit(url).hostname not in LOOPBACK_HOSTS
        self._client = httpx.Client(
            base_url=self._url + API_PATH, headers={"X-API-KEY": key}, timeout=TIMEOUT, trust_env=through_proxy
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str) -> Json:
        """Return the JSON object at ``path``."""
        return self._request("GET", path)

    def create(self, path: str, body: Mapping[str, Any]) -> Json:
        """POST ``body`` as JSON and return the answer."""
        return self._request("POST", path, json=body)

    def upload(self, path: str, fields: Mapping[str, Any], files: Mapping[str, BinaryIO]) -> Json:
        """POST ``fields`` (text as it is, the rest as JSON) and ``files``, streamed, and return the answer."""
        parts: list[tuple[str, _PartContent]] = [(name, _text_part(value)) for name, value in fields.items()]
        parts += [(name, (name, file, "application/octet-stream")) for name, file in files.items()]
        return self._request("POST", path, files=parts)

    def delete(self, path: str) -> None:
        """DELETE ``path``."""
        self._request("DELETE", path)

    def _request(self, method: str, path: str, **content: Any) -> Json:
        try:
            response = self._client.request(method, path, **content)
        except httpx.ConnectError as error:
            raise ServiceAway(f"{self._url} cannot be reached ({error}). Is the service running there?") from error
        except httpx.TimeoutException as error:
            raise ServiceAway(f"{self._url} did not answer in time.") from error
        except httpx.HTTPError as error:
            raise ServiceAway(f"The connection to {self._url} broke off: {error}.") from error
        if response.is_success:
            return self._object(response) if response.content else {}
        raise self._refusal(response)

    def _refusal(self, response: httpx.Response) -> CommandError:
        told = self._object(response)
        sentence = str(told.get("error", f"status {response.status_code}"))
        match response.status_code:
            case 401:
                return CommandError(f"{self._url} refused the key: {sentence} Give one with --key or RECOQ_KEY.")
            case 429 | 503:
                return ServiceAway(f"{self._url} is busy or a part of it is away: {sentence}")
        errors = told.get("errors") or {}
        lines = [f"  {path}: {' '.join(messages)}" for path, messages in errors.items()]
        return CommandError("\n".join([f"{self._url} answered {response.status_code}: {sentence}", *lines]))

    def _object(self, response: httpx.Response) -> Json:
        try:
            value = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, dict):
            raise CommandError(
                f"{self._url} answered {response.status_code} and no JSON object. Is it a Recoq service?"
            )
        return value


def _text_part(value: Any) -> _PartContent:
    if isinstance(value, str):
        return None, value.encode(), "text/plain; charset=utf-8"
    return None, orjson.dumps(value), "application/json"
