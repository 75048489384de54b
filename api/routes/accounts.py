"""``/accounts/me``: who asks."""

from typing import Any

from api.auth import principal
from api.endpoint import blueprint, endpoint
from api.schemas.answers import AccountSchema, account_answer

accounts = blueprint("accounts", "The account behind a key.")


@endpoint(accounts, "GET", "/accounts/me", gives=AccountSchema)
def retrieve_own_account() -> dict[str, Any]:
    """Retrieve the account and the role of the key that asks."""
    return account_answer(principal())
