"""Flattened names of form fields."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.bodies.nesting import nest
from api.errors import InvalidRequest


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("a", 1)], {"a": 1}),
        ([("inputs[0]image.source", 1)], {"inputs": [{"image": {"source": 1}}]}),
        ([("inputs[0].image.source", 1)], {"inputs": [{"image": {"source": 1}}]}),
        ([("a[1]", 2), ("a[0]", 1)], {"a": [1, 2]}),
        ([("a.b[0][1]", 2), ("a.b[0][0]", 1)], {"a": {"b": [[1, 2]]}}),
        (
            [("i[0]image.bbox.xmin", 1), ("i[0].image.bbox.xmax", 2)],
            {"i": [{"image": {"bbox": {"xmin": 1, "xmax": 2}}}]},
        ),
    ],
)
def test_names_spell_nested_values(fields: list[tuple[str, Any]], expected: dict[str, Any]) -> None:
    assert nest(fields) == expected


@pytest.mark.parametrize(
    "names",
    [
        ["a", "a"],
        ["a[0]b", "a[0].b"],
        ["a", "a.b"],
        ["a.b", "a"],
        ["a[0]", "a.b"],
        ["a.b", "a[0]"],
        ["a[1]"],
        ["a[0]", "a[2]"],
        ["a[x]"],
        ["a["],
        ["a[]"],
        ["[0]"],
        [".a"],
        ["a..b"],
        ["a]"],
        ["a" + ".b" * 40],
        ["a[99999]"],
        ["a[999999]"],
    ],
)
def test_names_that_spell_nothing_are_refused_by_name(names: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        nest((name, 1) for name in names)
    assert caught.value.errors


keys = st.text("abc_é ", min_size=1, max_size=3)
leaves = st.integers()
trees = st.dictionaries(
    keys,
    st.recursive(
        leaves,
        lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(keys, inner, min_size=1, max_size=3),
        max_leaves=10,
    ),
    max_size=4,
)


def flattened(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """Flatten as the public client does: dots before keys, but not after an index."""
    if isinstance(value, dict):
        separator = "" if not name or name.endswith("]") else "."
        return [pair for key, inner in value.items() for pair in flattened(inner, f"{name}{separator}{key}")]
    if isinstance(value, list):
        return [pair for index, inner in enumerate(value) for pair in flattened(inner, f"{name}[{index}]")]
    return [(name, value)]


@given(trees)
def test_what_the_client_flattens_is_nested_again(tree: dict[str, Any]) -> None:
    assert nest(flattened(tree)) == tree


@given(st.lists(st.tuples(st.text("ab[].01", max_size=8), leaves), max_size=5))
def test_any_names_are_nested_or_refused(fields: list[tuple[str, int]]) -> None:
    with suppress(InvalidRequest):
        assert isinstance(nest(fields), dict)
