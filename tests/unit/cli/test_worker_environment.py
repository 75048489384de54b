"""A worker's libraries have defaults of ours, which give way to whatever the operator has said."""

import pytest

from cli.worker_environment import with_defaults
from config.cores import usable_cores

HEAP = {
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "67108864",
    "MALLOC_TOP_PAD_": "67108864",
    "MALLOC_ARENA_MAX": str(usable_cores() + 1),
}
OURS = {"GOMP_SPINCOUNT": "5000", **HEAP}


def test_defaults_are_added() -> None:
    assert with_defaults({"PATH": "/bin"}) == {"PATH": "/bin", **OURS}


@pytest.mark.parametrize(
    ("name", "not_added"),
    [
        ("GOMP_SPINCOUNT", {"GOMP_SPINCOUNT"}),
        ("OMP_WAIT_POLICY", {"GOMP_SPINCOUNT"}),
        *((name, set(HEAP)) for name in (*HEAP, "GLIBC_TUNABLES")),
    ],
)
def test_what_an_operator_says_of_a_matter_stands_alone(name: str, not_added: set[str]) -> None:
    others = {key: value for key, value in OURS.items() if key not in not_added}
    assert with_defaults({name: "set"}) == {name: "set", **others}
