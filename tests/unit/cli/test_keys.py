import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.services import Services
from cli.main import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments])


def create(account: str, *options: str) -> str:
    result = run("create", "--account", account, *options)
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip()


def test_created_key_is_alone_on_standard_output_and_works(services: Services) -> None:
    result = run("create", "--account", "robots", "--role", "read")
    assert result.stdout.count("\n") == 1
    principal = services.accounts.authenticate(result.stdout.strip())
    assert principal is not None
    assert (principal.account_name, principal.role) == ("robots", "read")
    assert "robots" in result.stderr


def test_keys_of_one_name_are_of_one_account_and_admin_by_default(services: Services) -> None:
    first, second = (services.accounts.authenticate(create("robots")) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.account_id == second.account_id
    assert (first.role, second.role) == ("admin", "admin")


@pytest.mark.parametrize("name", ["", "  ", "robots ", "ro\tbots", "r" * 101])
def test_name_that_cannot_be_read_in_a_list_is_a_usage_error(services: Services, name: str) -> None:
    result = run("create", "--account", name)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert services.accounts.list_keys() == ()


def test_unknown_role_is_a_usage_error(services: Services) -> None:
    assert run("create", "--account", "robots", "--role", "owner").exit_code == 2


def test_list_in_a_pipe_is_one_line_a_key(services: Services) -> None:
    keys = [create("robots"), create("people", "--role", "read")]
    lines = [line.split("\t") for line in run("list").stdout.splitlines()]
    assert [line[1:4] for line in lines] == [
        [keys[0][:10], "robots", "admin"],
        [keys[1][:10], "people", "read"],
    ]
    assert all(key not in run("list").stdout for key in keys)


def test_list_as_json_is_complete(services: Services) -> None:
    key = create("robots")
    (row,) = json.loads(run("list", "--json").stdout)
    assert row["prefix"] == key[:10]
    assert row["account"] == "robots"
    assert row["revoked"] is None
    assert row["created"].endswith("+00:00")


def test_json_tells_what_was_created_and_revoked(services: Services) -> None:
    created = json.loads(run("create", "--account", "robots", "--json").stdout)
    assert (created["account"], created["role"]) == ("robots", "admin")
    assert services.accounts.authenticate(created["key"]) is not None
    revoked = json.loads(run("revoke", created["key"][:10], "--json").stdout)
    assert revoked["revoked"] is not None
    assert services.accounts.authenticate(created["key"]) is None


def test_list_on_a_terminal_is_a_table(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    key = create("robots")
    runner = CliRunner()
    with runner.isolation(color=False) as (output, _, _):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        main.main(["keys", "list"], standalone_mode=False)
    table = output.getvalue().decode()
    assert key[:10] in table
    assert "account" in table
    assert "\t" not in table


@pytest.mark.parametrize("by", ["prefix", "id"])
def test_revoked_key_no_longer_works(services: Services, by: str) -> None:
    key, other = create("robots"), create("robots")
    (row, _) = json.loads(run("list", "--json").stdout)
    assert run("revoke", str(row[by])).exit_code == 0
    assert services.accounts.authenticate(key) is None
    assert services.accounts.authenticate(other) is not None
    (row, _) = json.loads(run("list", "--json").stdout)
    assert row["revoked"] is not None


def test_unknown_key_cannot_be_revoked(services: Services) -> None:
    result = run("revoke", "rq_nothing")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output


def test_database_that_was_not_created_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_DATA", str(tmp_path))
    result = run("create", "--account", "robots")
    assert result.exit_code == 1
    assert "recoq migrate" in result.stderr
    assert not list(tmp_path.iterdir())


def test_database_without_tables_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_DATA", str(tmp_path))
    (tmp_path / "recoq.db").touch()
    assert "recoq migrate" in run("list").stderr
