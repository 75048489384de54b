"""Settings come from the environment alone, and a bad one is refused by name."""

import re
from dataclasses import FrozenInstanceError
from ipaddress import ip_network
from pathlib import Path

import pytest

from config.settings import SettingsError, child_environment, read_settings

ROOT = Path(__file__).parents[3]

BAD_VALUES = [
    ("RECOQ_PORT", "0"),
    ("RECOQ_PORT", "65536"),
    ("RECOQ_PORT", "http"),
    ("RECOQ_DATABASE_URL", "mysql://localhost"),
    ("RECOQ_REDIS_URL", "localhost:6379"),
    ("RECOQ_REDIS_APPEND_FSYNC", "no"),
    ("RECOQ_WEIGHTS_URL", "/weights"),
    ("RECOQ_LOG_LEVEL", "loud"),
    ("RECOQ_DEVICE", "tpu"),
    ("RECOQ_DEVICE", "cpu0"),
    ("RECOQ_SANDBOX", "maybe"),
    ("RECOQ_API_PROCESSES", "0"),
    ("RECOQ_MAX_BODY_BYTES", "-1"),
    ("RECOQ_CACHE_BYTES", "0"),
    ("RECOQ_CACHE_BYTES", "4 GiB"),
    ("RECOQ_WORKER_PROCESSES", "none"),
    ("RECOQ_MAX_IMAGE_PIXELS", "many"),
    ("RECOQ_URL_TIMEOUT_SECONDS", "0"),
    ("RECOQ_URL_ALLOWED_NETWORKS", "10.0.0.0/33"),
    ("RECOQ_URL_ALLOWED_NETWORKS", "10.0.0.1/8"),
    ("RECOQ_LEASE_SECONDS", "0.1"),
]


def test_defaults_are_safe_for_one_machine() -> None:
    settings = read_settings()
    assert (settings.host, settings.trusted_proxies, settings.cors_origins) == ("127.0.0.1", 0, ())
    assert settings.url_allowed_networks == ()
    assert settings.embedded_redis


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_bad_value_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        read_settings()


def test_all_bad_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_PORT", "x")
    monkeypatch.setenv("RECOQ_DEVICE", "x")
    with pytest.raises(SettingsError, match=r"(?s)RECOQ_PORT.*RECOQ_DEVICE"):
        read_settings()


def test_everything_moves_with_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_DATA", str(tmp_path))
    settings = read_settings()
    assert settings.database_url == f"sqlite:///{tmp_path}/recoq.db"
    assert settings.weights_url == f"file://{tmp_path}/weights"


def test_passwords_do_not_show_where_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_DATABASE_URL", "postgresql://recoq:hidden@db/recoq")
    monkeypatch.setenv("RECOQ_REDIS_URL", "redis://:hidden@redis:6379/0")
    assert "hidden" not in repr(read_settings())


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_URL_ALLOWED_NETWORKS", "10.0.0.0/8,::1/128")
    monkeypatch.setenv("RECOQ_CORS_ORIGINS", "https://a.example,https://b.example")
    settings = read_settings()
    assert settings.url_allowed_networks == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert settings.cors_origins == ("https://a.example", "https://b.example")


def test_a_redis_that_is_named_is_not_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_REDIS_URL", "redis://elsewhere:6379/0")
    assert not read_settings().embedded_redis


def test_numbers_that_may_be_found_out_are_auto_or_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (read_settings().cache_bytes, read_settings().worker_processes) == (None, 1)
    monkeypatch.setenv("RECOQ_CACHE_BYTES", "1000")
    monkeypatch.setenv("RECOQ_WORKER_PROCESSES", "auto")
    assert (read_settings().cache_bytes, read_settings().worker_processes) == (1000, None)


def test_settings_cannot_change() -> None:
    with pytest.raises(FrozenInstanceError):
        read_settings().port = 1  # type: ignore[misc]


def test_children_inherit_the_environment_with_the_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_PORT", "1234")
    environment = child_environment({"RECOQ_DEVICE": "cpu"})
    assert (environment["RECOQ_PORT"], environment["RECOQ_DEVICE"]) == ("1234", "cpu")


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    source = (ROOT / "config" / "settings.py").read_text()
    in_code = {f"RECOQ_{name}" for name in re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source)}
    in_docs = set(re.findall(r"^\| `(RECOQ_\w+)`", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    assert len(in_code) > 20
    assert in_code == in_docs
