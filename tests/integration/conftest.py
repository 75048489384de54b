"""One running service for all integration tests: Redis, API and worker as ``recoq up`` starts them.

A test that needs a service of its own starts it in a copy of a data folder in which the demo models are deployed
already, which spares their deployment.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service import Service, running_service


@pytest.fixture(scope="session")
def deployed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which a service deployed the demo models before it stopped; to be copied, not used."""
    folder = tmp_path_factory.mktemp("deployed") / "data"
    with running_service(folder):
        pass
    return folder


@pytest.fixture
def data_folder(deployed_folder: Path, tmp_path: Path) -> Path:
    """A data folder for this test alone, with the demo models."""
    return shutil.copytree(deployed_folder, tmp_path / "data")


@pytest.fixture(scope="session")
def service(deployed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service") / "data"
    with running_service(shutil.copytree(deployed_folder, folder)) as service:
        yield service


@pytest.fixture(scope="session")
def http(service: Service) -> Iterator[httpx.Client]:
    """An HTTP client with the first account's key."""
    with httpx.Client(base_url=f"{service.url}/v0.7", headers={"X-API-KEY": service.key}, timeout=30) as client:
        yield client
