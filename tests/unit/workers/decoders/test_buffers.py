"""What a worker shares with its decoders: they can neither shrink nor grow it, nor see what was in it before."""

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from workers.decoders.buffers import MAX_KEPT, MAX_KEPT_BYTES, MIN_BYTES, Buffers


@pytest.mark.parametrize("size", [0, MIN_BYTES - 1, MIN_BYTES + 1, 10 * MIN_BYTES])
def test_a_decoder_cannot_change_the_size_of_shared_memory(size: int) -> None:
    buffer, content = Buffers().lend(MIN_BYTES)
    with pytest.raises(PermissionError):
        os.ftruncate(buffer.descriptor, size)
    content[-1] = 1  # which would end this process if it could


def test_memory_is_cleared_and_used_again_when_its_last_view_is_gone() -> None:
    buffers = Buffers()
    buffer, content = buffers.lend(100)
    buffer.write(b"of another account")
    view = content[3:9].reshape(2, 3)
    del content
    gc.collect()
    assert buffers.lend(100)[0] is not buffer
    assert view.tobytes() == b"anothe"
    del view
    again, content = buffers.lend(100)
    assert again is buffer
    assert not content.any()


def test_what_is_large_or_too_much_goes_back_to_the_system() -> None:
    def open_descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    buffers, before = Buffers(), open_descriptors()
    lent = [buffers.lend(size) for size in (MAX_KEPT_BYTES + 1, *[MIN_BYTES] * (MAX_KEPT + 3))]
    assert lent[0][1].size >= MAX_KEPT_BYTES + 1
    np.testing.assert_array_equal(lent[0][1][:10], 0)
    del lent
    gc.collect()
    assert open_descriptors() - before == 2 * MAX_KEPT  # the memory's own, and that of its mapping
    buffers.close()
    assert open_descriptors() == before
