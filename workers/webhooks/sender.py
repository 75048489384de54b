"""Posts webhooks under the same guard as fetches images: a receiver must have a public address, or an allowed one.

Redirects are not followed, and nothing of an answer but its status is read.
"""

import ssl
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from time import monotonic

import httpcore
import httpx

from config import VERSION
from config.settings import Settings
from workers.addresses.policy import AddressPolicy
from workers.fetch import FetchError, GuardedBackend, checked_url


class DeliveryError(Exception):
    """A webhook could not be delivered; the message is one sentence for its owner."""


class ReceiverGone(DeliveryError):
    """The receiver says that it wants no more."""


class WebhookSender:
    """Posts to receivers; one object serves all threads of a process."""

    def __init__(self, settings: Settings) -> None:
        self._timeout_seconds = settings.url_timeout_seconds
        self._ssl = httpx.create_ssl_context()
        self._backend = GuardedBackend(AddressPolicy(settings.url_allowed_networks))

    def send(self, url: str, body: bytes, headers: Mapping[bytes | str, bytes | str]) -> None:
        """Post JSON, and return if the receiver answers with a status from 200 to 299.

        Raises:
            ReceiverGone: if it answers ``410 Gone``.
            DeliveryError: if it answers anything else, cannot be reached in time, or is where no webhook may go.
        """
        try:
            status = self._status(url, body, headers)
        except FetchError as error:
            raise DeliveryError(str(error).replace("image URL", "webhook URL")) from error  # the guard's own sentences
        except TimeoutError as error:
            raise DeliveryError(f"The receiver took longer than {self._timeout_seconds:g} seconds.") from error
        except ssl.SSLError as error:
            raise DeliveryError("No secure connection could be made to the receiver.") from error
        except (OSError, httpcore.ProtocolError) as error:
            raise DeliveryError("The receiver ended the connection too early or did not speak HTTP.") from error
        if status == HTTPStatus.GONE:
            raise ReceiverGone("The receiver answered 410: it wants no more webhooks.")
        if not 200 <= status < 300:
            raise DeliveryError(f"The receiver answered {status}.")

    def _status(self, text: str, body: bytes, headers: Mapping[bytes | str, bytes | str]) -> int:
        url = checked_url(text)
        deadline = monotonic() + self._timeout_seconds
        request = httpcore.Request(
            "POST",
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers={
                "Host": url.netloc,
                "User-Agent": f"recoq/{VERSION}",
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            },
            content=body,
            extensions={"timeout": {"connect": deadline, "read": deadline, "write": deadline}},
        )
        # A connection for each: receivers are many, and one that was kept could bring the answer to another message.
        with (
            httpcore.ConnectionPool(ssl_context=self._ssl, network_backend=self._backend) as pool,
            closing(pool.handle_request(request)) as response,
        ):
            return response.status
