"""Where the kernel cannot confine a process, that is said, or the process does not start."""

import pytest

from config.sandbox_mode import SandboxMode
from workers.sandbox import confinement
from workers.sandbox.confinement import Confinement, SandboxError, confine

NOTHING = Confinement(readable=())


@pytest.fixture
def old_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel with neither of the two; this process itself is not confined."""
    monkeypatch.setattr(confinement, "abi_version", lambda: 0)
    monkeypatch.setattr(confinement.syscalls, "is_supported", lambda: False)


@pytest.mark.usefixtures("old_kernel")
def test_what_the_kernel_cannot_do_is_said() -> None:
    missing = confine(NOTHING, SandboxMode.AUTO).missing
    assert missing is not None
    assert missing.startswith("This kernel has no Landlock")
    assert "no seccomp filters" in missing


@pytest.mark.usefixtures("old_kernel")
def test_where_confinement_is_required_a_process_does_not_start_without_it() -> None:
    with pytest.raises(SandboxError, match=r"no Landlock.*RECOQ_SANDBOX is required"):
        confine(NOTHING, SandboxMode.REQUIRED)


def test_confinement_can_be_switched_off() -> None:
    assert confine(NOTHING, SandboxMode.OFF).missing == "RECOQ_SANDBOX is off."
