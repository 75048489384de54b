"""How the arguments of commands name things: numbers are the account's own, words are the slugs of public ones."""

from urllib.parse import quote

OWN = {"specs": "/recognition/specs", "networks": "/networks"}
PUBLIC = {"specs": "/recognition/public", "networks": "/networks/public"}


def is_public(reference: str) -> bool:
    """Tell whether ``reference`` is a slug."""
    return not (reference.isascii() and reference.isdecimal())


def path_of(kind: str, reference: str) -> str:
    """Return the path of one of the ``specs`` or ``networks``."""
    return f"{(PUBLIC if is_public(reference) else OWN)[kind]}/{quote(reference, safe='')}"


def list_path(kind: str, *, public: bool) -> str:
    """Return the path of all of the ``specs`` or ``networks``."""
    return (PUBLIC if public else OWN)[kind]
