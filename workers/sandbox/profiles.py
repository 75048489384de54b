"""What each of our confined processes may reach: a worker, the trial of a network, the fetcher of image URLs.

Decoders have :mod:`workers.sandbox.decoder_profile`. A path is named here because something that the process has to do
opens it; see ``docs/security.md``.
"""

import socket
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from config.settings import Settings, authority_files, library_folders
from store.weights import local_weights_folder
from workers.sandbox.backends import Backend, backends
from workers.sandbox.confinement import Confinement
from workers.sandbox.places import LIBRARIES, NULL_DEVICES, RANDOM, paths, python_folders

DNS_PORT = 53  # over TCP, for answers that are too long for a datagram

_NAMES = (
    *("/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols"),
    *("/etc/passwd", "/etc/group"),
)
_AUTHORITIES = ("/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ssl/cert.pem", "/etc/pki", "/etc/ca-certificates")
_RESOLVER = Path("/etc/resolv.conf")
# What the C library, OpenMP and oneDNN ask about cores and memory.
_MACHINE = (
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/self", "/proc/sys/vm", "/proc/filesystems"),
    *("/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm/transparent_hugepage"),
)
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset", "/dev/nvidia-caps")
_OTHER_GPUS = ("/dev/kfd", "/dev/dri", "/dev/dxg")  # AMD's, and Windows' under WSL
_ANYTHING_OF_THE_KERNEL = ("/proc", "/sys")  # a GPU's driver looks around; what belongs to other processes stays closed


def trial(folder: Path, scratch: Path, *, on_gpu: bool) -> Confinement:
    """Return what the trial of a network may do: read Python, torch and its own files, and write its scratch folder."""
    return Confinement(
        readable=(*_python(), *paths(LIBRARIES, RANDOM, _ANYTHING_OF_THE_KERNEL if on_gpu else _MACHINE), folder),
        writable=(scratch,),
        devices=(*paths(NULL_DEVICES), *(_gpus() if on_gpu else ())),
        families=(socket.AF_UNIX,) if on_gpu else (),  # CUDA hands descriptors on through a socket of its own
    )


def worker(settings: Settings) -> Confinement:
    """Return what a worker may do: read weights, use its device, and speak to Redis and the database."""
    used: tuple[Backend, ...] = backends(settings)
    gpus = [] if settings.device == "cpu" else [device for device in _gpus() if device.exists()]
    kernel = _ANYTHING_OF_THE_KERNEL if gpus else _MACHINE
    return Confinement(
        readable=(
            *_python(),
            *paths(LIBRARIES, RANDOM, kernel, _NAMES, _AUTHORITIES),
            *authority_files(),
            *_resolver(),
            *chain.from_iterable(each.certificates for each in used),
            local_weights_folder(settings),
        ),
        writable=(Path(tempfile.gettempdir()), *chain.from_iterable(each.files for each in used)),
        devices=(*paths(NULL_DEVICES), *gpus),
        unix_sockets=tuple(chain.from_iterable(each.unix_sockets for each in used)),
        ports=(DNS_PORT, *chain.from_iterable(each.ports for each in used)),
        families=(socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK),
        may_connect=True,
    )


def fetcher() -> Confinement:
    """Return what the fetcher of image URLs may do: look up names, and connect to any host."""
    return Confinement(
        readable=(
            *_python(),
            *paths(LIBRARIES, RANDOM, _NAMES, _AUTHORITIES, ("/proc/self",)),
            *authority_files(),
            *_resolver(),
        ),
        devices=paths(NULL_DEVICES),
        ports=None,
        families=(socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK),  # no socket of this machine
        may_connect=True,
    )


def _python() -> Iterator[Path]:
    yield from python_folders()
    yield from library_folders()


def _resolver() -> Iterator[Path]:
    """Return the resolver's configuration; where a service writes it, its folder, in which it appears anew."""
    yield _RESOLVER
    if _RESOLVER.is_symlink():
        yield _RESOLVER.resolve().parent


def _gpus() -> Iterator[Path]:
    yield from paths(_GPU_DEVICES, _OTHER_GPUS)
    yield from Path("/dev").glob("nvidia[0-9]*")
