"""Speaks to a running Recoq over HTTP for every command that does; every failure becomes one sentence."""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import httpx
import orjson

from cli.errors import CommandError

API_PATH = "/v0.7"
LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
# Storing a large upload takes the server a while after its last byte.
TIMEOUT = httpx.Timeout(30.0, read=300.0)
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=64)
PAGE_SIZE = 1000
AWAY_STATUSES = (429, 502, 503, 504)

Json = dict[str, Any]
_PartContent = tuple[str | None, bytes | BinaryIO, str]  # filename, content, type


class ServiceAway(CommandError):
    """The service cannot be reached, or asks to be tried again later, after ``retry_after_seconds`` if it says so."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Refused(CommandError):
    """The service answered with an error: its ``status``, its ``sentence``, and messages by the path of a field."""

    def __init__(self, message: str, status: int, sentence: str, errors: Mapping[str, list[str]]) -> None:
        super().__init__(message)
        self.status = status
        self.sentence = sentence
        self.errors = errors


class ApiClient:
    """The HTTP API of the service at ``url``, as the account that ``key`` belongs to; safe to share between threads."""

    def __init__(self, url: str, key: str, timeout: httpx.Timeout = TIMEOUT) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise CommandError(f"{url} is not the URL of a service; an example is http://127.0.0.1:8000.")
        if not key.isascii() or not key.isprintable():
            raise CommandError("The key has characters that no key has.")
        self.url = url.rstrip("/")
        # A proxy that the environment names has no way back to this very machine.
        through_proxy = urlsplit(url).hostname not in LOOPBACK_HOSTS
        self._client = httpx.Client(
            base_url=self.url + API_PATH,
            headers={"X-API-KEY": key},
            timeout=timeout,
            limits=LIMITS,
            trust_env=through_proxy,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Json:
        """Return the JSON object at ``path``."""
        return self._object(self._request("GET", path, params=params))

    def get_waiting(self, path: str, wait_seconds: int) -> tuple[Json, bool]:
        """Return the task at ``path`` once it has ended or the time is over, and whether the service knows waiting."""
        response = self._request("GET", path, headers={"Prefer": f"wait={wait_seconds}"} if wait_seconds else None)
        return self._object(response), "Preference-Applied" in response.headers

    def pages(self, path: str, limit: int | None = None) -> Iterator[Json]:
        """Yield the elements of the list at ``path``, all of them or the first ``limit``, page by page."""
        offset = 0
        while limit is None or offset < limit:
            size = PAGE_SIZE if limit is None else min(PAGE_SIZE, limit - offset)
            page = self.get(path, {"offset": offset, "limit": size})
            yield from page["results"]
            offset += len(page["results"])
            if not page["next"] or not page["results"]:
                return

    def create(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Json:
        """POST ``body`` as JSON and return the answer."""
        return self._object(self._request("POST", path, json=body, headers=headers))

    def upload(
        self,
        path: str,
        fields: Mapping[str, Any],
        files: Mapping[str, BinaryIO | bytes],
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """POST ``fields`` (text as it is, the rest as JSON) and ``files``, streamed, and return the answer."""
        parts: list[tuple[str, _PartContent]] = [(name, _text_part(value)) for name, value in fields.items()]
        parts += [(name, (name, file, "application/octet-stream")) for name, file in files.items()]
        return self._object(self._request("POST", path, files=parts, headers=headers))

    def change(self, path: str, changes: Mapping[str, Any]) -> Json:
        """PATCH ``path`` and return it as it is then."""
        return self._object(self._request("PATCH", path, json=changes))

    def delete(self, path: str) -> None:
        """DELETE ``path``."""
        self._request("DELETE", path)

    def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, **content)
        except httpx.ConnectError as error:
            raise ServiceAway(f"{self.url} cannot be reached ({error}). Is the service running there?") from error
        except httpx.TimeoutException as error:
            raise ServiceAway(f"{self.url} did not answer in time.") from error
        except httpx.HTTPError as error:
            raise ServiceAway(f"The connection to {self.url} broke off: {error}.") from error
        if response.is_success:
            return response
        raise self._refusal(response)

    def _refusal(self, response: httpx.Response) -> CommandError:
        status = response.status_code
        told = _json_object(response)
        if status in AWAY_STATUSES:
            # A proxy in front of the service answers so too, in HTML.
            sentence = str((told or {}).get("error", f"status {status}"))
            message = f"{self.url} is busy or a part of it is away: {sentence}"
            return ServiceAway(message, _seconds(response.headers.get("Retry-After")))
        if told is None:
            return self._no_json(response)
        sentence = str(told.get("error", f"status {status}"))
        errors: dict[str, list[str]] = told.get("errors") or {}
        if status == 401:
            message = f"{self.url} refused the key: {sentence} Give one with --key or RECOQ_KEY."
        else:
            lines = [f"  {path}: {' '.join(messages)}" for path, messages in errors.items()]
            message = "\n".join([f"{self.url} answered {status}: {sentence}", *lines])
        return Refused(message, status, sentence, errors)

    def _object(self, response: httpx.Response) -> Json:
        value = _json_object(response)
        if value is None:
            raise self._no_json(response)
        return value

    def _no_json(self, response: httpx.Response) -> CommandError:
        return CommandError(f"{self.url} answered {response.status_code} and no JSON object. Is it a Recoq service?")


def _json_object(response: httpx.Response) -> Json | None:
    try:
        value = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdecimal() else None


def _text_part(value: Any) -> _PartContent:
    if isinstance(value, str):
        return None, value.encode(), "text/plain; charset=utf-8"
    return None, orjson.dumps(value), "application/json"
