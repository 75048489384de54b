import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from cli.errors import CommandError
from cli.main import COMMANDS, main
from config import VERSION
from store.errors import Unavailable

TELL_NOTHING = {("up",), ("api",), ("webhooks",), ("worker",), ("migrate",), ("completion",)}
NOT_FOR_THE_COMMAND_LINE = ("torch", "torchvision", "inference", "workers")


def commands_and_subcommands() -> list[tuple[str, ...]]:
    names: list[tuple[str, ...]] = []
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        names += [(name, sub) for sub in command.commands] if isinstance(command, click.Group) else [(name,)]
    return names


def test_version_is_printed() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.output == f"recoq, version {VERSION}\n"


def test_help_lists_every_command_with_the_summary_of_the_command_itself() -> None:
    output = CliRunner().invoke(main, ["--help"]).output
    context = click.Context(main)
    for name, entry in COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None
        assert command.short_help == entry.summary
        assert entry.summary in output


@pytest.mark.parametrize("command", commands_and_subcommands(), ids=" ".join)
def test_help_of_every_command_has_an_example(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert f"recoq {' '.join(command)}" in result.output.partition("Example:")[2]


@pytest.mark.parametrize("command", commands_and_subcommands(), ids=" ".join)
def test_every_command_that_tells_something_can_tell_it_as_json(command: tuple[str, ...]) -> None:
    output = CliRunner().invoke(main, [*command, "--help"]).output
    assert ("--json" in output) is (command not in TELL_NOTHING)


def test_help_imports_no_command() -> None:
    loaded = modules_after("from cli.main import main; main(['--help'], standalone_mode=False)")
    assert not {name for name in loaded if name.partition(".")[0] in ("sqlalchemy", "flask", "celery", "httpx", "rich")}


def test_no_command_imports_what_only_workers_need() -> None:
    modules = ", ".join({entry.module for entry in COMMANDS.values()} | {"cli.up"})
    loaded = modules_after(f"import {modules}")
    assert not {name for name in loaded if name.partition(".")[0] in NOT_FOR_THE_COMMAND_LINE}


def modules_after(statement: str) -> set[str]:
    script = f"import json, sys\n{statement}\nprint(json.dumps(list(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return set(json.loads(output.splitlines()[-1]))


def test_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["pubish"])
    assert result.exit_code == 2
    assert "No such command 'pubish'" in result.stderr


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (CommandError("The labels differ."), "The labels differ."),
        (Unavailable("The database is not reachable."), "The database is not reachable."),
        (PermissionError(13, "Permission denied", "model.json"), "model.json: Permission denied."),
    ],
)
def test_expected_failures_are_one_sentence_and_exit_status_1(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(main, "get_command", lambda context, name: failing)
    result = CliRunner().invoke(main, ["failing"])
    assert (result.exit_code, result.stderr) == (1, f"Error: {sentence}\n")


def test_faults_of_ours_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def failing() -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(main, "get_command", lambda context, name: failing)
    with pytest.raises(RuntimeError, match="a fault"):
        CliRunner().invoke(main, ["failing"], catch_exceptions=False)


@pytest.mark.parametrize("command", [["api"], ["worker"], ["migrate"], ["keys", "list"]])
def test_bad_setting_is_refused_by_name(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_PORT", "many")
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "RECOQ_PORT" in result.stderr
