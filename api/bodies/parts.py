"""The values that forms hold: bytes with a little about where they came from.

Form text has no type, so a part stays a part until the schema field that receives it says what it should be.
"""

from dataclasses import dataclass, field
from typing import Any

from api.bodies.json_text import JsonError, parse_json, without_mark


@dataclass(frozen=True)
class Part:
    """One value of a form: text, JSON text, or a file when it has a filename or a media type of its own."""

    data: bytes = field(repr=False)
    filename: str | None = None
    content_type: str = ""
    is_url_encoded: bool = False  # and may have a space where a + was sent unescaped

    @property
    def is_json(self) -> bool:
        """Whether the sender called it JSON; it may be plain text all the same."""
        return self.content_type == "application/json"

    def text(self) -> str:
        """Return the text as it was sent.

        Raises:
            ValueError: if it is not UTF-8.
        """
        return self.data.decode()

    def string(self) -> str:
        """Return what a string field should hold: the text as sent, unless it is typed JSON and a JSON string."""
        if self.is_json and self.data[:1] == b'"':
            try:
                value = parse_json(self.data)
            except JsonError:
                return self.text()
            if isinstance(value, str):
                return value
        return self.text()

    def json(self) -> Any:
        """Return the JSON value that the text spells.

        Raises:
            JsonError: if it is not JSON.
        """
        return parse_json(without_mark(self.data))


def plain(value: Any) -> Any:
    """Return ``value`` with every part in it replaced by what it says: JSON where typed so, else text.

    For fields of free form, where no schema says what the text should be.
    """
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if not isinstance(value, Part):
        return value
    if value.is_json:
        try:
            return value.json()
        except JsonError:
            return {"True": True, "False": False}.get(value.text(), value.text())
    return value.text()
