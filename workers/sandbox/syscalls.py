"""A seccomp filter: the system calls that a confined process never needs, and a break-out would.

Landlock says which files and ports a process reaches; this says what else it may ask of the kernel. No libseccomp is
needed for a list this short, and the bindings of it that are on PyPI have been left alone since 2021. Used by
:mod:`workers.sandbox.confinement`.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

# linux/seccomp.h, linux/bpf_common.h, linux/audit.h, linux/sched.h
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_SPEC_ALLOW = 1 << 2
_KILL_PROCESS, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_LOAD, _RETURN = 0x20, 0x06
_IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT = 0x15, 0x35, 0x45
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_X32_BIT = 0x40000000
_CLONE_THREAD = 0x00010000
_PR_GET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 21, 38


@dataclass(frozen=True)
class _Machine:
    """What the kernel calls an architecture, and its numbers of the system calls."""

    audit: int
    seccomp: int
    numbers: Mapping[str, int]


_SINCE_5_1 = {  # the same numbers everywhere
    "pidfd_send_signal": 424,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "clone3": 435,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "memfd_secret": 447,
}
# asm/unistd_64.h and asm-generic/unistd.h
_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        seccomp=317,
        numbers=_SINCE_5_1
        | {"socket": 41, "connect": 42, "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "ptrace": 101}
        | {"personality": 135, "pivot_root": 155, "chroot": 161, "mount": 165, "umount2": 166, "swapon": 167}
        | {"reboot": 169, "init_module": 175, "delete_module": 176, "kexec_load": 246, "add_key": 248}
        | {"request_key": 249, "keyctl": 250, "unshare": 272, "perf_event_open": 298, "open_by_handle_at": 304}
        | {"setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313}
        | {"kexec_file_load": 320, "bpf": 321, "execveat": 322, "userfaultfd": 323, "shmget": 29, "memfd_create": 319},
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        seccomp=277,
        numbers=_SINCE_5_1
        | {"umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "personality": 92, "unshare": 97}
        | {"kexec_load": 104, "init_module": 105, "delete_module": 106, "ptrace": 117, "reboot": 142, "socket": 198}
        | {"connect": 203, "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220, "execve": 221}
        | {"swapon": 224, "perf_event_open": 241, "open_by_handle_at": 265, "setns": 268, "process_vm_readv": 270}
        | {"process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "bpf": 280, "execveat": 281}
        | {"userfaultfd": 282, "kexec_file_load": 294, "shmget": 194, "memfd_create": 279},
    ),
}
_DECIDED_BY_ARGUMENT = frozenset({"clone", "clone3", "socket", "connect"})
_SHARES_MEMORY = frozenset({"shmget", "memfd_create", "memfd_secret"})


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def is_supported() -> bool:
    """Tell whether the kernel has filters, and this machine's system calls are known here."""
    if platform.system() != "Linux" or platform.machine() not in _MACHINES:
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_GET_SECCOMP) >= 0)


def forbid_needless_calls(families: Iterable[int], *, may_connect: bool, may_share_memory: bool) -> None:
    """Have the kernel refuse from now on, to this thread and all that it starts, what a confined process never needs.

    That is to execute or fork, to trace other processes or reach into their memory, to mount, to enter namespaces, and
    to use the kernel's own machines (bpf, io_uring, keys, modules). Threads may be started. Refused calls fail with
    ``EPERM``.

    Args:
        families: the address families of which sockets may be made.
        may_connect: whether sockets may be connected; otherwise that fails as if nobody listened.
        may_share_memory: whether memory may be made that is no file's and no mapping's.

    Raises:
        OSError: if the kernel has no seccomp filters.
    """
    machine = _MACHINES[platform.machine()]
    kept = _DECIDED_BY_ARGUMENT | (_SHARES_MEMORY if may_share_memory else frozenset())
    refused = machine.numbers.keys() - kept
    program = b"".join(_instructions(machine, tuple(families), refused, may_connect=may_connect))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise _last_error()
    filter_ = _Program(len(program) // 8, program)
    # Speculation stays as the machine has it: what runs here shares its memory with nobody.
    flags = ctypes.c_uint(_SECCOMP_FILTER_FLAG_SPEC_ALLOW)
    if libc.syscall(ctypes.c_long(machine.seccomp), _SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(filter_)):
        raise _last_error()


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _instructions(
    machine: _Machine, families: tuple[int, ...], refused: Set[str], *, may_connect: bool
) -> Iterable[bytes]:
    """Yield the filter; each rule skips itself when the call is another one."""
    yield _step(_LOAD, _ARCHITECTURE_AT)
    yield _step(_IF_EQUAL, machine.audit, then=1)
    yield _step(_RETURN, _KILL_PROCESS)  # 32-bit calls have other numbers, and are not used
    yield _step(_LOAD, _NUMBER_AT)
    if machine is _MACHINES["x86_64"]:
        yield _step(_IF_AT_LEAST, _X32_BIT, otherwise=1)
        yield _step(_RETURN, _KILL_PROCESS)
    for name in sorted(refused):
        yield from _refusal(machine.numbers[name], errno.EPERM)
    # The C library starts its threads by `clone` where there is no `clone3`, whose arguments a filter cannot read.
    yield from _refusal(machine.numbers["clone3"], errno.ENOSYS)
    if not may_connect:
        yield from _refusal(machine.numbers["connect"], errno.ECONNREFUSED)
    yield _step(_IF_EQUAL, machine.numbers["clone"], otherwise=4)
    yield _step(_LOAD, _FIRST_ARGUMENT_AT)
    yield _step(_IF_ANY_BIT, _CLONE_THREAD, otherwise=1)
    yield _step(_RETURN, _ALLOW)
    yield _step(_RETURN, _ERRNO | errno.EPERM)
    yield _step(_IF_EQUAL, machine.numbers["socket"], otherwise=2 + 2 * len(families))
    yield _step(_LOAD, _FIRST_ARGUMENT_AT)
    for family in families:
        yield _step(_IF_EQUAL, family, otherwise=1)
        yield _step(_RETURN, _ALLOW)
    yield _step(_RETURN, _ERRNO | errno.EPERM)
    yield _step(_RETURN, _ALLOW)


def _refusal(number: int, error: int) -> Iterable[bytes]:
    yield _step(_IF_EQUAL, number, otherwise=1)
    yield _step(_RETURN, _ERRNO | error)


def _step(code: int, operand: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, operand)
