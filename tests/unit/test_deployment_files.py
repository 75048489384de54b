"""No container engine runs these tests, so they hold the deployment files against all that they refer to."""

import configparser
import json
import re
import shlex
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from dockerfile_parse import DockerfileParser

from cli.main import main
from config.settings import read_settings

ROOT = Path(__file__).parents[2]
PROCFILE_PROCESSES = {
    "release": "recoq migrate",
    "api": "recoq api",
    "worker": "recoq worker",
    "webhooks": "recoq webhooks",
}
OUR_SERVICES = ("migrate", "api", "webhooks", "worker-cpu", "worker-gpu")
SETTING = re.compile(r"\bRECOQ_[A-Z_]+")
DEFINITION = re.compile(r'env\.\w+\(\s*"([A-Z_]+)"')
INTERPOLATION = re.compile(r"\$\{\w+:-([^}]*)\}")
EXTRAS = re.compile(r"'\.\[([\w,]+)\]'")

Compose = dict[str, Any]
Instructions = list[tuple[str, str]]


@pytest.fixture(scope="module")
def compose_text() -> str:
    return (ROOT / "docker-compose.yml").read_text()


@pytest.fixture(scope="module")
def compose(compose_text: str) -> Compose:
    """What Compose reads when no variable is set, so that every default of the file applies."""
    return yaml.safe_load(INTERPOLATION.sub(r"\1", compose_text))


@pytest.fixture(scope="module")
def instructions() -> Instructions:
    with (ROOT / "Dockerfile").open("rb") as file:
        structure = DockerfileParser(fileobj=file).structure
    return [(part["instruction"], part["value"]) for part in structure if part["instruction"] != "COMMENT"]


@pytest.fixture(scope="module")
def stages(instructions: Instructions) -> set[str]:
    return {value.split()[-1] for name, value in instructions if name == "FROM"}


def known_settings() -> set[str]:
    return {f"RECOQ_{name}" for name in DEFINITION.findall((ROOT / "config" / "settings.py").read_text())}


def assert_is_a_recoq_command(command: list[str]) -> None:
    assert command[0] == "recoq"
    result = CliRunner().invoke(main, [*command[1:], "--help"])
    assert result.exit_code == 0, result.output
    assert "Example:" in result.output


def test_compose_file_meets_the_compose_specification(compose: Compose) -> None:
    schema = files("check_jsonschema").joinpath("builtin_schemas", "vendor", "compose-spec.json")
    jsonschema.validate(compose, json.loads(schema.read_text()))


@pytest.mark.parametrize("service", OUR_SERVICES)
def test_compose_services_run_recoq_commands(compose: Compose, service: str) -> None:
    assert_is_a_recoq_command(compose["services"][service]["command"])


@pytest.mark.parametrize("service", OUR_SERVICES)
def test_compose_services_are_built_from_stages_of_the_dockerfile(
    compose: Compose, stages: set[str], service: str
) -> None:
    assert compose["services"][service]["build"]["target"] in stages


@pytest.mark.parametrize("service", OUR_SERVICES)
def test_compose_services_get_settings_that_recoq_accepts(
    compose: Compose, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment: Mapping[str, str] = compose["services"][service]["environment"]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.database_url == "postgresql+psycopg://recoq:recoq@postgres:5432/recoq"
    assert settings.redis_url == "redis://:recoq@redis:6379/0"
    assert settings.weights_url == "file:///var/lib/recoq/weights"


def test_every_setting_named_in_a_deployment_file_exists(compose_text: str) -> None:
    named = SETTING.findall(compose_text) + SETTING.findall((ROOT / "Dockerfile").read_text())
    assert named
    assert set(named) <= known_settings()


def test_compose_services_and_volumes_refer_to_what_is_there(compose: Compose) -> None:
    services = compose["services"]
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"]


def test_services_that_others_wait_for_tell_their_health(compose: Compose) -> None:
    services = compose["services"]
    for service in services.values():
        for name, link in service.get("depends_on", {}).items():
            if link["condition"] == "service_healthy":
                assert services[name]["healthcheck"]["test"]


def test_redis_keeps_accepted_tasks(compose: Compose) -> None:
    command = " ".join(compose["services"]["redis"]["command"])
    assert "--appendonly yes --appendfsync everysec" in command
    assert "--maxmemory-policy noeviction" in command
    assert "redis:/data" in compose["services"]["redis"]["volumes"]


def test_workers_start_only_with_their_profile(compose: Compose) -> None:
    assert compose["services"]["worker-cpu"]["profiles"] == ["cpu"]
    assert compose["services"]["worker-gpu"]["profiles"] == ["gpu"]
    (device,) = compose["services"]["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


def test_workers_are_given_the_time_to_finish_what_they_have_begun(compose: Compose) -> None:
    for name in ("worker-cpu", "worker-gpu"):
        grace = compose["services"][name]["stop_grace_period"]
        assert float(grace.removesuffix("s")) > read_settings().drain_seconds


def test_dockerfile_stages_and_copies_refer_to_earlier_stages(instructions: Instructions) -> None:
    seen: set[str] = set()
    for name, value in instructions:
        if name == "FROM":
            image, _, stage = value.split()
            assert image in seen or image == "${PYTHON_IMAGE}"
            seen.add(stage)
        elif name == "COPY" and value.startswith("--from="):
            assert value.split()[0].removeprefix("--from=") in seen


def test_dockerfile_copies_files_that_exist_and_are_not_ignored(instructions: Instructions) -> None:
    kept = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    for name, value in instructions:
        if name == "COPY" and not value.startswith("--from="):
            for source in value.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert source == "." or Path(source).parts[0] in kept


def test_every_package_is_in_the_build_context() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    packages = _setup()["options.packages.find"]["include"].split()
    assert packages
    for package in packages:
        assert f"!{package.removesuffix('*')}" in ignored


def test_dockerfile_installs_extras_that_exist(instructions: Instructions) -> None:
    extras = set(_setup()["options.extras_require"])
    installed = [
        set(match.split(",")) for name, value in instructions if name == "RUN" for match in EXTRAS.findall(value)
    ]
    assert all(names <= extras for names in installed)
    # Only one of the two images has PyTorch.
    assert ["worker" in names for names in installed] == [False, True]


def test_dockerfile_starts_recoq_commands_as_a_user_without_rights(instructions: Instructions) -> None:
    commands = [json.loads(value) for name, value in instructions if name == "CMD"]
    assert len(commands) == 2
    for command in commands:
        assert_is_a_recoq_command(command)
    assert [value for name, value in instructions if name == "USER"] == ["10001:10001"]


def test_procfile_names_recoq_commands() -> None:
    lines = (ROOT / "Procfile").read_text().splitlines()
    processes = dict(line.split(": ", maxsplit=1) for line in lines)
    assert processes == PROCFILE_PROCESSES
    for command in processes.values():
        assert_is_a_recoq_command(shlex.split(command))


def _setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser
