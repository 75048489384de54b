"""Signs webhooks as the Standard Webhooks specification says, so that a receiver knows whom they are from.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac

from store.accounts import WEBHOOK_SECRET_MARK


def signed_headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[bytes | str, bytes | str]:
    """Return the headers that identify, date and sign a message; ``timestamp`` in seconds since the epoch."""
    key = base64.b64decode(secret.removeprefix(WEBHOOK_SECRET_MARK))
    signature = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
