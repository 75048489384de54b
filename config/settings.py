"""Reads the environment once, at start, into one frozen object that is passed on.

This is the only module that looks at environment variables. Every setting is a variable whose name starts
with ``RECOQ_``; a bad value is refused here, by name, before anything else starts. ``docs/settings.md`` lists them all.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from environs import Env, EnvValidationError
from marshmallow import ValidationError
from marshmallow.validate import OneOf, Range, Regexp

from config.data_folder import DATABASE_FILE, WEIGHTS_FOLDER
from config.sandbox_mode import SandboxMode

MEBIBYTE = 1024 * 1024
AUTO = "auto"
NUMBER_OR_AUTO = Regexp(r"(auto|[1-9]\d*)$", error="Must be auto, or an integer from 1.")

Network = IPv4Network | IPv6Network


class SettingsError(Exception):
    """A setting has a value that cannot be used; the message names each one and says why."""


@dataclass(frozen=True)
class Settings:
    """All settings of a process; the comments of each group say which process reads it."""

    # Where things are: every process.
    data_folder: Path
    database_url: str = field(repr=False)  # it may hold a password, as the next
    redis_url: str = field(repr=False)
    embedded_redis: bool  # whether `recoq up` starts a Redis of its own: unless RECOQ_REDIS_URL names one
    redis_max_memory_bytes: int  # of the embedded one, as the next
    redis_append_fsync: str
    weights_url: str
    log_level: str

    # The HTTP API.
    host: str
    port: int
    api_processes: int
    operator_account: str
    api_connections: int
    api_connections_per_client: int | None  # of each API process; None: three quarters of them
    cors_origins: tuple[str, ...]
    trusted_proxies: int
    max_body_bytes: int
    body_memory_bytes: int
    body_seconds: float
    max_upload_bytes: int
    task_ttl_seconds: int
    max_requests_per_second: int
    max_pending_tasks: int
    max_pending_tasks_per_account: int
    max_staged_bytes: int
    max_staged_bytes_per_account: int

    # The workers.
    device: str
    sandbox: SandboxMode
    worker_threads: int
    max_batch_size: int
    worker_processes: int | None  # on one device; None: as many as its cores keep busy
    cache_bytes: int | None  # None: what there is room for
    pinned_networks: tuple[str, ...]
    weights_cache_bytes: int
    max_image_bytes: int
    max_image_pixels: int
    decode_memory_bytes: int
    url_fetches: int
    url_timeout_seconds: float
    url_max_redirects: int
    url_allowed_networks: tuple[Network, ...]
    lease_seconds: float
    max_attempts: int
    drain_seconds: float
    device_timeout_seconds: float
    load_timeout_seconds: float
    load_memory_bytes: int


def _check_networks(values: list[str]) -> None:
    for value in values:
        try:
            ip_network(value)
        except ValueError as error:
            raise ValidationError(f"{error}. Give networks such as 10.0.0.0/8, separated by commas.") from error


def _number_or_auto(value: str | None) -> int | None:
    return int(value) if value and value.isdecimal() else None


def read_settings() -> Settings:
    """Return the settings of this process.

    Raises:
        SettingsError: with one line for each variable that cannot be used.
    """
    env = Env(prefix="RECOQ_", eager=False)
    positive = Range(min=1)
    data_folder: Path = env.path("DATA", Path("var"))
    data_folder = data_folder.expanduser().absolute()
    cors_origins: list[str] | None = env.list("CORS_ORIGINS", [])  # None: a bad value, reported with the others below
    pinned_networks: list[str] | None = env.list("PINNED_NETWORKS", [])
    networks: list[str] | None = env.list("URL_ALLOWED_NETWORKS", [], validate=_check_networks)
    settings = Settings(
        data_folder=data_folder,
        database_url=env.str(
            "DATABASE_URL",
            f"sqlite:///{data_folder / DATABASE_FILE}",
            validate=Regexp(r"(sqlite|postgresql)[+\w]*://", error="Must start with sqlite:// or postgresql://."),
        ),
        redis_url=env.str(
            "REDIS_URL",
            "redis://127.0.0.1:6379/0",
            validate=Regexp(r"(rediss?|unix)://", error="Must start with redis://, rediss:// or unix://."),
        ),
        embedded_redis="RECOQ_REDIS_URL" not in os.environ,
        redis_max_memory_bytes=env.int("REDIS_MAX_MEMORY_BYTES", 4096 * MEBIBYTE, validate=Range(min=64 * MEBIBYTE)),
        redis_append_fsync=env.str("REDIS_APPEND_FSYNC", "everysec", validate=OneOf(["everysec", "always"])),
        weights_url=env.str(
            "WEIGHTS_URL",
            (data_folder / WEIGHTS_FOLDER).as_uri(),
            validate=Regexp(r"[a-z0-9]+://", error="Must be a URL such as file:///srv/weights or s3://bucket/weights."),
        ),
        log_level=env.str("LOG_LEVEL", "INFO", validate=OneOf(["DEBUG", "INFO", "WARNING", "ERROR"])),
        host=env.str("HOST", "127.0.0.1"),
        port=env.int("PORT", 8000, validate=Range(min=1, max=65535)),
        api_processes=env.int("API_PROCESSES", 2, validate=positive),
        operator_account=env.str("OPERATOR_ACCOUNT", "default"),
        api_connections=env.int("API_CONNECTIONS", 10_000, validate=positive),
        api_connections_per_client=_number_or_auto(
            env.str("API_CONNECTIONS_PER_CLIENT", AUTO, validate=NUMBER_OR_AUTO)
        ),
        cors_origins=tuple(cors_origins or ()),
        trusted_proxies=env.int("TRUSTED_PROXIES", 0, validate=Range(min=0)),
        max_body_bytes=env.int("MAX_BODY_BYTES", 64 * MEBIBYTE, validate=positive),
        body_memory_bytes=env.int("BODY_MEMORY_BYTES", 1024 * MEBIBYTE, validate=positive),
        body_seconds=env.float("BODY_SECONDS", 60.0, validate=Range(min=1)),
        max_upload_bytes=env.int("MAX_UPLOAD_BYTES", 2048 * MEBIBYTE, validate=positive),
        task_ttl_seconds=env.int("TASK_TTL_SECONDS", 24 * 3600, validate=positive),
        max_requests_per_second=env.int("MAX_REQUESTS_PER_SECOND", 0, validate=Range(min=0)),
        max_pending_tasks=env.int("MAX_PENDING_TASKS", 200_000, validate=positive),
        max_pending_tasks_per_account=env.int("MAX_PENDING_TASKS_PER_ACCOUNT", 100_000, validate=positive),
        max_staged_bytes=env.int("MAX_STAGED_BYTES", 1024 * MEBIBYTE, validate=positive),
        max_staged_bytes_per_account=env.int("MAX_STAGED_BYTES_PER_ACCOUNT", 512 * MEBIBYTE, validate=positive),
        device=env.str(
            "DEVICE", "auto", validate=Regexp(r"(auto|cpu|cuda(:\d+)?)$", error="Must be auto, cpu, cuda or cuda:N.")
        ),
        sandbox=env.enum("SANDBOX", SandboxMode.AUTO, enum=SandboxMode, by_value=True),
        worker_threads=env.int("WORKER_THREADS", 32, validate=positive),
        max_batch_size=env.int("MAX_BATCH_SIZE", 16, validate=positive),
        worker_processes=_number_or_auto(env.str("WORKER_PROCESSES", "1", validate=NUMBER_OR_AUTO)),
        cache_bytes=_number_or_auto(env.str("CACHE_BYTES", AUTO, validate=NUMBER_OR_AUTO)),
        pinned_networks=tuple(pinned_networks or ()),
        weights_cache_bytes=env.int("WEIGHTS_CACHE_BYTES", 20 * 1024 * MEBIBYTE, validate=positive),
        max_image_bytes=env.int("MAX_IMAGE_BYTES", 32 * MEBIBYTE, validate=positive),
        max_image_pixels=env.int("MAX_IMAGE_PIXELS", 100_000_000, validate=positive),
        decode_memory_bytes=env.int("DECODE_MEMORY_BYTES", 2048 * MEBIBYTE, validate=positive),
        url_fetches=env.int("URL_FETCHES", 64, validate=positive),
        url_timeout_seconds=env.float("URL_TIMEOUT_SECONDS", 10.0, validate=Range(min=0, min_inclusive=False)),
        url_max_redirects=env.int("URL_MAX_REDIRECTS", 5, validate=Range(min=0)),
        url_allowed_networks=tuple(ip_network(network) for network in networks or ()),
        lease_seconds=env.float("LEASE_SECONDS", 5.0, validate=Range(min=1)),
        max_attempts=env.int("MAX_ATTEMPTS", 3, validate=positive),
        drain_seconds=env.float("DRAIN_SECONDS", 30.0, validate=Range(min=0)),
        device_timeout_seconds=env.float("DEVICE_TIMEOUT_SECONDS", 120.0, validate=Range(min=1)),
        load_timeout_seconds=env.float("LOAD_TIMEOUT_SECONDS", 300.0, validate=Range(min=1)),
        load_memory_bytes=env.int("LOAD_MEMORY_BYTES", 8192 * MEBIBYTE, validate=positive),
    )
    try:
        env.seal()
    except EnvValidationError as error:
        messages: Any = error.error_messages
        raise SettingsError("\n".join(f"{name}: {' '.join(messages[name])}" for name in messages)) from error
    return settings


def child_environment(overrides: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process that we start: ours, with these variables set."""
    return {**os.environ, **overrides}


# What libraries and the system are told through the environment; all else may be a password.
_HARMLESS_VARIABLES = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_HARMLESS_PREFIXES = (
    *("LC_", "LD_", "PYTHON", "MALLOC_", "GLIBC_"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "DNNL_", "ONEDNN_", "OPENBLAS_"),
    *("TORCH_", "PYTORCH_", "ATEN_", "CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_", "HIP_", "ROCR_"),
)


def environment_without_secrets(*further: str) -> dict[str, str]:
    """Return the environment for a process that may come to run what others uploaded, or to talk to their servers.

    It has what the system and the libraries below torch look for, and variables whose names begin as ``further`` says.
    """
    prefixes = (*_HARMLESS_PREFIXES, *further)
    return {
        name: value for name, value in os.environ.items() if name in _HARMLESS_VARIABLES or name.startswith(prefixes)
    }


def library_folders() -> tuple[Path, ...]:
    """Return the folders in which the system's loader looks for libraries besides its own."""
    return tuple(Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder)


def authority_files() -> tuple[Path, ...]:
    """Return the files and folders of certificate authorities that the operator names to OpenSSL."""
    names = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    return tuple(Path(name) for name in names if name)
