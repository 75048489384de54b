"""``python -m tests.unit.workers.sandbox.attempts``: confines itself, tries to break out, and prints how that went.

Standard input names the profile and where to try; standard output tells, for each attempt, "done" or the error's name.
"""

import ctypes
import errno
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from config.sandbox_mode import SandboxMode
from config.settings import Settings, read_settings
from workers.sandbox import profiles
from workers.sandbox.confinement import Confinement, confine
from workers.sandbox.decoder_profile import decoder

CLONE_NEWUSER = 0x10000000


def confinement(order: dict[str, Any]) -> Confinement:
    settings: Settings = replace(read_settings(), **order["settings"])
    if gpu := order.get("pretend_gpu"):
        settings = replace(settings, device="cuda")
        profiles._OTHER_GPUS = (gpu,)
    if order["profile"] == "decoder":
        return decoder()
    if order["profile"] == "trial":
        return profiles.trial(Path(order["weights"]), Path(order["scratch"]), on_gpu=False)
    return profiles.worker(settings) if order["profile"] == "worker" else profiles.fetcher()


def connect(family: int, address: Any) -> None:
    with socket.socket(family) as client:
        client.settimeout(2)
        client.connect(address)


def listen() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()


def fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def read_memory_of(pid: int) -> None:
    class Part(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    buffer = ctypes.create_string_buffer(1)
    ours, theirs = Part(ctypes.addressof(buffer), 1), Part(id(None), 1)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.process_vm_readv(pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0) < 0:
        number = ctypes.get_errno()
        if number != errno.EFAULT:  # the address is another one there, but one may ask
            raise OSError(number, "process_vm_readv")


def new_namespace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")


def start_thread() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def use_database(file: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("INSERT INTO numbers VALUES (1)")
    connection.close()


def attempts(order: dict[str, Any]) -> dict[str, Callable[[], object]]:
    weights, scratch, parent = Path(order["weights"]), Path(order["scratch"]), os.getppid()
    return {
        "read a secret": Path(order["secret"]).read_bytes,
        "read /etc/shadow": Path("/etc/shadow").read_bytes,
        "list the folder of the secret": lambda: list(Path(order["secret"]).parent.iterdir()),
        "read the weights": (weights / "model").read_bytes,
        "read the weights of others": (weights.with_name("other") / "model").read_bytes,
        "change the weights": lambda: (weights / "model").write_bytes(b"mine"),
        "add to the weights": lambda: (weights / "new").write_bytes(b"mine"),
        "write its scratch": lambda: (scratch / "new").write_bytes(b"mine"),
        "write elsewhere": lambda: Path(order["secret"]).with_name("new").write_bytes(b"mine"),
        "use the database": lambda: use_database(order["database"]),
        "run a program": lambda: subprocess.run(("/bin/true",), check=True),
        "fork": fork,
        "start a thread": start_thread,
        "read its parent's environment": Path(f"/proc/{parent}/environ").read_bytes,
        "read its parent's memory": lambda: read_memory_of(parent),
        "send its parent a signal": lambda: os.kill(parent, 0),
        "enter a namespace": new_namespace,
        "connect to a service": lambda: connect(socket.AF_INET, ("127.0.0.1", order["port"])),
        "connect to another port": lambda: connect(socket.AF_INET, ("127.0.0.1", order["other_port"])),
        "connect to a socket in a folder": lambda: connect(socket.AF_UNIX, order["socket"]),
        "listen": listen,
        "make memory to share": lambda: os.memfd_create("mine"),
    }


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except sqlite3.OperationalError:
        return "OperationalError"
    return "done"


def main() -> None:
    order = json.load(sys.stdin)
    confine(confinement(order), SandboxMode(order["mode"]))
    json.dump({name: outcome(attempt) for name, attempt in attempts(order).items()}, sys.stdout)


if __name__ == "__main__":
    main()
