"""The kernel's confinement of processes that run uploaded networks or talk to strangers' servers."""
