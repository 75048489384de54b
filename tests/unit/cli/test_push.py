"""``recoq push`` against the real API over HTTP. Workers that deploy for real are in the integration tests."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from werkzeug.wrappers import Response

from api.services import Services
from cli.main import main
from config.settings import Settings
from store.task_records import Outcome
from tests.unit.cli.http_server import serving
from tests.unit.cli.models import WriteModel


def push(folder: Path, url: str, key: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["push", str(folder), "--url", url, "--key", key, *options])


def account_id(services: Services, key: str) -> int:
    principal = services.accounts.authenticate(key)
    assert principal is not None
    return principal.account_id


def assert_nothing_is_left(services: Services, settings: Settings, owner: int) -> None:
    assert services.networks.list(owner, 0, 10).total == 0
    assert services.specs.list(owner, 0, 10).total == 0
    assert not [path for path in (settings.data_folder / "weights").rglob("*") if path.is_file()]


def test_without_a_worker_nothing_stays(
    services: Services, settings: Settings, url: str, key: str, write_model: WriteModel
) -> None:
    result = push(write_model(), url, key, "--timeout", "0.3")
    assert result.exit_code == 1
    assert "did not end in time" in result.stderr
    assert_nothing_is_left(services, settings, account_id(services, key))


def test_failed_deployment_is_told_and_nothing_stays(
    services: Services, settings: Settings, url: str, key: str, write_model: WriteModel
) -> None:
    owner = account_id(services, key)

    def fail() -> None:
        while True:
            time.sleep(0.01)
            for network in services.networks.list(owner, 0, 1).items:
                if network.task_id is not None:
                    assert (network.name, network.metadata) == ("Hot dogs", {"owner": "kitchen"})
                    services.ledger.finish(network.task_id, None, Outcome(error="The weights cannot be loaded."))
                    return

    worker = threading.Thread(target=fail)
    worker.start()
    result = push(write_model(), url, key, "--timeout", "20")
    worker.join()
    assert result.exit_code == 1
    assert "Error: The deployment failed: The weights cannot be loaded.\n" in result.stderr
    assert_nothing_is_left(services, settings, owner)


@pytest.fixture
def deploying(services: Services, key: str) -> Iterator[None]:
    """Let every network of the account be deployed."""
    owner, stop = account_id(services, key), threading.Event()

    def deploy() -> None:
        while not stop.wait(0.01):
            for network in services.networks.list(owner, 0, 10).items:
                if network.task_id is not None:
                    services.ledger.finish(network.task_id, None, Outcome(data=b"{}"))

    worker = threading.Thread(target=deploy)
    worker.start()
    yield
    stop.set()
    worker.join()


@pytest.mark.usefixtures("deploying")
@pytest.mark.parametrize("as_json", [True, False])
def test_what_was_created_is_printed(
    as_json: bool, services: Services, url: str, key: str, write_model: WriteModel
) -> None:
    owner = account_id(services, key)
    result = push(write_model(), url, key, *(["--json"] if as_json else []))
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    printed = json.loads(result.stdout) if as_json else {name: int(value) for name, value in lines}
    version = services.versions.get(owner, printed["version"])
    assert (version.spec_id, version.network_id) == (printed["spec"], printed["network"])


@pytest.mark.usefixtures("deploying")
def test_folder_becomes_another_version_of_a_specification(
    services: Services, url: str, key: str, write_model: WriteModel
) -> None:
    owner = account_id(services, key)
    first = json.loads(push(write_model(), url, key, "--json").stdout)
    result = push(write_model(b"PK\x03\x04 better"), url, key, "--spec", str(first["spec"]), "--json")
    assert result.exit_code == 0, result.output
    second = json.loads(result.stdout)
    assert second["spec"] == first["spec"]
    assert second["network"] != first["network"]
    assert f"recoq use {first['spec']} {second['version']}" in result.stderr
    assert services.specs.get(owner, first["spec"]).current_version_id == first["version"]


@pytest.mark.usefixtures("deploying")
def test_version_with_other_labels_is_refused_before_anything_is_sent(
    services: Services, url: str, key: str, write_model: WriteModel
) -> None:
    first = json.loads(push(write_model(), url, key, "--json").stdout)
    labels = [{"id": 0, "name": "hot-dog"}, {"id": 1, "name": "pizza"}]
    other = write_model(outputs=[{"labels": {"labels": labels, "exclusive": True, "roi": "NONE"}}])
    result = push(other, url, key, "--spec", str(first["spec"]))
    assert result.exit_code == 1
    assert "are not those of specification" in result.stderr
    assert services.networks.list(account_id(services, key), 0, 10).total == 1


def test_unknown_key_is_refused(url: str, write_model: WriteModel) -> None:
    result = push(write_model(), url, "rq_wrong")
    assert result.exit_code == 1
    assert "refused the key" in result.stderr
    assert "--key or RECOQ_KEY" in result.stderr


def test_what_the_service_does_not_take_is_told_by_field(url: str, key: str, write_model: WriteModel) -> None:
    result = push(write_model(b"not a zip archive"), url, key)
    assert result.exit_code == 1
    assert "answered 400" in result.stderr
    assert "\n  model.pt2: " in result.stderr


def test_url_and_key_may_come_from_the_environment(
    url: str, write_model: WriteModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOQ_URL", url)
    monkeypatch.setenv("RECOQ_KEY", "rq_wrong")
    result = CliRunner().invoke(main, ["push", str(write_model())])
    assert f"{url} refused the key" in result.stderr


def test_service_that_is_away_is_told(write_model: WriteModel) -> None:
    result = push(write_model(), "http://127.0.0.1:9", "rq_any")
    assert result.exit_code == 1
    assert "http://127.0.0.1:9 cannot be reached" in result.stderr


def test_another_kind_of_service_is_told(write_model: WriteModel) -> None:
    with serving(Response("Welcome!")) as url:
        result = push(write_model(), url, "rq_any")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {url} answered 200 and no JSON object. Is it a Recoq service?\n"


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://"])
def test_url_that_is_none_is_told(url: str, write_model: WriteModel) -> None:
    result = push(write_model(), url, "rq_any")
    assert result.exit_code == 1
    assert "is not the URL of a service" in result.stderr


def test_key_is_needed(write_model: WriteModel) -> None:
    result = CliRunner().invoke(main, ["push", str(write_model())])
    assert result.exit_code == 2
    assert "--key" in result.stderr
