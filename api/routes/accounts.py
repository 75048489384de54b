"""``/accounts/me``: who asks."""

from typing import Any

from api.auth import account_id, principal
from api.endpoint import blueprint, endpoint
from api.routes.answer_examples import ACCOUNT
from api.schemas.answers import AccountSchema, WebhookSecretSchema, account_answer
from api.services import services

accounts = blueprint("accounts", "The account behind a key.")


@endpoint(accounts, "GET", "/accounts/me", gives=AccountSchema, answer=ACCOUNT)
def retrieve_own_account() -> dict[str, Any]:
    """Retrieve the account and the role of the key that asks."""
    return account_answer(principal())


@endpoint(accounts, "POST", "/accounts/me/webhook-secret", gives=WebhookSecretSchema, status=201)
def renew_webhook_secret() -> dict[str, str]:
    """Make a new secret, by which the account's webhooks are signed from now on; it is not shown again."""
    return {"secret": services().accounts.renew_webhook_secret(account_id())}
