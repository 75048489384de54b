"""Reads the heads of the parts of a multipart body, in a time that hardly depends on what they hold.

Werkzeug looks at each character of a name by itself, which made seconds of a body of long file names. Names of files
decide nothing here: that a part has one makes it a file.
"""

import re
from dataclasses import dataclass, field

from werkzeug.sansio.multipart import Event

MAX_LINES = 100
COUNTING = (b"content-disposition", b"content-type", b"content-encoding", b"content-transfer-encoding")
FILE_NAMES = ("filename", "filename*", "filename*0", "filename*0*")  # with the marks of RFC 2231
_TOKEN = r"[\w!#$%&'*+\-.^`|~]+"  # noqa: S105  # the token of RFC 9110
_PARAMETER = re.compile(
    rf'({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]++|\\[\\"]|\\(?![\\"]))*+)(")?)?[^;]*;?[ \t]*|[^;]*;[ \t]*', re.ASCII
)


@dataclass(frozen=True)
class PartHead(Event):
    """What the head of a part says."""

    name: str | None
    filename: str | None
    headers: dict[str, str] = field(default_factory=dict)  # by name, in lower case; those that count here

    @property
    def content_type(self) -> str:
        """The media type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip(" \t").lower()


def head_end(data: bytearray, start: int) -> tuple[int, int] | None:
    """Return where the head at the beginning of ``data`` ends and its empty line begins, None if that is not there yet.

    ``start`` is where to look from, if all before it was looked through. The empty line is ended by CRLF, CR or LF.
    """
    stop = data.find(b"\r\n\r\n", start)
    ends = [(stop, stop + 2)] if stop >= 0 else []
    for line_break in (b"\n\n", b"\r\r"):
        found = data.find(line_break, start, stop + 1 if stop >= 0 else len(data))
        ends += [(found, found + 1)] if found >= 0 else []
    return min(ends, default=None)


def read_head(data: bytes) -> PartHead:
    """Return what the head ``data`` says; bytes that are not UTF-8 are replaced.

    Raises:
        ValueError: if it has no Content-Disposition, or too many lines.
    """
    text = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    text = text.replace(b"\n ", b" ").replace(b"\n\t", b" ")  # a header may go on in the next line
    lines = text.split(b"\n", MAX_LINES)
    if len(lines) > MAX_LINES:
        raise ValueError("Too many headers")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.strip(b" \t").lower()
        if name in COUNTING:
            headers.setdefault(name.decode(), value.decode(errors="replace").strip(" \t"))
    if "content-disposition" not in headers:
        raise ValueError("Missing Content-Disposition header")
    found = _parameters(headers["content-disposition"])
    filename = next((found[each] for each in FILE_NAMES if each in found), None)
    return PartHead(found.get("name"), filename, headers)


def _parameters(value: str) -> dict[str, str]:
    """Return the parameters of a header by their names; of those that are not whole, none."""
    found: dict[str, str] = {}
    _, _, rest = value.partition(";")
    position, rest = 0, rest.strip(" \t")
    while position < len(rest):
        parameter = _PARAMETER.match(rest, position)
        if parameter is None:
            break
        name, token, quoted, is_whole = parameter.groups()
        if quoted is not None and is_whole is None:
            break
        if token is not None:
            found[name.lower()] = token.replace("%22", '"')
        elif quoted is not None:
            found[name.lower()] = _unquoted(quoted)
        position = parameter.end()
    return found


def _unquoted(text: str) -> str:
    """Return what a quoted text says: quotes are escaped as RFC 9110 says, or as browsers do."""
    return text.replace("\\\\", "\\").replace('\\"', '"').replace("%22", '"')
