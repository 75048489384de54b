"""No container engine runs these tests, so they hold the deployment files against all that they refer to."""

import configparser
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import redis
import yaml
from click.testing import CliRunner
from dockerfile_parse import DockerfileParser

from cli.main import main
from cli.redis_server import find_redis_binary, free_loopback_port, wait_for_redis
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
DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")
REQUIRED = re.compile(r"\$\{(\w+):\?([^}]+)\}")
PASSWORDS = {"REDIS_PASSWORD": "redis0password", "POSTGRES_PASSWORD": "postgres0password"}
EXTRAS = re.compile(r"'\.\[([\w,]+)\]'")

Compose = dict[str, Any]
Instructions = list[tuple[str, str]]


@pytest.fixture(scope="module")
def compose_text() -> str:
    return (ROOT / "docker-compose.yml").read_text()


@pytest.fixture(scope="module")
def compose(compose_text: str) -> Compose:
    """What Compose reads when nothing but the passwords is set, so that every default of the file applies."""
    text = REQUIRED.sub(lambda match: PASSWORDS[match[1]], DEFAULT.sub(r"\1", compose_text))
    return yaml.safe_load(text.replace("$$", "$"))


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
    assert settings.database_url == "postgresql+psycopg://recoq:postgres0password@postgres:5432/recoq"
    assert settings.redis_url == "redis://:redis0password@redis:6379/0"
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
        assert {config["source"] for config in service.get("configs", [])} <= set(compose["configs"])


def test_services_that_others_wait_for_tell_their_health(compose: Compose) -> None:
    services = compose["services"]
    for service in services.values():
        for name, link in service.get("depends_on", {}).items():
            if link["condition"] == "service_healthy":
                assert services[name]["healthcheck"]["test"]


def test_passwords_have_no_defaults_and_a_sentence_says_what_to_set(compose_text: str) -> None:
    uses = re.findall(r"\$\{?(\w*PASSWORD)\b", compose_text)
    required = REQUIRED.findall(compose_text)
    assert sorted(uses) == sorted(name for name, _ in required)
    assert set(uses) == set(PASSWORDS)
    assert all(".env" in sentence and "openssl rand" in sentence for _, sentence in required)
    example = dict(line.split("=") for line in (ROOT / ".env.example").read_text().splitlines() if line[0] != "#")
    assert [example[name] for name in PASSWORDS] == ["", ""]


def test_passwords_are_part_of_no_command_line(compose: Compose) -> None:
    for service in compose["services"].values():
        spoken = [service.get("command"), service.get("entrypoint"), service.get("healthcheck", {}).get("test")]
        assert not [password for password in PASSWORDS.values() if password in str(spoken)]


@pytest.fixture
def compose_redis(compose: Compose, tmp_path: Path) -> Iterator[redis.Redis]:
    """A Redis with the configuration of the Compose file, at a port of its own."""
    (config,) = compose["services"]["redis"]["configs"]
    assert compose["services"]["redis"]["command"] == ["redis-server", config["target"]]
    file, port = tmp_path / "redis.conf", free_loopback_port()
    file.write_text(compose["configs"][config["source"]]["content"])
    command = [find_redis_binary(), str(file), "--port", str(port), "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        url = f"redis://:{PASSWORDS['REDIS_PASSWORD']}@127.0.0.1:{port}"
        wait_for_redis(url)
        with redis.Redis.from_url(url, decode_responses=True) as client:
            yield client
        process.kill()


def test_redis_keeps_accepted_tasks(compose: Compose, compose_redis: redis.Redis) -> None:
    wanted = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}
    wanted |= {"maxmemory": str(4 * 1024**3), "rdbcompression": "no"}
    assert {name: compose_redis.config_get(name)[name] for name in wanted} == wanted
    assert "redis:/data" in compose["services"]["redis"]["volumes"]


def test_redis_asks_for_the_password_and_its_health_check_has_it(
    compose: Compose, compose_redis: redis.Redis, tmp_path: Path
) -> None:
    port = compose_redis.connection_pool.connection_kwargs["port"]
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    kind, check = compose["services"]["redis"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    # Takes the password from where redis-cli does; the bundled server comes without it.
    client = tmp_path / "redis-cli"
    client.write_text(
        f"#!{sys.executable}\nimport os, sys, redis\n"
        f"client = redis.Redis(port={port}, password=os.environ['REDISCLI_AUTH'])\n"
        "print('PONG' if client.execute_command(*sys.argv[1:]) else '')\n"
    )
    client.chmod(0o700)
    check = check.replace("/etc/redis.conf", str(tmp_path / "redis.conf")).replace("redis-cli", str(client))
    assert subprocess.run(["sh", "-c", check], check=False).returncode == 0
    (tmp_path / "redis.conf").write_text("requirepass another\n")
    assert subprocess.run(["sh", "-c", check], stderr=subprocess.DEVNULL, check=False).returncode == 1


def test_postgres_reads_its_password_from_a_file(compose: Compose) -> None:
    postgres = compose["services"]["postgres"]
    (config,) = postgres["configs"]
    assert postgres["environment"]["POSTGRES_PASSWORD_FILE"] == config["target"]
    assert compose["configs"][config["source"]]["content"] == PASSWORDS["POSTGRES_PASSWORD"]
    assert "POSTGRES_PASSWORD" not in postgres["environment"]


def test_folders_of_the_images_are_for_their_user_alone(instructions: Instructions) -> None:
    (made,) = [value for name, value in instructions if name == "RUN" and "install -d" in value]
    assert "install -d -m 0700 -o recoq -g recoq /var/lib/recoq /var/lib/recoq/weights" in made


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
