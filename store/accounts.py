"""Accounts and their API keys: the API asks who sends a request, the command line makes, lists and revokes keys.

A key is random enough to need no slow hash: only its SHA-256 digest is stored, with the first characters by which
people tell keys apart.
"""

import base64
import hashlib
import hmac
import secrets

from sqlalchemy import ColumnElement, Select, bindparam, false, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store.database import Database
from store.errors import Conflict, NotFound
from store.records import KeyRecord, Principal, Role
from store.rows import is_id
from store.tables import Account, ApiKey, now

KEY_MARK = "rq_"
KEY_BYTES = 32
KEY_LENGTH = len(KEY_MARK) + 43  # 32 bytes in URL-safe base64, without padding
PREFIX_LENGTH = 10
WEBHOOK_SECRET_MARK = "whsec_"  # noqa: S105 - how secrets begin
WEBHOOK_SECRET_BYTES = 32
ROLES: dict[str, Role] = {"admin": "admin", "read": "read"}

# Run for every request whose key is not remembered: built once, and of columns only.
PRINCIPAL_OF_DIGEST = (
    select(ApiKey.digest, Account.id, Account.name, Account.app_id, ApiKey.role, Account.create_date)
    .join(Account, Account.id == ApiKey.account_id)
    .where(ApiKey.digest == bindparam("digest"), ApiKey.revoke_date.is_(None))
)


class Accounts:
    """All accounts and keys in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create_key(self, account_name: str, role: Role) -> str:
        """Return a new key of the account, which is made if there is none of that name; it is never shown again."""
        key = KEY_MARK + secrets.token_urlsafe(KEY_BYTES)
        with self._database.session() as session:
            account_id = _find_or_add_account(session, account_name)
            row = ApiKey(
                account_id=account_id,
                prefix=key[:PREFIX_LENGTH],
                digest=_digest(key),
                role=ROLES[role],
                create_date=now(),
            )
            session.add(row)
        return key

    def authenticate(self, key: str) -> Principal | None:
        """Return who the key belongs to, in one query; None if it is no key, unknown or revoked.

        Raises:
            Unavailable: if the database cannot be reached.
        """
        if len(key) != KEY_LENGTH or not key.startswith(KEY_MARK):
            return None
        digest = _digest(key)
        with self._database.reading() as session:
            row = session.execute(PRINCIPAL_OF_DIGEST, {"digest": digest}).first()
        if row is None or not hmac.compare_digest(row[0], digest):
            return None
        _, account_id, name, app_id, role, date = row
        return Principal(account_id, name, app_id, ROLES[role], date)

    def webhook_secret(self, account_id: int) -> str:
        """Return the secret that signs the account's webhooks; it is made at its first use.

        Raises:
            NotFound: if there is no such account.
        """
        with self._database.reading() as session:
            account = session.get(Account, account_id)
        if account is None:
            raise NotFound(f"There is no account {account_id}.")
        return account.webhook_secret or self.renew_webhook_secret(account_id, only_if_none=True)

    def renew_webhook_secret(self, account_id: int, *, only_if_none: bool = False) -> str:
        """Return a new secret, which signs the account's webhooks from now on.

        With ``only_if_none``, a secret that another process has just made stays.
        """
        secret = WEBHOOK_SECRET_MARK + base64.b64encode(secrets.token_bytes(WEBHOOK_SECRET_BYTES)).decode()
        with self._database.session() as session:
            account = session.get_one(Account, account_id, with_for_update=True)
            if account.webhook_secret is None or not only_if_none:
                account.webhook_secret = secret
            return account.webhook_secret

    def list_keys(self) -> tuple[KeyRecord, ...]:
        """Return all keys of all accounts, revoked ones too, newest last."""
        with self._database.reading() as session:
            rows = session.execute(_keys_with_accounts().order_by(ApiKey.id))
            return tuple(_key_record(key, name) for key, name in rows)

    def revoke_key(self, prefix_or_id: str) -> KeyRecord:
        """Revoke the key of this ID, or that begins so, from the next authentication on; twice is no error.

        Raises:
            NotFound: if there is no such key.
            Conflict: if several keys begin so.
        """
        with self._database.session() as session:
            rows = session.execute(_keys_with_accounts().where(_is_key(prefix_or_id))).all()
            candidates = [row for row in rows if row[0].revoke_date is None] or rows
            if not candidates:
                raise NotFound(f"There is no key {prefix_or_id[:PREFIX_LENGTH]}.")
            if len(candidates) > 1:
                raise Conflict("Several keys begin so: give more characters, or the ID.")
            key, account_name = candidates[0]
            key.revoke_date = key.revoke_date or now()
            return _key_record(key, account_name)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()


def _find_or_add_account(session: Session, name: str) -> int:
    find = select(Account.id).where(Account.name == name)
    found = session.scalar(find)
    if found is not None:
        return found
    try:
        with session.begin_nested():
            account = Account(name=name, app_id=secrets.token_hex(16), create_date=now())
            session.add(account)
        return account.id
    except IntegrityError:  # another process was faster
        return session.execute(find).scalar_one()


def _is_key(prefix_or_id: str) -> ColumnElement[bool]:
    if len(prefix_or_id) == KEY_LENGTH:
        return ApiKey.digest == _digest(prefix_or_id)
    if prefix_or_id.isascii() and prefix_or_id.isdecimal():
        return ApiKey.id == int(prefix_or_id) if is_id(int(prefix_or_id)) else false()
    # Not LIKE, which SQLite compares without regard to case.
    return func.substr(ApiKey.prefix, 1, max(len(prefix_or_id), 1)) == prefix_or_id


def _keys_with_accounts() -> Select[ApiKey, str]:
    return select(ApiKey, Account.name).join(Account, Account.id == ApiKey.account_id)


def _key_record(key: ApiKey, account_name: str) -> KeyRecord:
    return KeyRecord(
        id=key.id,
        prefix=key.prefix,
        account_name=account_name,
        role=ROLES[key.role],
        date_created=key.create_date,
        date_revoked=key.revoke_date,
    )
