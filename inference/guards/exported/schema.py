"""Walks the JSON of an exported program by torch's own schema, whose dataclasses say which field is what.

So a key of a map is never taken for a field, each text is judged as what it is, and what the schema does not know is
refused. Used by :mod:`inference.guards.exported.program`.
"""

import dataclasses
from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import torch
from torch._export.serde import schema as torch_schema
from torch._export.serde.union import _Union

from inference.errors import NetworkError
from inference.guards.exported.fields import TEXTS, WHOLE_CLASSES, WHOLE_FIELDS, Check
from inference.guards.exported.names import refuse_text

_NON_FINITE = frozenset({"Infinity", "-Infinity", "NaN"})


def check_program_json(value: Any) -> None:
    """Check the JSON of a whole program.

    Raises:
        NetworkError: with what in it is not accepted.
    """
    _check_of(torch_schema.ExportedProgram, "ExportedProgram")(value)


def check_payloads_json(value: Any) -> None:
    """Check the JSON that lists weights or constants.

    Raises:
        NetworkError: with what in it is not accepted.
    """
    _check_of(torch_schema.PayloadConfig, "PayloadConfig")(value)


def _require(holds: bool, place: str) -> None:
    if not holds:
        raise NetworkError(f"The exported program's {place} is not of the type that torch {torch.__version__} reads.")


@cache
def _check_of(kind: Any, place: str) -> Check:
    """Return the check for values of a type that stand in a place, such as ``Node.target``."""
    if place in WHOLE_FIELDS:
        return _typed(dict, place, WHOLE_FIELDS[place])
    if isinstance(kind, type):
        return _check_of_class(kind, place)
    arguments = get_args(kind)
    if get_origin(kind) is list:
        return _list_check(_check_of(arguments[0], place), place)
    if get_origin(kind) is dict:
        return _map_check(arguments[1], place)
    (required,) = (argument for argument in arguments if argument is not NoneType)
    check = _check_of(required, place)
    return lambda value: None if value is None else check(value)


def _check_of_class(kind: type, place: str) -> Check:
    if kind is str:
        return _typed(str, place, TEXTS.get(place, refuse_text))
    if kind is float:
        return lambda value: _require(_is_number(value), place)
    if issubclass(kind, IntEnum):
        members = frozenset(int(member) for member in kind)
        return lambda value: _require(type(value) is int and value in members, place)
    if kind in (int, bool):
        return lambda value: _require(type(value) is kind, place)
    return _typed(dict, place, _union_check(kind) if issubclass(kind, _Union) else _record_check(kind))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) or (isinstance(value, str) and value in _NON_FINITE)


def _typed(kind: type, place: str, check: Check) -> Check:
    def typed_check(value: Any) -> None:
        _require(isinstance(value, kind), place)
        check(value)

    return typed_check


def _list_check(check: Check, place: str) -> Check:
    def check_list(value: Any) -> None:
        for element in value:
            check(element)

    return _typed(list, place, check_list)


def _map_check(kind: Any, place: str) -> Check:
    check_key, check_element = TEXTS.get(f"{place} keys", refuse_text), _check_of(kind, place)

    def check_map(value: Any) -> None:
        for key, element in value.items():
            check_key(key)
            check_element(element)

    return _typed(dict, place, check_map)


@cache
def _fields_of(kind: type) -> Mapping[str, Check]:
    hints = get_type_hints(kind, globalns=vars(torch_schema))
    fields: Any = dataclasses.fields(kind)
    return {field.name: _check_of(hints[field.name], f"{kind.__name__}.{field.name}") for field in fields}


@cache
def _required_fields_of(kind: type) -> frozenset[str]:
    missing = dataclasses.MISSING
    fields: Any = dataclasses.fields(kind)
    return frozenset(field.name for field in fields if field.default is missing and field.default_factory is missing)


def _field_check(kind: type, name: str) -> Check:
    check = _fields_of(kind).get(name)
    if check is None:
        raise NetworkError(
            f"The exported program's {kind.__name__} has the field {name[:80]!r},"
            f" which torch {torch.__version__} does not know."
        )
    return check


def _union_check(kind: type) -> Check:
    def check_union(value: Any) -> None:
        _require(len(value) == 1, kind.__name__)
        for name, element in value.items():
            _field_check(kind, name)(element)

    return check_union


def _record_check(kind: type) -> Check:
    def check_record(value: Any) -> None:
        for name, element in value.items():
            _field_check(kind, name)(element)
        if missing := sorted(_required_fields_of(kind) - value.keys()):
            raise NetworkError(f"The exported program's {kind.__name__} lacks the field {missing[0]!r}.")
        if whole_check := WHOLE_CLASSES.get(kind.__name__):
            whole_check(value)

    return check_record
