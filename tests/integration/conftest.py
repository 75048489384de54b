"""One running service for all integration tests: Redis, API and worker as ``recoq up`` starts them."""

from collections.abc import Iterator

import httpx
import pytest

from tests.service import Service, running_service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service") / "data") as service:
        yield service


@pytest.fixture(scope="session")
def http(service: Service) -> Iterator[httpx.Client]:
    """An HTTP client with the first account's key."""
    with httpx.Client(base_url=f"{service.url}/v0.7", headers={"X-API-KEY": service.key}, timeout=30) as client:
        yield client
