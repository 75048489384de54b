"""Each pinned package has a wheel for each Python that Recoq names: nothing is compiled on a user's machine.

``wheels.txt`` says which files pip takes where; `make wheels` writes it anew, with access to the package index.
"""

import configparser
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import (
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from tests.named_tests import ROOT

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64", "aarch64")
GLIBC_MINOR = 28

Pin = tuple[NormalizedName, Version]


def pins() -> list[Pin]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    requirements = [Requirement(line) for line in lines if not line.startswith("#")]
    return [(canonicalize_name(each.name), Version(str(each.specifier).removeprefix("=="))) for each in requirements]


def files() -> list[str]:
    return [line for line in (ROOT / "wheels.txt").read_text().splitlines() if not line.startswith("#")]


def parsed(file: str) -> tuple[Pin, frozenset[Tag]]:
    """Return what a file is a release of, and where it can be installed: an sdist has no tags."""
    try:
        name, version, _, tags = parse_wheel_filename(file)
    except InvalidWheelFilename:
        return parse_sdist_filename(file), frozenset()
    return (name, version), tags


def tags_of(python: str, machine: str) -> set[Tag]:
    """Return the tags of the wheels that this Python installs on a Linux machine with glibc 2.28."""
    major, minor = (int(number) for number in python.split("."))
    platforms = [f"manylinux_2_{glibc}_{machine}" for glibc in range(GLIBC_MINOR, 4, -1)]
    platforms += [f"{legacy}_{machine}" for legacy in ("manylinux1", "manylinux2010", "manylinux2014", "linux")]
    interpreter = f"cp{major}{minor}"
    return {
        *cpython_tags((major, minor), platforms=platforms),
        *compatible_tags((major, minor), interpreter=interpreter, platforms=platforms),
    }


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("python", PYTHONS)
def test_every_pinned_package_has_a_wheel(python: str, machine: str) -> None:
    installable = tags_of(python, machine)
    covered = {release for release, tags in map(parsed, files()) if tags & installable}
    assert [f"{name}=={version}" for name, version in pins() if (name, version) not in covered] == []


def test_list_of_wheels_is_that_of_the_constraints() -> None:
    assert {release for release, _ in map(parsed, files())} == set(pins()), "run `make wheels`"


def test_all_say_the_same_pythons() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    classified = re.findall(r"Python :: (3\.\d+)$", setup["metadata"]["classifiers"], re.MULTILINE)
    assert tuple(classified) == PYTHONS
    assert setup["options"]["python_requires"] == f">={PYTHONS[0]}"
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in (ROOT / "README.md").read_text()
    script = (ROOT / "scripts" / "create-venv").read_text()
    assert tuple(sorted(set(re.findall(r"python(3\.\d+)\b", script)))) == PYTHONS
    listing = Path(ROOT / "scripts" / "list_wheels.py").read_text()
    assert f"PYTHONS = {PYTHONS}".replace("'", '"') in listing
