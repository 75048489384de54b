"""Whether processes are confined by the kernel; decoders read it, which have no time for all settings."""

from enum import StrEnum


class SandboxMode(StrEnum):
    """Whether workers are confined by the kernel: where it can, in any case, or not at all."""

    AUTO = "auto"
    REQUIRED = "required"
    OFF = "off"
