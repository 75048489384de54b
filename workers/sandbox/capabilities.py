"""Drops root's privileges in a confined process that root started, such as to look into other processes.

Landlock holds root as well, but not everywhere: whoever has ``CAP_PERFMON`` reads the environments of all processes.
Used by :mod:`workers.sandbox.confinement`.
"""

import ctypes
import os

# linux/capability.h
_VERSION_3 = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2
# Files may be of other users, such as weights in a volume; Landlock says which may be read.
_KEPT = 1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Half(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def drop_capabilities() -> None:
    """Keep of this thread's capabilities, and for all that it starts, those that concern the owners of files.

    Raises:
        OSError: if the kernel does not do that.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    header, halves = _Header(_VERSION_3, 0), (_Half * 2)()
    if libc.capget(ctypes.byref(header), halves):
        raise _last_error()
    for half, kept in zip(halves, (_KEPT, 0), strict=True):
        half.effective &= kept
        half.permitted &= kept
        half.inheritable = 0
    if libc.capset(ctypes.byref(header), halves):
        raise _last_error()


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
