"""Decoders as a worker has them: real processes, started by a real launcher."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from config.sandbox_mode import SandboxMode
from config.settings import read_settings
from tests.unit.workers.companion_processes import companions_of
from workers.decoders.decoders import Decoders

FAULTS = Path(__file__).parent / "faults"
MAX_BYTES, MAX_PIXELS = 8_000_000, 10_000_000

StartDecoders = Callable[..., Decoders]


@pytest.fixture(scope="module")
def start_decoders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartDecoders]:
    """Starts decoders in a mode of confinement, with the faults of ``sitecustomize.py`` if that is wanted."""
    folder = tmp_path_factory.mktemp("decoders")
    (folder / "secret").write_text("secret")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as environment:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def start(mode: SandboxMode = SandboxMode.AUTO, *, most: int = 2, faulty: bool = False) -> Decoders:
            environment.setenv("RECOQ_SANDBOX", mode.value)
            environment.setenv("PYTHON_TEST_PORT", str(server.getsockname()[1]))
            environment.setenv("PYTHON_TEST_SECRET", str(folder / "secret"))
            rest = os.environ.get("PYTHONPATH", "")
            with pytest.MonkeyPatch.context() as path:
                if faulty:
                    path.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(FAULTS), rest))))
                settings = replace(read_settings(), weights_url=folder.as_uri())
                companions = stack.enter_context(companions_of(settings))
            decoders = Decoders(companions.launcher, most=most, max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS)
            stack.callback(decoders.close)
            return decoders

        yield start
