"""What a publication finds, makes, switches and removes. Workers that deploy for real are in the integration tests.

Where a test needs a deployed network, it writes to the registry what such a deployment would have left there.
"""

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.services import Services
from cli import deployments
from cli.errors import CommandError
from cli.main import main
from cli.model_folder import DOWNLOADED_FILE, read_model_folder
from cli.public_networks import PublicNetworks
from cli.publishing import Change, Publication, publish_folder
from config.settings import Settings
from store.errors import NotFound, Unavailable
from store.records import Deployment, NetworkRecord
from store.task_records import Outcome
from tests.files import rights
from tests.unit.cli.models import MODEL, WriteModel

REPORT = {
    "inputs": [{"name": "images", "shape": [3, 8, 8], "dtype": "float32"}],
    "outputs": [{"name": "output", "shape": [2], "dtype": "float32"}],
    "max_batch_size": 16,
}
THRESHOLDS = [{"classification": {"output_tensor": "output", "thresholds": [0.5, 0.6]}}]


def deployed(services: Services, folder: Path, slug: str = "hot-dogs") -> NetworkRecord:
    """Return the network of the folder as it is once a worker has deployed it."""
    network = PublicNetworks(services, read_model_folder(folder), slug).find_or_create()
    services.networks.record_deployment(network.id, Deployment("success", report=REPORT))
    return services.networks.get_by_id(network.id)


def current_version_id(services: Services) -> int | None:
    return services.specs.get(None, "hot-dogs").current_version_id


def assert_nothing_is_left(services: Services, settings: Settings) -> None:
    assert services.networks.list(None, 0, 10).total == 0
    assert services.specs.list(None, 0, 10).total == 0
    assert not [path for path in (settings.data_folder / "weights").rglob("*") if path.is_file()]
    assert services.queue.depth() == 0


@pytest.fixture
def published(services: Services, settings: Settings, write_model: WriteModel) -> Publication:
    """The model ``hot-dogs``, published for the first time."""
    folder = write_model()
    deployed(services, folder)
    return publish_folder(settings, folder)


def test_first_publication_makes_specification_and_version(services: Services, published: Publication) -> None:
    assert published == Publication("hot-dogs", "hot-dogs", published.version_id, Change.CREATED)
    spec = services.specs.get(None, "hot-dogs")
    assert (spec.name, spec.description, spec.metadata) == (
        "Hot dogs",
        "Tells hot dogs from all else.",
        {"owner": "kitchen"},
    )
    assert spec.outputs == MODEL["outputs"]
    assert spec.current_version_id == published.version_id
    runnable = services.versions.runnable(published.version_id)
    assert runnable.network.slug == "hot-dogs"
    assert runnable.network.preprocessing["inputs"][0]["image"]["pixel_scaling"] == 255.0
    assert runnable.version.post_processings[0]["classification"]["thresholds"] == [0.025, 0.025]


def test_slug_can_be_chosen(services: Services, settings: Settings, write_model: WriteModel) -> None:
    folder = write_model()
    deployed(services, folder, "hot-dogs-v2")
    assert publish_folder(settings, folder, slug="hot-dogs-v2").slug == "hot-dogs-v2"
    assert services.specs.get(None, "hot-dogs-v2").name == "Hot dogs"


def test_same_folder_changes_nothing(
    services: Services, settings: Settings, published: Publication, write_model: WriteModel
) -> None:
    before = services.specs.get(None, "hot-dogs"), services.networks.get(None, "hot-dogs")
    assert publish_folder(settings, write_model()) == replace(published, change=Change.NOTHING)
    assert (services.specs.get(None, "hot-dogs"), services.networks.get(None, "hot-dogs")) == before


def test_same_folder_needs_no_redis(settings: Settings, published: Publication, write_model: WriteModel) -> None:
    away = replace(settings, redis_url="redis://127.0.0.1:9/0")
    assert publish_folder(away, write_model()).change is Change.NOTHING


@pytest.mark.parametrize(
    "change", [{"name": "Sausages"}, {"description": "Better."}, {"metadata": {"owner": "bar"}}], ids=str
)
def test_new_description_keeps_the_version(
    services: Services, settings: Settings, published: Publication, write_model: WriteModel, change: dict[str, Any]
) -> None:
    outcome = publish_folder(settings, write_model(**change))
    assert outcome == replace(published, change=Change.DESCRIBED)
    ((name, value),) = change.items()
    assert getattr(services.specs.get(None, "hot-dogs"), name) == value
    assert getattr(services.networks.get(None, "hot-dogs"), name) == value


def test_new_post_processing_is_a_new_version_of_the_same_network(
    services: Services, settings: Settings, published: Publication, write_model: WriteModel
) -> None:
    outcome = publish_folder(settings, write_model(post_processings=THRESHOLDS))
    assert outcome == Publication("hot-dogs", "hot-dogs", outcome.version_id, Change.NEW_VERSION)
    assert outcome.version_id != published.version_id
    assert current_version_id(services) == outcome.version_id
    assert services.networks.list(None, 0, 10).total == 1


def test_earlier_content_switches_back_to_its_version(
    services: Services, settings: Settings, published: Publication, write_model: WriteModel
) -> None:
    publish_folder(settings, write_model(post_processings=THRESHOLDS))
    assert publish_folder(settings, write_model()) == replace(published, change=Change.SWITCHED_BACK)
    assert current_version_id(services) == published.version_id
    assert services.versions.list(None, 0, 10, spec_ref="hot-dogs").total == 2


@pytest.mark.parametrize(
    "change",
    [
        {"weights": b"PK\x03\x04 trained for longer"},
        {"preprocessing": {**MODEL["preprocessing"], "batched_output": False}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_new_network_is_a_new_version_and_the_earlier_one_stays(
    services: Services, settings: Settings, published: Publication, write_model: WriteModel, change: dict[str, Any]
) -> None:
    folder = write_model(**change)
    deployed(services, folder)
    outcome = publish_folder(settings, folder)
    assert outcome == Publication("hot-dogs", "hot-dogs-2", outcome.version_id, Change.NEW_VERSION)
    assert current_version_id(services) == outcome.version_id
    assert services.versions.runnable(published.version_id).network.slug == "hot-dogs"


def test_slug_of_another_network_is_left_to_it(
    services: Services, settings: Settings, published: Publication, write_model: WriteModel
) -> None:
    other = write_model(b"PK\x03\x04 quite another model")
    deployed(services, other, "hot-dogs-2")
    publish_folder(settings, other, slug="hot-dogs-2")
    folder = write_model(b"PK\x03\x04 trained for longer")
    deployed(services, folder)
    assert publish_folder(settings, folder).network_slug == "hot-dogs-3"


def test_other_outputs_are_refused(
    services: Services, settings: Settings, published: Publication, write_model: WriteModel
) -> None:
    labels = {**MODEL["outputs"][0]["labels"], "exclusive": False}
    with pytest.raises(CommandError, match="under another slug, with --slug"):
        publish_folder(settings, write_model(b"PK\x03\x04 other labels", outputs=[{"labels": labels}]))
    assert services.networks.list(None, 0, 10).total == 1
    assert current_version_id(services) == published.version_id


def test_post_processing_that_does_not_fit_the_network_is_refused(
    services: Services, settings: Settings, published: Publication, write_model: WriteModel
) -> None:
    folder = write_model(post_processings=[{"classification": {"output_tensor": "scores"}}])
    with pytest.raises(CommandError, match=r"post_processings\.0\.classification\.output_tensor: The network has no"):
        publish_folder(settings, folder)
    assert current_version_id(services) == published.version_id


@pytest.mark.parametrize("slug", ["", "Hot-Dogs", "7", "hot dogs", "hot/dogs", "a" * 101])
def test_slug_that_cannot_be_in_a_url_is_refused(settings: Settings, write_model: WriteModel, slug: str) -> None:
    with pytest.raises(CommandError, match="cannot be a slug"):
        publish_folder(settings, write_model(), slug=slug)


def test_without_a_worker_nothing_is_published_and_that_is_said(
    services: Services, settings: Settings, write_model: WriteModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployments, "PATIENCE_SECONDS", 0.1)
    said: list[str] = []
    with pytest.raises(CommandError, match=r"did not end in time\. No worker has taken the deployment"):
        publish_folder(settings, write_model(), timeout_seconds=0.3, say=said.append)
    assert said == ["Still waiting. No worker has taken the deployment yet; one starts with: recoq worker"]
    assert_nothing_is_left(services, settings)


def test_failed_deployment_is_told_and_leaves_nothing(
    services: Services, settings: Settings, write_model: WriteModel
) -> None:
    def fail() -> None:
        while True:
            time.sleep(0.01)
            for network in services.networks.list(None, 0, 1).items:
                if network.task_id is not None:
                    services.ledger.finish(network.task_id, None, Outcome(error="The weights cannot be loaded."))
                    return

    worker = threading.Thread(target=fail)
    worker.start()
    with pytest.raises(CommandError) as caught:
        publish_folder(settings, write_model(), timeout_seconds=20)
    worker.join()
    assert str(caught.value) == "The deployment failed: The weights cannot be loaded."
    assert_nothing_is_left(services, settings)


def test_interrupted_publication_leaves_nothing(
    services: Services, settings: Settings, write_model: WriteModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(deployments, "_wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish_folder(settings, write_model())
    assert_nothing_is_left(services, settings)


def test_network_that_a_killed_publication_left_is_deployed_instead_of_another(
    services: Services, settings: Settings, write_model: WriteModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_model()
    left = PublicNetworks(services, read_model_folder(folder), "hot-dogs").find_or_create()

    def succeed(services: Services, task_id: str, *_: object) -> None:
        assert services.networks.get_by_id(left.id).task_id == task_id
        services.networks.record_deployment(left.id, Deployment("success", report=REPORT))

    monkeypatch.setattr(deployments, "_wait", succeed)
    publish_folder(settings, folder)
    assert [network.id for network in services.networks.list(None, 0, 10).items] == [left.id]


def test_without_redis_nothing_is_stored(services: Services, settings: Settings, write_model: WriteModel) -> None:
    with pytest.raises(Unavailable):
        publish_folder(replace(settings, redis_url="redis://127.0.0.1:9/0"), write_model())
    assert_nothing_is_left(services, settings)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["publish", *map(str, arguments)])


def test_command_prints_the_outcome(published: Publication, write_model: WriteModel) -> None:
    result = run(write_model())
    assert result.exit_code == 0
    assert result.stdout == f"hot-dogs is unchanged (version {published.version_id}, network hot-dogs).\n"


def test_command_prints_the_outcome_as_json(published: Publication, write_model: WriteModel) -> None:
    result = run(write_model(), "--json")
    assert json.loads(result.stdout) == {
        "slug": published.slug,
        "network_slug": published.network_slug,
        "version_id": published.version_id,
        "change": "nothing",
    }


def test_command_tells_why_nothing_was_published(
    services: Services, settings: Settings, write_model: WriteModel
) -> None:
    result = run(write_model(), "--timeout", "0.2")
    assert result.exit_code == 1
    assert "recoq worker" in result.stderr
    assert "Traceback" not in result.output
    with pytest.raises(NotFound):
        services.specs.get(None, "hot-dogs")


def test_command_downloads_only_what_is_missing(
    services: Services, published: Publication, write_model: WriteModel
) -> None:
    source = {"weights": "V1", "url": "http://127.0.0.1:9/weights.pth", "sha256_prefix": "01234567"}
    assert run(write_model(download=source), "--download").exit_code == 0
    folder = write_model(download=source)
    (folder / "model.pt2").unlink()
    result = run(folder, "--download")
    assert result.exit_code == 1
    assert "only https URLs are" in result.stderr


@pytest.mark.usefixtures("published")
def test_downloaded_weights_have_the_rights_of_other_files_of_the_user(
    write_model: WriteModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(_source: object, target: Path, *, max_bytes: int) -> None:
        assert max_bytes > 0
        target.write_bytes(b"PK\x03\x04 weights")

    monkeypatch.setattr("cli.publish.download", fetch)
    source = {"weights": "V1", "url": "https://example.com/weights.pth", "sha256_prefix": "01234567"}
    folder = write_model(download=source)
    (folder / "model.pt2").unlink()
    os.umask(0o022)
    run(folder, "--download", "--timeout", "0.2")
    assert rights(folder / DOWNLOADED_FILE) == 0o644
    assert os.umask(0o022) == 0o077  # by then, of what is stored


def test_command_needs_a_database(write_model: WriteModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_DATA", str(tmp_path / "nothing"))
    result = run(write_model())
    assert result.exit_code == 1
    assert "recoq migrate" in result.stderr
