"""The documents cannot drift: every command and option stands in them, and every link leads somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli.main import main

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {each}")
        else:
            yield f"{name} {each}", command


def section(title: str) -> str:
    text = (ROOT / "docs" / "commands.md").read_text()
    found = re.search(rf"^### `{re.escape(title)}`\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"docs/commands.md has no section for {title}"
    return found[1]


@pytest.mark.parametrize(("name", "command"), [pytest.param(*each, id=each[0]) for each in commands(main, "recoq")])
def test_every_command_and_option_is_documented(name: str, command: click.Command) -> None:
    text = section(name)
    options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
    for option in options:
        assert f"`{option}" in text, f"docs/commands.md does not mention {option} of {name}"
    assert command.help
    assert "Example:" in command.help


def test_every_documented_command_exists() -> None:
    titles = re.findall(r"^### `(recoq [a-z ]+)`", (ROOT / "docs" / "commands.md").read_text(), re.MULTILINE)
    assert sorted(titles) == sorted(name for name, _ in commands(main, "recoq"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
    for target in targets:
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_every_decision_is_numbered_once() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)", document.read_text()):
        assert f"def {name}(" in (ROOT / path).read_text(), f"{document.name} names {path}::{name}"
