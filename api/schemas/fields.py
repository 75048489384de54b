"""Fields that take JSON values strictly and form text by what the field is.

In JSON a number is a number and ``"1"`` is not. In a form everything is text, so ``1`` is whatever the field says: a
number, true, or the string of one digit.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import orjson
from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.types import ErrorMessages

from api.bodies.json_text import JsonError
from api.bodies.parts import Part, plain
from api.connections.turns import in_slices

LARGEST_INTEGER = 2**63 - 1
MAX_CHARACTERS = 65_536  # of one text; lists show a thousand descriptions in one answer
MAX_OBJECT_BYTES = 65_536  # of an object of any content, as JSON, for the same reason
MOST_FIELDS = 100  # above those of any schema: each unknown one is named
MOST_ERRORS = 100  # of one array
WHOLE_NUMBER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
DECIMAL_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
BOOLEANS = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}
NOTHING = ("", "null", "None")

SCHEMA_MESSAGES = {"type": "Must be an object.", "unknown": "Unknown field."}


def messages(invalid: str) -> ErrorMessages:
    """Return the messages of a field, of which ``invalid`` is its own."""
    return {
        "required": "This field is required.",
        "null": "This field may not be null.",
        "type": invalid,
        "invalid": invalid,
    }


def text_of(value: Part) -> str:
    """Return the text of a part, for fields that are neither string nor JSON."""
    try:
        return value.text().strip()
    except ValueError as error:
        raise ValidationError("Must be text in UTF-8.") from error


def unwrap_json(value: Any) -> Any:
    """Return the JSON value of a part; anything else as it is."""
    if not isinstance(value, Part):
        return value
    try:
        return value.json()
    except JsonError as error:
        raise ValidationError(f"Must be valid JSON: {error}.") from error


class Text(fields.String):
    """A string without NUL, which PostgreSQL cannot store."""

    default_error_messages = messages("Must be a string.")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, Part):
            try:
                value = value.string()
            except ValueError as error:
                raise ValidationError("Must be text in UTF-8.") from error
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if "\x00" in value:
            raise ValidationError("Must not contain NUL characters.")
        if len(value) > MAX_CHARACTERS:
            raise ValidationError(f"Must have at most {MAX_CHARACTERS} characters, and has {len(value)}.")
        return value


class Whole(fields.Integer):
    """An integer that fits in 64 bits and is at least ``minimum``."""

    default_error_messages = messages("Must be an integer.")

    def __init__(self, minimum: int | None = None, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)
        self.minimum = minimum
        if minimum is not None:
            self.metadata = {"minimum": minimum, **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, Part):
            text = text_of(value)
            if self.allow_none and text in NOTHING:
                return None  # type: ignore[return-value]  # as marshmallow itself does for a null
            value = int(text) if WHOLE_NUMBER.fullmatch(text) else None
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.make_error("invalid")
        if self.minimum is not None and value < self.minimum:
            raise ValidationError(f"Must be at least {self.minimum}.")
        if abs(value) > LARGEST_INTEGER:
            raise ValidationError("Must fit in 64 bits.")
        return value


class Real(fields.Float):
    """A finite number, between ``minimum`` and ``maximum`` where given."""

    default_error_messages = messages("Must be a number.")

    def __init__(self, minimum: float = -math.inf, maximum: float = math.inf, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.minimum, self.maximum = minimum, maximum
        bounds = {"minimum": minimum, "maximum": maximum}
        self.metadata = {**{name: bound for name, bound in bounds.items() if math.isfinite(bound)}, **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, Part):
            value = self._number(text_of(value))
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.make_error("invalid")
        if not self.minimum <= value <= self.maximum:
            raise ValidationError(self._bounds())
        return self._validated(value)

    def _number(self, text: str) -> float:
        if not DECIMAL_NUMBER.fullmatch(text):
            raise self.make_error("invalid")
        return float(text)

    def _bounds(self) -> str:
        if math.isinf(self.maximum):
            return f"Must be at least {self.minimum:g}."
        return f"Must be between {self.minimum:g} and {self.maximum:g}."


class Flag(fields.Boolean):
    """True or false."""

    default_error_messages = messages("Must be true or false.")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if isinstance(value, Part):
            value = BOOLEANS.get(text_of(value))
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Record(fields.Nested):
    """An object with a schema of its own."""

    default_error_messages = messages("Must be an object.")

    def _deserialize(self, value: Any, attr: str | None, data: Any, partial: Any = None, **kwargs: Any) -> Any:
        value = unwrap_json(value)
        if value is None and self.allow_none:
            return None
        return super()._deserialize(value, attr, data, partial=partial, **kwargs)


class Items(fields.List[Any]):
    """An array of ``shortest`` to ``longest`` elements, of which no more than ``MOST_ERRORS`` are told to be wrong."""

    default_error_messages = messages("Must be an array.")

    def __init__(self, inner: Any, shortest: int = 0, longest: int | None = None, **kwargs: Any) -> None:
        super().__init__(inner, **kwargs)
        self.shortest, self.longest = shortest, longest
        bounds = {"minItems": shortest or None, "maxItems": longest}
        self.metadata = {**{name: bound for name, bound in bounds.items() if bound is not None}, **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        value = unwrap_json(value)
        if value is None and self.allow_none:
            return None
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if len(value) < self.shortest:
            count = "one element" if self.shortest == 1 else f"{self.shortest} elements"
            raise ValidationError(f"Must have at least {count}.")
        if self.longest is not None and len(value) > self.longest:
            raise ValidationError(f"Must have at most {self.longest} elements.")
        return self._elements(value, **kwargs)

    def _elements(self, value: list[Any], **kwargs: Any) -> list[Any]:
        result: list[Any] = []
        errors: dict[Any, Any] = {}
        for index, each in enumerate(in_slices(value)):
            try:
                result.append(self.inner.deserialize(each, **kwargs))
            except ValidationError as error:
                errors[index] = error.messages
                if len(errors) == MOST_ERRORS:
                    break
        if errors:
            raise ValidationError(errors)
        return result


class FreeObject(fields.Dict):
    """An object of any content that can be stored."""

    default_error_messages = messages("Must be an object.")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            value = plain(unwrap_json(value))
            text = orjson.dumps(value)
        except (ValueError, TypeError) as error:
            raise ValidationError("Must be JSON of text in UTF-8 and numbers of 64 bits.") from error
        if not isinstance(value, dict):
            raise self.make_error("invalid")
        if len(text) > MAX_OBJECT_BYTES:
            raise ValidationError(f"Must have at most {MAX_OBJECT_BYTES} bytes as JSON, and has {len(text)}.")
        if rb"\u0000" in text and _has_nul(value):
            raise ValidationError("Must not contain NUL characters.")
        return value


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\x00" in key or _has_nul(inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return isinstance(value, str) and "\x00" in value


class StrictSchema(Schema):
    """A schema that names every field that it does not know, and says more of those it has words for.

    ``refused`` gives the messages for fields that are known but not taken here. ``image_field`` is the name that a form
    has for an image of the schema, if it has any.
    """

    error_messages = SCHEMA_MESSAGES
    refused: ClassVar[Mapping[str, str]] = {}
    image_field: ClassVar[str] = ""

    def load(self, data: Any, **kwargs: Any) -> Any:
        """Return the object that ``data`` describes."""
        if isinstance(data, Mapping) and len(data) > MOST_FIELDS:
            raise ValidationError(f"Must have at most {MOST_FIELDS} fields.")
        return super().load(data, **kwargs)

    def handle_error(self, error: ValidationError, data: Any, *, many: bool, **kwargs: Any) -> None:
        """Put the messages for refused fields in place, and first."""
        messages = error.messages
        if isinstance(messages, dict) and isinstance(data, Mapping):
            told = {name: [text] for name, text in self.refused.items() if name in data}
            error.messages = {**told, **{key: text for key, text in messages.items() if key not in told}}


class AlternativesSchema(StrictSchema):
    """A schema of which exactly one of the fields named in ``alternatives`` is given."""

    alternatives: ClassVar[tuple[str, ...]] = ()

    @validates_schema
    def check_alternatives(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse none and several of them."""
        if sum(name in data for name in self.alternatives) != 1:
            raise ValidationError(f"Must have exactly one of {', '.join(self.alternatives)}.")
