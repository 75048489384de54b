"""The commands that look after a service, against the real API over HTTP, and in the database for what is public."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from api.services import Services
from cli.main import main
from config.queues import TaskKind
from store.task_records import NewTask, Outcome
from tests.unit.cli.models import MODEL

Run = Callable[..., Result]

POST_PROCESSINGS: list[Any] = [{"classification": {"output_tensor": "output"}}]


@pytest.fixture
def run(url: str, key: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command as the account of ``key``."""
    monkeypatch.setenv("RECOQ_URL", url)
    monkeypatch.setenv("RECOQ_KEY", key)
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def owner(services: Services, key: str) -> int:
    principal = services.accounts.authenticate(key)
    assert principal is not None
    return principal.account_id


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def failure(result: Result) -> str:
    assert result.exit_code == 1, result.output
    return result.stderr


def create(
    services: Services, owner: int | None, *, versions: int = 2, slug: str | None = None
) -> tuple[Any, list[int]]:
    """Create a specification with versions of one network, the first one current; return their references."""
    about: dict[str, Any] = {"description": "", "metadata": {}}
    spec = services.specs.create(owner, name="Hot dogs", outputs=MODEL["outputs"], slug=slug, **about)
    network = services.networks.create(
        owner,
        name="Network",
        framework="pytorch-2.x",
        preprocessing=MODEL["preprocessing"],
        postprocessings=[],
        weights_key="none",
        files=(),
        slug=slug,
        **about,
    )
    references = (slug or spec.id, slug or network.id)
    made = [
        services.versions.create(
            owner, spec_ref=references[0], network_ref=references[1], post_processings=POST_PROCESSINGS
        ).id
        for _ in range(versions)
    ]
    return references, made


def test_lists_show_what_the_account_has(run: Run, services: Services, owner: int) -> None:
    (spec, network), versions = create(services, owner)
    assert [each["id"] for each in told(run("specs", "list", "--json"))] == [spec]
    assert [each["id"] for each in told(run("networks", "list", "--json"))] == [network]
    assert [each["id"] for each in told(run("versions", "list", "--json"))] == versions
    [line] = run("specs", "list").stdout.splitlines()
    assert line.split("\t")[:3] == [str(spec), "Hot dogs", str(versions[0])]


def test_lists_go_on_beyond_one_page(run: Run, services: Services, owner: int) -> None:
    for number in range(1010):
        services.specs.create(owner, name=str(number), description="", metadata={}, outputs=MODEL["outputs"])
    assert [each["name"] for each in told(run("specs", "list", "--json"))] == [str(number) for number in range(1010)]


def test_public_ones_are_listed_and_shown_by_their_slug(run: Run, services: Services) -> None:
    _, versions = create(services, None, slug="dogs")
    assert [each["id"] for each in told(run("specs", "list", "--public", "--json"))] == ["dogs"]
    assert [each["id"] for each in told(run("networks", "list", "--public", "--json"))] == ["dogs"]
    assert told(run("specs", "list", "--json")) == []
    assert told(run("specs", "show", "dogs", "--json"))["outputs"] == MODEL["outputs"]
    assert told(run("networks", "show", "dogs", "--json"))["framework"] == "pytorch-2.x"
    assert [each["id"] for each in told(run("versions", "list", "--spec", "dogs", "--json"))] == versions


def test_one_thing_is_shown_field_by_field(run: Run, services: Services, owner: int) -> None:
    (spec, _), versions = create(services, owner)
    lines = run("specs", "show", spec).stdout.splitlines()
    assert f"id                  {spec}" in lines
    assert any(line.startswith('outputs             [{"labels":') for line in lines)
    assert told(run("versions", "show", versions[0], "--json"))["spec_name"] == "Hot dogs"


def test_versions_of_one_specification_are_listed(run: Run, services: Services, owner: int) -> None:
    create(services, owner)
    (spec, _), versions = create(services, owner)
    assert [each["id"] for each in told(run("versions", "list", "--spec", spec, "--json"))] == versions


@pytest.mark.parametrize("slug", [None, "dogs"])
def test_specification_is_switched_and_rolled_back(run: Run, services: Services, owner: int, slug: str | None) -> None:
    account = owner if slug is None else None
    (spec, _), (first, second, third) = create(services, account, versions=3, slug=slug)
    assert told(run("use", spec, third, "--json")) == {
        "spec": str(spec),
        "version_id": third,
        "previous_version_id": first,
    }
    assert services.specs.get(account, spec).current_version_id == third
    result = run("rollback", spec)
    assert result.stdout == f"Specification {spec} runs version {second} now; before, version {third}.\n"
    assert services.specs.get(account, spec).current_version_id == second
    assert run("rollback", spec).exit_code == 0
    assert "there is none to go back to" in failure(run("rollback", spec))
    assert services.specs.get(account, spec).current_version_id == first


@pytest.mark.parametrize("slug", [None, "dogs"])
def test_only_versions_of_the_specification_can_be_used(
    run: Run, services: Services, owner: int, slug: str | None
) -> None:
    account = owner if slug is None else None
    (spec, _), [first] = create(services, account, versions=1, slug=slug)
    _, [other] = create(services, owner, versions=1)
    assert f"{other} is not a version of this specification" in failure(run("use", spec, other))
    assert services.specs.get(account, spec).current_version_id == first


def test_specification_without_a_current_version_is_told(run: Run, services: Services, owner: int) -> None:
    (spec, _), [version] = create(services, owner, versions=1)
    assert run("versions", "delete", version, "--yes").exit_code == 0
    assert "has no current version" in failure(run("rollback", spec))


@pytest.mark.parametrize("command", [("use", "dogs", "1"), ("rollback", "dogs"), ("specs", "delete", "dogs", "--yes")])
def test_what_is_public_is_changed_without_a_key(
    command: tuple[str, ...], services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, versions = create(services, None, slug="dogs")
    services.specs.update(None, "dogs", current_version_id=versions[-1])
    monkeypatch.setenv("HOME", "/nowhere")
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output


def test_what_is_deleted_is_gone(run: Run, services: Services, owner: int) -> None:
    (spec, network), versions = create(services, owner)
    create(services, None, slug="dogs")
    assert told(run("versions", "delete", versions[0], "--yes", "--json")) == {"deleted": versions[0]}
    assert run("networks", "delete", network, "--yes").stdout == f"Network {network} is deleted.\n"
    assert told(run("versions", "list", "--json")) == []
    assert run("specs", "delete", spec, "--yes").exit_code == 0
    assert told(run("specs", "list", "--json")) == []
    assert run("specs", "delete", "dogs", "--yes").exit_code == 0
    assert run("networks", "delete", "dogs", "--yes").exit_code == 0
    assert told(run("specs", "list", "--public", "--json")) == told(run("networks", "list", "--public", "--json")) == []


def test_deletion_asks_first(run: Run, services: Services, owner: int) -> None:
    (spec, _), _ = create(services, owner)
    result = run("specs", "delete", spec)
    assert result.exit_code == 1
    assert f"Delete specification {spec} and all its versions?" in result.output
    assert services.specs.get(owner, spec).name == "Hot dogs"


@pytest.mark.parametrize(
    "command", [("specs", "show", "99"), ("networks", "show", "none"), ("versions", "show", "99"), ("use", "none", "1")]
)
def test_what_does_not_exist_is_told(run: Run, command: tuple[str, ...]) -> None:
    assert "There is no" in failure(run(*command))


def test_key_is_needed_for_what_is_not_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    result = CliRunner().invoke(main, ["specs", "list"])
    assert result.exit_code == 2
    assert "give --key, set RECOQ_KEY, or write it into ~/.config/recoq/config.toml" in result.stderr


def pending(services: Services, owner: int) -> str:
    new = NewTask(account_id=owner, kind=TaskKind.RECOGNITION, request={"version_id": 1}, inputs=[])
    return services.ledger.submit(new)


def test_tasks_are_shown(run: Run, services: Services, owner: int) -> None:
    first, second = pending(services, owner), pending(services, owner)
    services.ledger.finish(first, None, Outcome(data=b'{"outputs": []}'))
    assert told(run("tasks", "show", first, "--json"))["data"] == {"outputs": []}
    lines = run("tasks", "show", first, second).stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [[first, "success"], [second, "pending"]]
    assert "There is no task 99" in failure(run("tasks", "show", "99"))


def test_tasks_are_waited_for_and_the_exit_status_tells_how_they_ended(
    run: Run, services: Services, owner: int
) -> None:
    first, second = pending(services, owner), pending(services, owner)
    assert f"Task {first} did not end in time" in failure(run("tasks", "wait", first, "--timeout", "0.2"))
    services.ledger.finish(first, None, Outcome(data=b'{"outputs": []}'))
    assert run("tasks", "wait", first).exit_code == 0
    services.ledger.finish(second, None, Outcome(error="This is no image."))
    result = run("tasks", "wait", first, second, "--json")
    assert result.exit_code == 3
    assert [task["error"] for task in json.loads(result.stdout)] == [None, "This is no image."]


def test_tasks_are_cancelled_and_purged(run: Run, services: Services, owner: int) -> None:
    first, second = pending(services, owner), pending(services, owner)
    assert told(run("tasks", "cancel", first, second, "--json")) == {"cancelled": [first, second]}
    assert told(run("tasks", "show", first, "--json"))["error"] == "Cancelled."
    assert run("tasks", "cancel", first, "--purge").stdout == f"Task {first} is purged.\n"
    assert "There is no task" in failure(run("tasks", "show", first))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert "_RECOQ_COMPLETE" in result.stdout


@pytest.mark.parametrize(
    ("words", "incomplete", "completed"),
    [
        ([], "su", ["submit"]),
        (["tasks"], "", ["cancel", "show", "wait"]),
        (["submit", "--format"], "c", ["csv", "coco"]),
        (["submit"], "--rec", ["--recursive"]),
    ],
)
def test_commands_and_options_are_completed(words: list[str], incomplete: str, completed: list[str]) -> None:
    found = ShellComplete(main, {}, "recoq", "_RECOQ_COMPLETE").get_completions(words, incomplete)
    assert sorted(item.value for item in found) == sorted(completed)
