"""A pytest plugin that skips whatever starts a process, at the moment when it would: ``pytest -p tests.no_processes``.

What is left takes little time, and runs on every Python at hand (`make pythons`). No list says which
tests these are, so none can be wrong: the interpreter itself announces a new process before it is made. The fixtures
that start servers are such starts too, and skip all that need them.
"""

import sys
from collections.abc import Generator

import pytest

STARTS = frozenset(
    {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn"}
)

_running: list[str] = []


def _refuse(event: str, _: object) -> None:
    if _running and event in STARTS:
        pytest.skip("starts a process")


sys.addaudithook(_refuse)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Refuse new processes while a test, or a fixture of it, runs."""
    _running.append(item.nodeid)
    try:
        return (yield)
    finally:
        _running.pop()
