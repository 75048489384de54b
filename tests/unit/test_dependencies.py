"""The part of the audit that needs no network: all is pinned, and no version with a known weakness is let in.

``make audit`` asks PyPI for weaknesses. What it finds is added to ``FIXED_IN``, and no later change lets it in again.
"""

import configparser
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PINNED_BY_TORCH = ("nvidia-", "cuda-", "triton")
LOWER_BOUNDS = (">=", "==", "~=")

# The first version without the weakness, of those packages that read what strangers send.
FIXED_IN = {
    "aiohttp": ("3.12.14", "CVE-2025-53643"),
    "celery": ("5.2.2", "CVE-2021-23727"),
    "certifi": ("2024.7.4", "CVE-2024-39689"),
    "flask": ("3.1.1", "CVE-2025-47278"),
    "flask-cors": ("6.0.0", "CVE-2024-6839"),
    "gevent": ("23.9.0", "CVE-2023-41419"),
    "gunicorn": ("23.0.0", "CVE-2024-6827"),
    "h11": ("0.16.0", "CVE-2025-43859"),
    "idna": ("3.7", "CVE-2024-3651"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "mako": ("1.2.2", "CVE-2022-40023"),
    "marshmallow": ("4.1.2", "CVE-2025-68480"),
    "orjson": ("3.9.15", "CVE-2024-27454"),
    "pillow": ("11.3.0", "CVE-2025-48379"),
    "redis": ("4.5.5", "CVE-2023-28859"),
    "requests": ("2.32.4", "CVE-2024-47081"),
    "setuptools": ("78.1.1", "CVE-2025-47273"),
    "torch": ("2.6.0", "CVE-2025-32434"),
    "urllib3": ("2.6.0", "CVE-2025-66471"),
    "werkzeug": ("3.1.4", "CVE-2025-66221"),
}


def constraints() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def pins() -> dict[str, Version]:
    """The pinned versions of this machine: those of torch are for one platform."""
    return {
        canonicalize_name(each.name): Version(str(each.specifier).removeprefix("=="))
        for each in constraints()
        if each.marker is None or each.marker.evaluate()
    }


def asked_for() -> list[Requirement]:
    """All that setup.cfg asks for, with and without extras."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    texts = [setup["options"]["install_requires"], *dict(setup["options.extras_require"]).values()]
    return [Requirement(line) for text in texts for line in text.split("\n") if line]


def needed(requirements: list[Requirement]) -> Iterator[str]:
    """Yield the names of what is installed for these requirements, and of what those need."""
    waiting = [(each, "") for each in requirements]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ("", *sorted(requirement.extras)):
            if (name, wanted) in seen:
                continue
            seen.add((name, wanted))
            try:
                waiting += [(Requirement(text), wanted) for text in distribution(name).requires or ()]
            except PackageNotFoundError:
                continue  # of an extra that is not installed here
            yield name


def test_all_that_is_installed_is_pinned_and_has_the_pinned_version() -> None:
    installed = {name: Version(distribution(name).version) for name in needed(asked_for())}
    assert len(installed) > 80
    unpinned = installed.keys() - {canonicalize_name(each.name) for each in constraints()}
    assert sorted(name for name in unpinned if not name.startswith(PINNED_BY_TORCH)) == []
    pinned = {name: version for name, version in pins().items() if name in installed}
    assert {name: installed[name] for name in pinned} == pinned


@pytest.mark.parametrize("requirement", asked_for(), ids=str)
def test_pins_are_what_setup_asks_for(requirement: Requirement) -> None:
    pinned = pins().get(canonicalize_name(requirement.name))
    assert pinned is None or requirement.specifier.contains(pinned)


@pytest.mark.parametrize("name", FIXED_IN)
def test_no_version_with_a_known_weakness_is_let_in(name: str) -> None:
    fixed, weakness = FIXED_IN[name]
    lowest = [
        Version(specifier.version)
        for each in asked_for()
        if canonicalize_name(each.name) == name
        for specifier in each.specifier
        if specifier.operator in LOWER_BOUNDS
    ]
    found = [version for version in (*lowest, pins().get(name)) if version is not None]
    assert found, f"{name} is no dependency any more"
    assert min(found) >= Version(fixed), weakness
