"""What the commands work on: a fresh database and weight store, the test run's Redis, and a model folder."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.services import Services, open_services
from config.settings import Settings, read_settings
from store.migrate import migrate
from tests.unit.cli.http_server import serving
from tests.unit.cli.models import MODEL, WriteModel


@pytest.fixture
def settings(tmp_path: Path, empty_redis: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that every command of the test reads from its environment; the database has its tables."""
    data_folder = tmp_path / "data"
    data_folder.mkdir()
    monkeypatch.setenv("RECOQ_DATA", str(data_folder))
    monkeypatch.setenv("RECOQ_REDIS_URL", empty_redis)
    settings = read_settings()
    migrate(settings.database_url)
    return settings


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    services = open_services(settings)
    yield services
    services.close()


@pytest.fixture
def url(settings: Settings, services: Services) -> Iterator[str]:
    with serving(create_app(settings, services)) as url:
        yield url


@pytest.fixture
def key(services: Services) -> str:
    return services.accounts.create_key("robots", "admin")


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """Write the folder ``hot-dogs``: ``changes`` replace fields of model.json, ``weights`` is its network's file."""

    def write(weights: bytes = b"PK\x03\x04 weights", **changes: Any) -> Path:
        folder = tmp_path / "hot-dogs"
        folder.mkdir(exist_ok=True)
        (folder / "model.json").write_text(json.dumps({**MODEL, **changes}))
        (folder / "model.pt2").write_bytes(weights)
        return folder

    return write
