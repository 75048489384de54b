"""Keeps child processes running: starts them, restarts what dies with a growing delay, and stops all of them cleanly.

``recoq up`` runs Redis, the API and a worker under it; ``recoq worker --processes N`` runs N workers.
"""

import ctypes
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 30.0
# A child that dies so long after its last death is restarted without delay growth: ten seconds, less what it takes to
# notice a death.
SETTLED_SECONDS = 9.0
LIVED_SECONDS = 5.0  # at least: one that waits long for its restart has not lived for long
POLL_SECONDS = 0.1

PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True)
class ChildSpec:
    """A process to keep running, and how it stops: within what time, and whether only after those that use it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    stop_timeout_seconds: float = 10.0
    stops_last: bool = False
    inherited_files: Sequence[int] = ()


@dataclass
class _Child:
    spec: ChildSpec
    process: "subprocess.Popen[bytes]"
    started_at: float
    delay_seconds: float
    died_at: float | None = None
    restart_at: float | None = None

    def has_settled(self, now: float) -> bool:
        """Tell whether it was healthy for long enough that its death has nothing to do with the one before."""
        since_death = now - (self.started_at if self.died_at is None else self.died_at)
        return since_death >= SETTLED_SECONDS and now - self.started_at >= LIVED_SECONDS


class Supervisor:
    """Child processes of this one, in the order of their start. To be used from the main thread."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._children: list[_Child] = []

    def start(self, spec: ChildSpec) -> None:
        """Start a child and keep it running from now on."""
        self._children.append(_Child(spec, _spawn(spec), monotonic(), FIRST_DELAY_SECONDS))

    def run(self, stop: threading.Event) -> None:
        """Watch over the children until ``stop`` is set, then stop them."""
        while not stop.wait(POLL_SECONDS):
            for child in self._children:
                self._look_after(child)
        self.stop()

    def stop(self) -> None:
        """Stop the children, those that others use at the end; what does not go in its time is killed."""
        for stops_last in (False, True):
            running = [
                child
                for child in self._children
                if child.spec.stops_last is stops_last and child.process.poll() is None
            ]
            for child in running:
                child.process.terminate()
            for child in running:
                self._wait_for_end(child)
        self._children.clear()

    def _wait_for_end(self, child: _Child) -> None:
        try:
            child.process.wait(child.spec.stop_timeout_seconds)
        except subprocess.TimeoutExpired:
            self._say(f"{child.spec.name} did not stop in time and was killed.")
            child.process.kill()
            child.process.wait()

    def _look_after(self, child: _Child) -> None:
        status = child.process.poll()
        if status is None:
            return
        now = monotonic()
        if child.restart_at is None:
            if child.has_settled(now):
                child.delay_seconds = FIRST_DELAY_SECONDS
            self._say(f"{child.spec.name} died ({_reason(status)}). It starts again in {child.delay_seconds:.0f} s.")
            child.died_at, child.restart_at = now, now + child.delay_seconds
            child.delay_seconds = min(2 * child.delay_seconds, LONGEST_DELAY_SECONDS)
        elif now >= child.restart_at:
            child.process, child.started_at, child.restart_at = _spawn(child.spec), now, None


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and Ctrl-C set from now on."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def run_forever(specs: Sequence[ChildSpec], say: Callable[[str], None]) -> None:
    """Run these processes until SIGTERM or Ctrl-C."""
    stop = stop_on_signals()
    supervisor = Supervisor(say)
    for spec in specs:
        supervisor.start(spec)
    supervisor.run(stop)


def _spawn(spec: ChildSpec) -> "subprocess.Popen[bytes]":
    # A session of its own: Ctrl-C reaches us alone, and we stop the children in order.
    return subprocess.Popen(
        spec.command,
        env=spec.environment,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        start_new_session=True,
        pass_fds=spec.inherited_files,
        preexec_fn=_die_with_parent if _libc else None,  # noqa: PLW1509 - only the main thread starts children
    )


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """Have the kernel stop this child when its supervisor is killed, so that nothing is left behind."""
    if _libc:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _reason(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
