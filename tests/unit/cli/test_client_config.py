"""Where the commands that speak to a service get its URL and key from."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cli.client_config import DEFAULT_URL, ServiceAddress, address_options
from cli.errors import CommandError


@click.command()
@address_options
def tell(address: ServiceAddress) -> None:
    click.echo(f"{address.connect().url} {address.key}")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration file, not written yet."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".config" / "recoq" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def told(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(tell, arguments, env=environment)


def test_file_is_used_where_neither_option_nor_environment_says_otherwise(config: Path) -> None:
    config.write_text('url = "http://file"\nkey = "rq_file"\n')
    assert told().output == "http://file rq_file\n"
    assert told(RECOQ_KEY="rq_environment").output == "http://file rq_environment\n"
    assert told("--key", "rq_option", RECOQ_KEY="rq_environment").output == "http://file rq_option\n"


@pytest.mark.usefixtures("config")
def test_without_a_file_the_service_is_this_machine_and_a_key_is_needed() -> None:
    assert told("--key", "rq_a").output == f"{DEFAULT_URL} rq_a\n"
    result = told()
    assert result.exit_code == 2
    assert "--key" in result.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("url = ", "is not valid TOML"), ('host = "x"', "host is not known"), ("key = 5", "key is not known")],
)
def test_file_that_cannot_be_used_is_told(config: Path, text: str, sentence: str) -> None:
    config.write_text(text)
    result = told()
    assert isinstance(result.exception, CommandError)
    assert sentence in str(result.exception)
    assert str(config) in str(result.exception)
