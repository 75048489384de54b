"""A real application on a real SQLite file and a real Redis, and callers of several accounts and roles."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from api.app import create_app
from api.services import Services, open_services
from config.settings import Settings, read_settings
from store.migrate import migrate
from tests.unit.api.callers import PREPROCESSING, Caller, output


@pytest.fixture(scope="session")
def api_settings(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Settings:
    folder: Path = tmp_path_factory.mktemp("api")
    return replace(
        read_settings(),
        data_folder=folder,
        database_url=f"sqlite:///{folder / 'recoq.db'}",
        weights_url=(folder / "weights").as_uri(),
        redis_url=redis_url,
        max_body_bytes=2_000_000,
        max_upload_bytes=3_000_000,
        cors_origins=(),
        trusted_proxies=0,
    )


@pytest.fixture(scope="session")
def services(api_settings: Settings) -> Iterator[Services]:
    migrate(api_settings.database_url)
    opened = open_services(api_settings)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def app(api_settings: Settings, services: Services) -> Flask:
    return create_app(api_settings, services)


@pytest.fixture(scope="session")
def admin(app: Flask, services: Services) -> Caller:
    return Caller(app.test_client(), services.accounts.create_key("home", "admin"))


@pytest.fixture(scope="session")
def reader(app: Flask, services: Services) -> Caller:
    return Caller(app.test_client(), services.accounts.create_key("home", "read"))


@pytest.fixture(scope="session")
def stranger(app: Flask, services: Services) -> Caller:
    return Caller(app.test_client(), services.accounts.create_key("elsewhere", "admin"))


@pytest.fixture
def newcomer(app: Flask, services: Services, request: pytest.FixtureRequest) -> Caller:
    """An admin of an account that has nothing yet."""
    return Caller(app.test_client(), services.accounts.create_key(request.node.name, "admin"))


@pytest.fixture(scope="session")
def version(admin: Caller) -> dict[str, Any]:
    """A version that is the current one of its specification."""
    return admin.version()


@pytest.fixture(scope="session")
def public_network(services: Services) -> str:
    services.networks.create(
        None,
        name="public",
        description="",
        metadata={},
        framework="pytorch-2.x",
        preprocessing=PREPROCESSING,
        postprocessings=[],
        weights_key="0" * 32,
        files=(),
        slug="public-net",
    )
    return "public-net"


@pytest.fixture(scope="session")
def public_spec(services: Services, public_network: str) -> str:
    services.specs.create(None, name="public", description="", metadata={}, outputs=[output()], slug="public-spec")
    services.versions.create(
        None,
        spec_ref="public-spec",
        network_ref=public_network,
        post_processings=[{"classification": {"output_tensor": "output", "thresholds": [0.5, 0.5]}}],
    )
    return "public-spec"
