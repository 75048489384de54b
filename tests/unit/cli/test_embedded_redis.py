from dataclasses import replace
from pathlib import Path

import pytest

from cli.embedded_redis import with_running_redis
from cli.redis_server import prepare_redis
from config.settings import read_settings


@pytest.fixture(autouse=True)
def _data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_DATA", str(tmp_path))


def test_redis_of_the_data_folder_is_found(tmp_path: Path) -> None:
    settings = read_settings()
    launch = prepare_redis(settings.data_folder / "redis")
    assert with_running_redis(settings) == replace(settings, redis_url=launch.url)


def test_redis_that_the_environment_names_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_REDIS_URL", "redis://elsewhere/0")
    settings = read_settings()
    prepare_redis(settings.data_folder / "redis")
    assert with_running_redis(settings) == settings


def test_without_any_redis_the_settings_stay() -> None:
    settings = read_settings()
    assert with_running_redis(settings) == settings
