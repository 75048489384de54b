"""What the tests of a worker's parts share."""

import pytest

from tests.unit.workers.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()
