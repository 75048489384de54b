"""Confines the process that it is called in: from then on the kernel refuses it everything that is not named.

Files and ports are Landlock's matter, other system calls seccomp's. Both bind the calling thread and what it starts,
and cannot be undone, so a process confines itself before it has a second thread. What each of our processes may do is
said in :mod:`workers.sandbox.profiles`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from landlockpy import AccessFS, AccessNet, LandlockError, Ruleset, Scope, abi_version

from config.sandbox_mode import SandboxMode
from workers.sandbox import syscalls
from workers.sandbox.capabilities import drop_capabilities

NETWORK_ABI = 4  # the first Landlock that knows ports: Linux 6.7

_READ = AccessFS.READ_FILE | AccessFS.READ_DIR
_WRITE_FILE = AccessFS.READ_FILE | AccessFS.WRITE_FILE | AccessFS.TRUNCATE
_WRITE_FOLDER = _READ | _WRITE_FILE | AccessFS.MAKE_REG | AccessFS.MAKE_DIR | AccessFS.REMOVE_FILE | AccessFS.REMOVE_DIR
_DEVICE = AccessFS.READ_FILE | AccessFS.WRITE_FILE | AccessFS.IOCTL_DEV
_OF_FILES = _WRITE_FILE | AccessFS.IOCTL_DEV | AccessFS.RESOLVE_UNIX


class SandboxError(Exception):
    """The process cannot be confined although it has to be; the message says what is missing."""


@dataclass(frozen=True)
class Confinement:
    """What a process may do; paths that are not there are left out.

    readable: files, and folders with all below them.
    writable: likewise, to be written as well.
    devices: device files, or folders of them.
    unix_sockets: sockets that may be connected to, or their folders; kernels before Landlock 9 do not ask.
    ports: of TCP, which may be connected to on any host; None for all.
    families: of sockets that may be made.
    may_connect: whether any socket may be connected.
    may_share_memory: whether memory may be made that outlives its mapping, beyond what a limit of addresses counts.
    """

    readable: tuple[Path, ...]
    writable: tuple[Path, ...] = ()
    devices: tuple[Path, ...] = ()
    unix_sockets: tuple[Path, ...] = ()
    ports: tuple[int, ...] | None = ()
    families: tuple[int, ...] = ()
    may_connect: bool = False
    may_share_memory: bool = True


@dataclass(frozen=True)
class Protection:
    """How a process came to be confined: in full, or without what ``missing`` says in a sentence."""

    missing: str | None = None


def confine(confinement: Confinement, mode: SandboxMode) -> Protection:
    """Confine this process, which must not have a second thread yet, as far as the kernel can.

    Raises:
        SandboxError: if the mode is ``required`` and the kernel cannot do all of it.
    """
    if mode is SandboxMode.OFF:
        return Protection("RECOQ_SANDBOX is off.")
    lacks = list(_what_is_missing())
    if lacks and mode is SandboxMode.REQUIRED:
        raise SandboxError(f"{' '.join(lacks)} RECOQ_SANDBOX is required: set it to auto to run without.")
    if abi_version():
        _restrict_paths_and_ports(confinement)
    if syscalls.is_supported():  # so it is Linux
        drop_capabilities()
        syscalls.forbid_needless_calls(
            confinement.families,
            may_connect=confinement.may_connect,
            may_share_memory=confinement.may_share_memory,
        )
    return Protection(" ".join(lacks) or None)


def _what_is_missing() -> Iterable[str]:
    version = abi_version()
    if version == 0:
        yield "This kernel has no Landlock, so files and connections are not confined."
    elif version < NETWORK_ABI:
        yield f"The Landlock of this kernel is of version {version}, so connections are not confined."
    if not syscalls.is_supported():
        yield "This kernel has no seccomp filters for this machine, so system calls are not confined."


def _restrict_paths_and_ports(confinement: Confinement) -> None:
    network = AccessNet.BIND_TCP
    if confinement.ports is not None:
        network |= AccessNet.CONNECT_TCP
    with Ruleset(handled_net=network, scoped=Scope.ABSTRACT_UNIX_SOCKET | Scope.SIGNAL) as rules:
        _allow(rules, confinement.readable, _READ)
        _allow(rules, confinement.writable, _WRITE_FOLDER)
        _allow(rules, confinement.devices, _DEVICE | AccessFS.READ_DIR)
        _allow(rules, confinement.unix_sockets, AccessFS.RESOLVE_UNIX)
        for port in confinement.ports or ():
            rules.allow_port(port, AccessNet.CONNECT_TCP)
        rules.restrict()


def _allow(rules: Ruleset, paths: Iterable[Path], access: AccessFS) -> None:
    for path in paths:
        try:
            rules.allow_path(path, access if path.is_dir() else access & _OF_FILES)
        except LandlockError as error:  # it names no path
            raise SandboxError(f"The kernel takes no rule for {path}: {error.strerror}.") from error
        except OSError:  # it is not there, or not for this user, who cannot read it anyway
            continue
