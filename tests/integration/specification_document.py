"""Reads the code blocks of the user's document about recognition specifications, which lies beside the checkout.

For the test that runs its samples. The document belongs to the user and is no part of this repository.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "shared" / "contract" / "recognition-specification.md"

FENCE = re.compile(r"```(\w*)\s*$")
SECTION = re.compile(r"## (.+)")
# What a definition has in place of a value: {SPEC_ID} (a shell's ${URL} is none), or the dots of create(...).
PLACEHOLDER = re.compile(r"(?<!\$)\{[A-Z_]+\}|\(\.\.\.\)")
BARE_ADDRESS = re.compile(r"(GET|POST|PATCH|PUT|DELETE) https://", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code, with the title of the section that it stands in."""

    section: str
    language: str
    code: str

    @property
    def is_runnable(self) -> bool:
        """Whether it says all of what it does: neither a placeholder nor a mere method and address."""
        return not PLACEHOLDER.search(self.code) and not BARE_ADDRESS.search(self.code)


def blocks_of(text: str) -> Iterator[Block]:
    """Yield the code blocks of a Markdown text in their order."""
    section, language, lines = "", None, list[str]()
    for line in text.splitlines():
        fence = FENCE.match(line)
        if language is None and fence:
            language, lines = fence[1], []
        elif language is not None and fence:
            yield Block(section, language, "\n".join(lines) + "\n")
            language = None
        elif language is not None:
            lines.append(line)
        elif title := SECTION.match(line):
            section = title[1]
