"""Files that hold something else than their names say are refused by what they hold, and by what to do."""

import gzip
import io
import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from torchvision.models import get_model

from inference.errors import MAX_REASON_CHARACTERS, NetworkError
from inference.loader import load_network
from tests.unit.inference.seeded_networks import (
    CLASSIFIER,
    CLASSIFIER_KWARGS,
    CPU,
    classifier,
    description,
    saved,
    write_program,
    write_script,
)

WHOLE_MODEL = (
    "The file weights.pth holds a whole model, not a state dict."
    " Save `model.state_dict()`, or export the model with `torch.export` and upload it as model.pt2."
)
STATE = classifier().state_dict()


def refusal(folder: Path, name: str = "weights.pth", content: bytes | None = None) -> str:
    """Return the sentence with which a file is refused, which is ours alone and short."""
    if content is not None:
        (folder / name).write_bytes(content)
    if name.startswith("weights"):
        architecture = {"builder": CLASSIFIER, "kwargs": CLASSIFIER_KWARGS}
        (folder / "architecture.json").write_text(json.dumps(architecture))
    with pytest.raises(NetworkError) as caught:
        load_network(folder, description(), CPU)
    sentence = str(caught.value)
    assert sentence.isprintable()
    assert sentence.endswith(".")
    assert len(sentence) < 2 * MAX_REASON_CHARACTERS
    assert not any(each in sentence for each in ("weights_only", "trust", "/", "frame #", "Exception raised"))
    return sentence


def pickled_by_torch(value: object, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}])
def test_a_whole_model_is_refused_by_what_to_save_instead(tmp_path: Path, options: dict[str, Any]) -> None:
    assert refusal(tmp_path, content=pickled_by_torch(classifier(), **options)) == WHOLE_MODEL


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}])
def test_a_whole_model_in_a_checkpoint_is_refused_by_its_key(tmp_path: Path, options: dict[str, Any]) -> None:
    checkpoint = {"epoch": 3, "model": classifier(), "date": "2026-01-01"}
    sentence = refusal(tmp_path, content=pickled_by_torch(checkpoint, **options))
    assert "weights.pth holds a whole model under the key 'model', not a state dict" in sentence


class Settings:
    """What training scripts keep beside the weights."""


def test_an_object_beside_the_weights_is_refused_by_its_class_and_key(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, content=pickled_by_torch({"state_dict": STATE, "args": Settings()}))
    assert f"an object of the class '{Settings.__module__}.Settings' under the key 'args'" in sentence
    sentence = refusal(tmp_path, content=pickled_by_torch({"state_dict": STATE, "best": np.float64(0.5)}))
    assert "under the key 'best', not only tensors. Save `model.state_dict()` alone." in sentence


@pytest.mark.parametrize(
    ("checkpoint", "place"),
    [
        ({"model": STATE, "epoch": 3}, "checkpoint['model']"),
        (
            {"epoch": 3, "model_state_dict": STATE, "optimizer_state_dict": {"state": {}}},
            "checkpoint['model_state_dict']",
        ),
        ({"state_dict": {f"model.{key}": value for key, value in STATE.items()}}, "checkpoint['state_dict']"),
        ({"model": OrderedDict(STATE), "model_ema": STATE}, "checkpoint['model'] and checkpoint['model_ema']"),
        ({"run": {"weights": {"net": STATE}}}, "checkpoint['run']['weights']['net']"),
    ],
)
def test_a_checkpoint_is_refused_by_where_in_it_the_state_dict_is(
    tmp_path: Path, checkpoint: dict[str, Any], place: str
) -> None:
    first = place.partition(" and ")[0]
    assert refusal(tmp_path, content=saved(checkpoint)) == (
        f"The file weights.pth is not a state dict but a checkpoint that has one in {place}."
        f" Save that alone: `torch.save({first}, path)`."
    )


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({}, "is not a state dict; it is empty."),
        ([1, 2], "is not a state dict but a list. Save `model.state_dict()`."),
        (torch.zeros(2), "is not a state dict but a Tensor. Save `model.state_dict()`."),
        ({"a": torch.zeros(1), "b": 3}, "is not a state dict: its entry 'b' is not a tensor."),
    ],
)
def test_another_value_is_refused_by_what_it_is(tmp_path: Path, value: object, what: str) -> None:
    assert what in refusal(tmp_path, content=saved(value))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "backbone.body.", "module._orig_mod."])
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_prefix_that_all_names_have_is_named(tmp_path: Path, prefix: str, name: str) -> None:
    state = {prefix + key: value for key, value in STATE.items()} | {"criterion.weight": torch.ones(5)}
    content = saved(state) if name == "weights.pth" else safetensors.torch.save(state)
    assert refusal(tmp_path, name, content) == (
        f"The weights in {name} do not fit {CLASSIFIER}: their names begin with {prefix!r};"
        " save the state dict of the model inside, or take that prefix off the names."
    )


def test_a_wrapper_of_a_part_is_named(tmp_path: Path) -> None:
    state = {key.replace("features.", "features._orig_mod.", 1): value for key, value in STATE.items()}
    assert "their names have '_orig_mod.' in them; save the state dict of the model that was wrapped" in refusal(
        tmp_path, content=saved(state)
    )


def test_weights_of_another_architecture_are_no_question_of_a_prefix(tmp_path: Path) -> None:
    other = get_model("resnet18", weights=None, num_classes=5)
    assert "'features.0.weight' is missing" in refusal(tmp_path, content=saved(other.state_dict()))


def numpy_file() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


def numpy_archive() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.zeros(3))
    return stream.getvalue()


def keras_archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    return stream.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
OTHERS: list[tuple[bytes, str]] = [
    (b"", "is empty. Upload it again."),
    (POINTER, "is a Git LFS pointer, which stands for the file. Run `git lfs pull` and upload it again."),
    (b"\n<!DOCTYPE html><html>Sign in", "is a web page. Download the file itself and upload that."),
    (numpy_file(), "is a NumPy file. "),
    (numpy_archive(), "is a NumPy file. "),
    (keras_archive(), "is a Keras model. "),
    (gzip.compress(b"weights"), "is a compressed archive. "),
    (b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file, as Keras and h5py write. "),
    (b"\x08\x08\x12\x07pytorch\x1a\x052.4.0" + bytes(20), "is an ONNX model. "),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", "is an image. "),
]


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors", "model.pt2", "model.torchscript"])
@pytest.mark.parametrize(("content", "what"), OTHERS, ids=[what for _, what in OTHERS])
def test_a_file_of_another_kind_is_named(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    assert f"The file {name} {what}" in refusal(tmp_path, name, content)


@pytest.fixture(scope="module")
def good_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """By its name, a file of each kind of weights."""
    folder = tmp_path_factory.mktemp("good")
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 2)).eval()
    write_program(module, folder / "model.pt2", torch.zeros(2, 3, 4, 4))
    write_script(module, folder / "model.torchscript")
    safetensors.torch.save_file(STATE, folder / "weights.safetensors")
    torch.save(STATE, folder / "weights.pth")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


KINDS = {
    "model.pt2": "is a program of `torch.export`. Upload it as model.pt2.",
    "model.torchscript": "is a TorchScript archive. Upload it as model.torchscript.",
    "weights.safetensors": "is a safetensors file. Upload it as weights.safetensors.",
    "weights.pth": "is a file of `torch.save`. ",
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_good_file_under_another_name_is_told_its_name(
    good_files: dict[str, bytes], tmp_path: Path, name: str, kind: str
) -> None:
    if kind != name:
        assert f"The file {name} {KINDS[kind]}" in refusal(tmp_path, name, good_files[kind])


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def longer_header(content: bytes) -> bytes:
    return (2**62).to_bytes(8, "little") + content[8:]


def broken_header(content: bytes) -> bytes:
    return content[:8] + b"{" * 20 + content[28:]


@pytest.mark.parametrize("damage", [cut, longer_header, broken_header])
def test_a_damaged_safetensors_file_is_a_sentence(
    good_files: dict[str, bytes], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    content = damage(good_files["weights.safetensors"])
    assert refusal(tmp_path, "weights.safetensors", content) == (
        "The file weights.safetensors is not a safetensors file that can be read: it is damaged or was cut."
    )


@pytest.mark.parametrize("name", ["weights.pth", "model.pt2", "model.torchscript"])
def test_a_cut_archive_is_a_sentence(good_files: dict[str, bytes], tmp_path: Path, name: str) -> None:
    assert name in refusal(tmp_path, name, cut(good_files[name]))


@pytest.mark.parametrize("content", [pickle.dumps({"a": 1}), b"\x80\x04hello", pickle.dumps(np.zeros(2))])
def test_a_pickle_that_torch_did_not_write_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    assert "The file weights.pth " in refusal(tmp_path, content=content)


def test_a_name_in_a_pickle_does_not_reach_the_terminal(tmp_path: Path) -> None:
    content = b"\x80\x02c" + b"evil\x1b[31m" + b"x" * 500 + b"\nName\n)\x81."
    assert "x" * 100 not in refusal(tmp_path, content=content)
