"""Accounts and their keys, on both databases."""

import re
import threading

import pytest
from sqlalchemy import select

from store.accounts import Accounts
from store.database import Database
from store.errors import Conflict, NotFound
from store.tables import ApiKey


def set_prefixes(database: Database, *prefixes: str) -> None:
    """Give the keys, in their order, prefixes that a test can rely on."""
    with database.session() as session:
        for key, prefix in zip(session.scalars(select(ApiKey).order_by(ApiKey.id)), prefixes, strict=True):
            key.prefix = prefix


def test_a_key_tells_who_asks(accounts: Accounts) -> None:
    key = accounts.create_key("home", "read")
    principal = accounts.authenticate(key)
    assert principal is not None
    assert (principal.account_name, principal.role) == ("home", "read")
    assert re.fullmatch(r"[0-9a-f]{32}", principal.app_id)


def test_keys_are_long_random_and_safe_in_urls(accounts: Accounts) -> None:
    keys = {accounts.create_key("home", "admin") for _ in range(20)}
    assert len(keys) == 20
    assert all(re.fullmatch(r"rq_[A-Za-z0-9_-]{43}", key) for key in keys)


def test_keys_of_one_account_share_its_identity(accounts: Accounts) -> None:
    admin = accounts.authenticate(accounts.create_key("home", "admin"))
    reader = accounts.authenticate(accounts.create_key("home", "read"))
    elsewhere = accounts.authenticate(accounts.create_key("elsewhere", "read"))
    assert admin is not None
    assert reader is not None
    assert elsewhere is not None
    assert (admin.account_id, admin.app_id, admin.date_created) == (
        reader.account_id,
        reader.app_id,
        reader.date_created,
    )
    assert admin.account_id != elsewhere.account_id
    assert admin.app_id != elsewhere.app_id


@pytest.mark.parametrize("key", ["", "rq_", "rq_" + "x" * 43, "rq_" + "é" * 43, "rq_" + "\ud800" * 43, "x" * 10_000])
def test_what_is_no_key_is_nobody(accounts: Accounts, key: str) -> None:
    accounts.create_key("home", "admin")
    assert accounts.authenticate(key) is None


def test_the_key_itself_is_not_stored(accounts: Accounts, database: Database) -> None:
    key = accounts.create_key("home", "admin")
    with database.reading() as session:
        stored = session.scalars(select(ApiKey)).one()
    assert stored.prefix == key[:10]
    assert not [value for value in vars(stored).values() if isinstance(value, str) and key[10:] in value]


def test_a_role_that_does_not_exist_is_a_mistake_of_the_caller(accounts: Accounts) -> None:
    with pytest.raises(KeyError):
        accounts.create_key("home", "owner")  # type: ignore[arg-type]
    assert accounts.list_keys() == ()


def test_keys_are_listed_in_their_order_of_creation(accounts: Accounts) -> None:
    keys = [accounts.create_key("home", "admin"), accounts.create_key("away", "read")]
    listed = accounts.list_keys()
    assert [record.prefix for record in listed] == [key[:10] for key in keys]
    assert [(record.account_name, record.role) for record in listed] == [("home", "admin"), ("away", "read")]
    assert [record.date_revoked for record in listed] == [None, None]
    assert listed[0].date_created < listed[1].date_created


@pytest.mark.parametrize("length", [10, 46])
def test_a_key_is_revoked_by_its_beginning_or_as_a_whole(accounts: Accounts, length: int) -> None:
    key, kept = accounts.create_key("home", "admin"), accounts.create_key("home", "admin")
    record = accounts.revoke_key(key[:length])
    assert record.date_revoked is not None
    assert accounts.authenticate(key) is None
    assert accounts.authenticate(kept) is not None
    assert accounts.list_keys()[0] == record


def test_a_key_is_revoked_by_id(accounts: Accounts) -> None:
    key = accounts.create_key("home", "admin")
    accounts.revoke_key(str(accounts.list_keys()[0].id))
    assert accounts.authenticate(key) is None


def test_revoking_twice_keeps_the_first_date(accounts: Accounts) -> None:
    key = accounts.create_key("home", "admin")
    assert accounts.revoke_key(key[:10]) == accounts.revoke_key(key[:10])


def test_a_beginning_that_several_keys_share_is_a_conflict(accounts: Accounts, database: Database) -> None:
    keys = [accounts.create_key("home", "admin") for _ in range(3)]
    set_prefixes(database, "rq_abcdefg", "rq_abcdefh", "rq_ABCDEFG")
    with pytest.raises(Conflict, match="Several keys"):
        accounts.revoke_key("rq_abc")
    assert accounts.revoke_key("rq_ABC").id == accounts.list_keys()[2].id
    accounts.revoke_key("rq_abcdefg")
    assert accounts.revoke_key("rq_abc").prefix == "rq_abcdefh"  # the only one left to revoke
    assert [accounts.authenticate(key) for key in keys] == [None, None, None]


@pytest.mark.parametrize("unknown", ["", "0", "99999", "9" * 30, "rq_%", "rq_________", "rq_" + "x" * 43])
def test_a_key_that_does_not_exist_is_not_found(accounts: Accounts, unknown: str) -> None:
    accounts.create_key("home", "admin")
    with pytest.raises(NotFound):
        accounts.revoke_key(unknown)


def test_first_keys_of_an_account_at_once_make_one_account(accounts: Accounts) -> None:
    barrier = threading.Barrier(4)
    keys: list[str] = []

    def create() -> None:
        barrier.wait()
        keys.append(accounts.create_key("new", "admin"))

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    principals = [accounts.authenticate(key) for key in keys]
    assert len({principal.account_id for principal in principals if principal is not None}) == 1
    assert len(keys) == 4
