"""The pickles of a TorchScript archive make what torch writes there, within the storages that are there."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.unit.inference.guards.scripts import STATE, refusal_of, write_code, written
from tests.unit.inference.seeded_networks import rewrite_archive

# Scripting, tracing and quantizing are deprecated; what users exported before has to load.
pytestmark = pytest.mark.filterwarnings("ignore")


class Weights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 2))
        scales, zeros = torch.full((3,), 0.5), torch.zeros(3)
        quantized = torch.quantize_per_channel(torch.ones(3, 2), scales, zeros, 0, torch.qint8)
        self.register_buffer("quantized", quantized)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.weight + torch.dequantize(self.quantized).sum()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(Weights(), tmp_path / "model.torchscript")


def replaced(old: bytes, new: bytes) -> Callable[[dict[str, bytes]], None]:
    def change(entries: dict[str, bytes]) -> None:
        assert entries["data.pkl"].count(old) >= 1
        entries["data.pkl"] = entries["data.pkl"].replace(old, new, 1)

    return change


def test_weights_as_torch_writes_them_are_accepted(path: Path) -> None:
    assert refusal_of(path) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (replaced(b"K\x02K\x02t", b"M\x00\x40K\x02t"), "larger than its storage"),  # its sizes
        (replaced(b"(K\x02K\x01t", b"(M\x00\x40K\x01t"), "larger than its storage"),  # its strides
        (replaced(b"K\x04tQ", b"M\x00\x40tQ"), "has not the 65536 bytes"),  # its storage, which torch believes
        (replaced(b"K\x04tQ", b"J\xff\xff\xff\xfftQ"), "has not the -4 bytes"),
        (replaced(b"K\x02K\x02t", b"J\xff\xff\xff\xffK\x02t"), "sizes and strides that do not fit"),
        (replaced(b"K\x02K\x02t", b"K\x02K\x02K\x01t"), "sizes and strides that do not fit"),
        (replaced(b"(K\x03t", b"(K\x02t"), "one scale and zero point for each channel"),
        (replaced(b"torch\nFloatStorage", b"torch\nDoubleStorage"), "bytes that a tensor needs"),
        (replaced(b"torch\nFloatStorage", b"torch\nQUInt4x2Storage"), "it names 'torch QUInt4x2Storage'"),
        (replaced(b"_rebuild_tensor_v2", b"_rebuild_sparse_tensor"), "it names 'torch._utils _rebuild_sparse_tensor'"),
        (replaced(b"ctorch._utils\n_rebuild_qtensor", b"cposix\nsystem"), "it names 'posix system'"),
        (replaced(b"c__torch__", b"c\\137_torch__"), "it names"),
        (replaced(b"X\x03\x00\x00\x00cpu", b"X\x03\x00\x00\x00c u"), "names the device 'c u'"),
        (replaced(b"X\x01\x00\x00\x000", b"X\x01\x00\x00\x00."), "the storage 'data/.'"),
        (lambda entries: entries.pop("data/0"), "the storage 'data/0' has not the 16 bytes"),
        (lambda entries: entries.update({"data/0": b"\0"}), "the storage 'data/0' has not the 16 bytes"),
    ],
)
def test_weights_that_reach_beyond_their_storage_are_refused(
    path: Path, change: Callable[[dict[str, bytes]], None], reason: str
) -> None:
    rewrite_archive(path, change)
    assert reason in str(refusal_of(path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (STATE[:-1], "it is cut off"),
        (b"\x80\x02.", "it is not one value"),
        (b"\x80\x02(.", "it is not one value"),
        (b"\x80\x02K\x01K\x02.", "it is not one value"),
        (b"\x80\x02t.", "is not a pickle that torch writes"),
        (b"\x80\x02h\x05.", "is not a pickle that torch writes"),
        (b"\x80\x02(\x85.", "takes a value that is not there"),
        (b"\x80\x02K\x01R.", "takes a value that is not there"),
        (b"\x80\x02K\x00K\x01R.", "it has a int in place of a Global"),
        (b"\x80\x02K\x00r\xff\xff\xff\x7f.", "remembers more than it holds"),
        (b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.", "it names 'os system'"),
        (b"\x80\x02c__torch__\nNet\n(K\x01t\x81.", "passes values to a class"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "makes an object of 'collections OrderedDict'"),
        (b"\x80\x02c__torch__.torch.classes.c10d\nFileStore\n)\x81.", "it names"),
        (b"\x80\x02c__torch__.torch.classes.quantized\nConv2dPackedParamsBase\n)R.", "it calls"),
        (b"\x80\x02ctorch\nFloatStorage\n)R.", "it calls 'torch FloatStorage'"),
        (b"\x80\x02ctorch.jit._pickle\nbuild_tensor_from_id\nK\x00\x85R.", "build_tensor_from_id"),
        (
            b"\x80\x02ctorch.jit._pickle\nrestore_type_tag\n]X\x0c\x00\x00\x00Future[int] \x86R.",
            "names the type 'Future[int]'",
        ),
        (pickle.dumps([1], protocol=0), "it holds the instruction"),
        (pickle.dumps([1], protocol=4), "it holds the instruction"),
        (b"", "it is cut off"),
    ],
)
def test_a_pickle_that_torch_would_not_write_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "model.torchscript"
    write_code(path, "pass")
    rewrite_archive(path, lambda entries: entries.update({"data.pkl": content}))
    assert reason in str(refusal_of(path))
    rewrite_archive(path, lambda entries: entries.update({"data.pkl": STATE, "constants.pkl": content}))
    assert reason in str(refusal_of(path))


@pytest.mark.parametrize(
    "content", [STATE, b"", b"\x80\x02", b"\x80\x02cos\nsystem\n.", b"\x80\x02X\xff\xff\xff\xffa.", b"\x80\x02}."]
)
def test_positions_hold_no_objects(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        record = next(name for name in archive.namelist() if name.endswith(".debug_pkl")).partition("/")[2]
    rewrite_archive(path, lambda entries: entries.update({record: content}))
    assert "holds more than positions in the code" in str(refusal_of(path))
