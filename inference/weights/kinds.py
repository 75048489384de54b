"""Tells what a file is from its first bytes and the names in its archive, whatever it is called.

Most files that cannot be loaded are good files of another kind, and a reader that expects one of its own says nothing
of use about them. Used by :mod:`inference.loader` before a file is read.
"""

import zipfile
from enum import Enum
from pathlib import Path

from inference.errors import NetworkError

_HEAD_BYTES = 512
_SAFETENSORS_LENGTH_BYTES = 8


class Kind(Enum):
    """What a file is; the value completes "The file … is"."""

    EMPTY = "empty"
    LFS_POINTER = "a Git LFS pointer, which stands for the file"
    WEB_PAGE = "a web page"
    PROGRAM = "a program of `torch.export`"
    SCRIPT = "a TorchScript archive"
    SAVED = "a file of `torch.save`"
    PICKLE = "a pickle"
    SAFETENSORS = "a safetensors file"
    NUMPY = "a NumPy file"
    HDF5 = "an HDF5 file, as Keras and h5py write"
    KERAS = "a Keras model"
    ONNX = "an ONNX model"
    TFLITE = "a TensorFlow Lite model"
    GGUF = "a GGUF file"
    ARCHIVE = "a compressed archive"
    IMAGE = "an image"


ACCEPTED = {
    "model.pt2": (Kind.PROGRAM,),
    "model.torchscript": (Kind.SCRIPT,),
    "weights.safetensors": (Kind.SAFETENSORS,),
    "weights.pth": (Kind.SAVED, Kind.PICKLE),
}
_PLACES = {Kind.PROGRAM: "model.pt2", Kind.SCRIPT: "model.torchscript", Kind.SAFETENSORS: "weights.safetensors"}
_STATE_DICT = "Save the state dict with `torch.save(model.state_dict(), path)`."
_ADVICE = {
    "model.pt2": "Export the model with `torch.export.export` and `torch.export.save`.",
    "model.torchscript": "Save the scripted or traced model with `torch.jit.save`.",
    "weights.safetensors": "Save the state dict with `safetensors.torch.save_file`.",
    "weights.pth": _STATE_DICT,
}
_REMEDIES = {
    Kind.EMPTY: "Upload it again.",
    Kind.LFS_POINTER: "Run `git lfs pull` and upload it again.",
    Kind.WEB_PAGE: "Download the file itself and upload that.",
}
_HEADS = (
    (b"version https://git-lfs.github.com/spec/", Kind.LFS_POINTER),
    (b"\x93NUMPY", Kind.NUMPY),
    (b"\x89HDF\r\n\x1a\n", Kind.HDF5),
    (b"GGUF", Kind.GGUF),
    (b"\x1f\x8b", Kind.ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", Kind.ARCHIVE),
    (b"BZh", Kind.ARCHIVE),
    (b"\xfd7zXZ\x00", Kind.ARCHIVE),
    (b"\x89PNG\r\n", Kind.IMAGE),
    (b"\xff\xd8\xff", Kind.IMAGE),
    (b"\x80", Kind.PICKLE),
)
_WEB_PAGES = (b"<!doctype html", b"<html", b"<?xml", b"<head")
# Names of records without the folder that all are in; the first set that is there decides.
_RECORDS = (
    ({"models/model.json"}, Kind.PROGRAM),
    ({"serialized_exported_program.json"}, Kind.PROGRAM),
    ({"constants.pkl", "code"}, Kind.SCRIPT),
    ({"data.pkl"}, Kind.SAVED),
    ({"config.json", "model.weights.h5"}, Kind.KERAS),
)


def check_kind(path: Path) -> None:
    """Check that a file of a network is what its name says, as far as that can be told.

    Raises:
        NetworkError: when it is something else, with what to do.
    """
    kind, name = kind_of(path), path.name
    if kind is None or kind in ACCEPTED[name]:
        return
    remedy = f"Upload it as {_PLACES[kind]}." if kind in _PLACES else _REMEDIES.get(kind, _ADVICE[name])
    raise NetworkError(f"The file {name} is {kind.value}. {remedy}")


def kind_of(path: Path) -> Kind | None:
    """Return what a file is; None if it is nothing that is known here."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return _kind_of_archive(path) if head.startswith(b"PK\x03\x04") else _kind_of_head(head, path.stat().st_size)


def _kind_of_head(head: bytes, size: int) -> Kind | None:
    tests = (
        (not head, Kind.EMPTY),
        (head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_WEB_PAGES), Kind.WEB_PAGE),
        (_is_safetensors(head, size), Kind.SAFETENSORS),
        (head[4:8] == b"TFL3", Kind.TFLITE),
        (head[257:262] == b"ustar", Kind.ARCHIVE),
        (head[:1] == b"\x08" and (b"pytorch" in head or b"onnx" in head), Kind.ONNX),
        *((head.startswith(start), kind) for start, kind in _HEADS),
    )
    return next((kind for is_one, kind in tests if is_one), None)


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:_SAFETENSORS_LENGTH_BYTES], "little")
    return head[_SAFETENSORS_LENGTH_BYTES : _SAFETENSORS_LENGTH_BYTES + 1] == b"{" and length < size


def _kind_of_archive(path: Path) -> Kind | None:
    """Return what a ZIP archive is; None if it cannot be read, which torch's reader reports."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None
    parts = [name.split("/") for name in names]
    records = {"/".join(each) for part in parts for each in (part, part[1:])}
    records |= {part[1] for part in parts if len(part) > 2}
    if found := next((kind for wanted, kind in _RECORDS if wanted <= records), None):
        return found
    return Kind.NUMPY if names and all(name.endswith(".npy") for name in names) else None
