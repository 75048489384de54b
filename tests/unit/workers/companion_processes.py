"""The companions of a worker for tests: real processes, which end when the test lets go of their lines."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from config.settings import Settings, read_settings
from workers.companions.start import Companions, Scratch, start_companions, take_over

END_SECONDS = 20


@contextmanager
def companions_of(settings: Settings) -> Iterator[Companions]:
    """Start the companions of a worker with these settings."""
    with ExitStack() as stack:
        scratch = Scratch(Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True))))
        scratch.of_worker.mkdir()
        others = set(psutil.Process().children())
        lines = start_companions(settings, scratch)
        stack.callback(psutil.wait_procs, set(psutil.Process().children()) - others, END_SECONDS)
        companions = take_over([f"{name}={line.detach()}" for name, line in lines.items()])
        for companion in companions.all():
            stack.callback(companion.close)
        yield companions


@contextmanager
def companions_for(weights: Path) -> Iterator[Companions]:
    """Start the companions of a worker whose weights lie in this folder."""
    with companions_of(replace(read_settings(), weights_url=weights.as_uri())) as companions:
        yield companions
