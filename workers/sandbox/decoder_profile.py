"""What a decoder of images may reach: Python, for what it imports late, and the descriptors that it is handed."""

from workers.sandbox.confinement import Confinement
from workers.sandbox.places import LIBRARIES, NULL_DEVICES, RANDOM, paths, python_folders


def decoder() -> Confinement:
    """Return what a decoder may do: read Python, and nothing of the service; no sockets, and no memory to share."""
    return Confinement(
        readable=(*python_folders(), *paths(LIBRARIES, RANDOM, ("/proc/self",))),
        devices=paths(NULL_DEVICES),
        may_share_memory=False,
    )
