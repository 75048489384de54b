"""An upload that would run code, write files or load native code is refused before any of it happens."""

import contextlib
import json
import pickle
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from inference.errors import NetworkError
from inference.loader import load_network
from tests.unit.inference.seeded_networks import (
    CLASSIFIER,
    CPU,
    classifier,
    description,
    images,
    rewrite_archive,
    saved,
    write_program,
    write_script,
    write_state,
)

Entries = dict[str, bytes]
MODEL = "models/model.json"


class Malicious:
    """Creates a file when it is unpickled without limits."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return open, (str(self._trace), "w")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """The file that must never come to be."""
    return tmp_path / "trace"


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small exported program to be tampered with."""
    path = tmp_path_factory.mktemp("program") / "model.pt2"
    write_program(nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 2), nn.ReLU()), path, torch.zeros(2, 3, 4, 4))
    return path


def refusal_of(folder: Path, **image: Any) -> str:
    with pytest.raises(NetworkError) as caught:
        load_network(folder, description(**image), CPU)
    return str(caught.value)


@pytest.mark.parametrize("slot", ["weights.pth", "weights.safetensors", "model.pt2", "model.torchscript"])
@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_a_pickle_in_any_slot_is_refused_and_creates_nothing(tmp_path: Path, trace: Path, slot: str, form: str) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    malicious = {"weight": Malicious(trace)}
    (folder / slot).write_bytes(pickle.dumps(malicious, protocol=2) if form == "pickle" else saved(malicious))
    if slot.startswith("weights"):
        (folder / "architecture.json").write_text(json.dumps({"builder": CLASSIFIER}))
    assert slot in refusal_of(folder)
    assert not trace.exists()


def test_a_pickled_mean_file_is_refused_and_creates_nothing(tmp_path: Path, trace: Path) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    write_state(classifier(), folder, "weights.pth", CLASSIFIER, {"num_classes": 5})
    np.save(folder / "mean.npy", np.array([Malicious(trace)], dtype=object), allow_pickle=True)
    assert "mean.npy" in refusal_of(folder, mean_file="mean.npy")
    (folder / "mean.npy").write_bytes(pickle.dumps(Malicious(trace)))
    assert "mean.npy" in refusal_of(folder, mean_file="mean.npy")
    assert not trace.exists()


def edit(entries: Entries, name: str, change: Callable[[Any], object]) -> None:
    content = json.loads(entries[name])
    change(content)
    entries[name] = json.dumps(content).encode()


def pickled_sample_inputs(entries: Entries, trace: Path) -> None:
    entries["data/sample_inputs/model.pt"] = saved(Malicious(trace))


def pickled_weight(entries: Entries, trace: Path) -> None:
    entries["data/weights/weight_9"] = saved(Malicious(trace))
    payload = {"path_name": "weight_9", "is_param": False, "use_pickle": True, "tensor_meta": None}
    edit(entries, "data/weights/model_weights_config.json", lambda c: c["config"].update(x=payload))


def pickled_constant(entries: Entries, trace: Path) -> None:
    entries["data/constants/tensor_0"] = saved(Malicious(trace))
    payload = {"path_name": "tensor_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    edit(entries, "data/constants/model_constants_config.json", lambda c: c["config"].update(x=payload))


def opaque_constant(entries: Entries, trace: Path) -> None:
    entries["data/constants/opaque_obj_0"] = pickle.dumps(Malicious(trace))
    payload = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    edit(entries, "data/constants/model_constants_config.json", lambda c: c["config"].update(x=payload))


def weights_outside_their_folder(entries: Entries, trace: Path) -> None:
    def change(config: Any) -> None:
        next(iter(config["config"].values()))["path_name"] = "../sample_inputs/model.pt"

    edit(entries, "data/weights/model_weights_config.json", change)


def weights_of_the_older_layout(entries: Entries, trace: Path) -> None:
    entries["data/weights/model.pt"] = saved({"x": Malicious(trace)})


def archive_of_the_older_format(entries: Entries, trace: Path) -> None:
    entries["//version"] = b"8.20"
    entries["//serialized_exported_program.json"] = entries.pop(MODEL)
    for part in ("state_dict", "constants", "example_inputs"):
        entries[f"//serialized_{part}.pt"] = saved({"x": Malicious(trace)})


def native_code(entries: Entries, trace: Path) -> None:
    entries["data/aotinductor/model/model.so"] = b"\x7fELF"


def code_in_a_symbolic_size(entries: Entries, trace: Path) -> None:
    def change(model: Any) -> None:
        for meta in model["graph_module"]["graph"]["tensor_values"].values():
            for size in meta["sizes"]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = f"[open({str(trace)!r}, 'w')] and 2"

    edit(entries, MODEL, change)


def code_in_a_method_of_a_size(entries: Entries, trace: Path) -> None:
    entries[MODEL] = entries[MODEL].replace(b"Symbol('", b"Symbol.__class__('")


def function_as_operator(entries: Entries, trace: Path) -> None:
    edit(entries, MODEL, lambda m: m["graph_module"]["graph"]["nodes"][0].update(target="torch.os.system"))


def method_as_operator(entries: Entries, trace: Path) -> None:
    target = "torch.ops.aten.relu.__init__"
    edit(entries, MODEL, lambda m: m["graph_module"]["graph"]["nodes"][0].update(target=target))


def operator_that_opens_files(entries: Entries, trace: Path) -> None:
    target = "torch.ops.aten.from_file.default"
    edit(entries, MODEL, lambda m: m["graph_module"]["graph"]["nodes"][0].update(target=target))


def code_in_a_name(entries: Entries, trace: Path) -> None:
    entries[MODEL] = entries[MODEL].replace(b'"input"', f'"input=open({str(trace)!r})"'.encode())


def import_in_a_structure(entries: Entries, trace: Path) -> None:
    context = json.dumps({"__enum__": 1, "fqn": "antigravity:x", "name": "y"})
    structure = json.dumps([1, {"type": "builtins.dict", "context": context, "children_spec": []}])
    edit(entries, MODEL, lambda m: m["graph_module"]["module_call_graph"][0]["signature"].update(out_spec=structure))


def import_of_a_default_factory(entries: Entries, trace: Path) -> None:
    context = {"default_factory_module": "os", "default_factory_name": "abort", "dict_context": []}
    tree = {"type": "collections.defaultdict", "context": json.dumps(context), "children_spec": []}
    structure = json.dumps([1, tree])
    edit(entries, MODEL, lambda m: m["graph_module"]["module_call_graph"][0]["signature"].update(out_spec=structure))


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (pickled_sample_inputs, "sample inputs are not plain tensors"),
        (pickled_weight, "holds pickled objects"),
        (pickled_constant, "holds pickled objects"),
        (opaque_constant, "holds 'data/constants/opaque_obj_0'"),
        (weights_outside_their_folder, "misplaced weights"),
        (weights_of_the_older_layout, "holds 'data/weights/model.pt'"),
        (archive_of_the_older_format, "format of torch before"),
        (native_code, "holds 'data/aotinductor/model/model.so'"),
        (code_in_a_symbolic_size, "holds the size"),
        (code_in_a_method_of_a_size, "holds the size"),
        (function_as_operator, "operator 'torch.os.system'"),
        (method_as_operator, "operator 'torch.ops.aten.relu.__init__'"),
        (operator_that_opens_files, "operator 'torch.ops.aten.from_file.default'"),
        (code_in_a_name, "holds the name or text"),
        (import_in_a_structure, "takes or returns"),
        (import_of_a_default_factory, "takes or returns"),
    ],
)
def test_an_exported_program_that_was_tampered_with_is_refused(
    program: Path, tmp_path: Path, trace: Path, attack: Callable[[Entries, Path], None], reason: str
) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    shutil.copy(program, folder)
    rewrite_archive(folder / "model.pt2", lambda entries: attack(entries, trace))
    assert reason in refusal_of(folder)
    assert not trace.exists()


def test_guards_of_an_exported_program_are_not_executed(program: Path, tmp_path: Path, trace: Path) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    shutil.copy(program, folder)
    guard = f"[open({str(trace)!r}, 'w')]"
    rewrite_archive(folder / "model.pt2", lambda entries: edit(entries, MODEL, lambda m: m.update(guards_code=[guard])))
    network = load_network(folder, description(), CPU)
    assert network.run([(images(1, 4)[0],)])[0]["output"].shape == (2,)
    assert not trace.exists()


def test_an_archive_that_was_only_rewritten_still_loads(program: Path, tmp_path: Path) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    shutil.copy(program, folder)
    rewrite_archive(folder / "model.pt2", lambda entries: None)
    assert load_network(folder, description(), CPU).nbytes == (3 * 4 * 4 + 1) * 2 * 4


@pytest.mark.parametrize(
    "statement",
    [
        'torch.save(x, "TRACE")',
        'ops.aten.save(x, "TRACE")',
        'y = torch.from_file("TRACE", True, 4)',
        'torch . \\\n    from_file("TRACE", True, 4)',
        'getattr(torch, "save")(x, "TRACE")',
        "y = ops.profiler._record_function_enter('a')",
        'y = __torch__.torch.classes.c10d.FileStore("TRACE", 1)',
    ],
)
def test_torchscript_that_reaches_beyond_tensors_is_refused(tmp_path: Path, trace: Path, statement: str) -> None:
    def change(entries: Entries) -> None:
        code = next(name for name in entries if name.startswith("code/") and name.endswith(".py"))
        inserted = statement.replace("TRACE", str(trace)).encode()
        entries[code] = entries[code].replace(b"    return", b"    " + inserted + b"\n    return")

    folder = tmp_path / "network"
    folder.mkdir()
    write_script(nn.Sequential(nn.ReLU()), folder / "model.torchscript")
    rewrite_archive(folder / "model.torchscript", change)
    assert "TorchScript code" in refusal_of(folder)
    assert not trace.exists()


def write_bomb(path: Path, entries: dict[str, int]) -> None:
    """Write an archive as torch does, but with compressed entries of zeros, of the given sizes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("root/version", "3")
        for name, size in entries.items():
            archive.writestr(f"root/{name}", bytes(size))


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("model.torchscript", "code/__torch__.py"),
        ("model.pt2", "models/model.json"),
        ("weights.pth", "data/0"),
    ],
)
def test_an_archive_that_unpacks_into_far_more_than_it_is_is_refused(tmp_path: Path, name: str, entry: str) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    write_bomb(folder / name, {"data.pkl": 10, "constants.pkl": 10, entry: 100_000_000})
    if name == "weights.pth":
        (folder / "architecture.json").write_text(json.dumps({"builder": CLASSIFIER}))
    assert (folder / name).stat().st_size < 1_000_000
    assert "would unpack into" in refusal_of(folder)


def test_code_that_nobody_writes_is_not_searched_for_minutes(tmp_path: Path) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    write_bomb(folder / "model.torchscript", {"data.pkl": 10, "constants.pkl": 10, "code/__torch__.py": 20_000_000})
    assert "larger than 16777216 bytes" in refusal_of(folder)


@pytest.mark.parametrize("slot", ["weights.pth", "model.pt2", "model.torchscript"])
def test_names_and_links_in_an_archive_create_nothing_outside(tmp_path: Path, program: Path, slot: str) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    if slot == "weights.pth":
        write_state(classifier(), folder, slot, CLASSIFIER, {"num_classes": 5})
    elif slot == "model.pt2":
        shutil.copy(program, folder)
    else:
        write_script(nn.Sequential(nn.ReLU()), folder / slot)
    link = zipfile.ZipInfo("root/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(folder / slot, "a") as archive:
        archive.writestr("../../trace", b"x")
        archive.writestr("root/../../trace", b"x")
        archive.writestr(f"{tmp_path}/trace", b"x")
        archive.writestr(link, str(tmp_path / "trace"))
    before = sorted(tmp_path.rglob("*"))
    with contextlib.suppress(NetworkError):
        load_network(folder, description(), CPU)
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path.parent / "trace").exists()


@pytest.mark.parametrize("shape", [(10**6, 10**6, 3), (2**62, 8), (-1, 3)])
def test_a_mean_file_that_claims_more_than_it_holds_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    write_state(classifier(), folder, "weights.pth", CLASSIFIER, {"num_classes": 5})
    header = str({"descr": "<f8", "fortran_order": False, "shape": shape}).encode() + b"\n"
    (folder / "mean.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(80))
    assert "mean.npy" in refusal_of(folder, mean_file="mean.npy")
