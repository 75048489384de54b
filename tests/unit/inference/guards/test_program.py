"""A text in an exported program is judged as what torch's schema says that it is, wherever it stands."""

import contextlib
import dataclasses
import itertools
import json
import typing
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch._export.serde import schema
from torch.utils import _pytree

from inference.errors import NetworkError
from inference.guards.exported.fields import TEXTS, WHOLE_FIELDS
from inference.guards.exported.program import check_program, load_checked_program
from inference.guards.exported.schema import check_payloads_json, check_program_json
from tests.unit.inference.guards.programs import (
    CONSTANTS,
    FIELDS,
    INPUTS,
    JSON_RECORDS,
    MODEL,
    WEIGHTS,
    examples_of,
    inputs,
    tampered,
    tensors,
    texts_in,
    with_text,
    write_oddly_named,
)
from tests.unit.inference.seeded_networks import CPU, rewrite_archive

CHECKS = {MODEL: check_program_json, WEIGHTS: check_payloads_json, CONSTANTS: check_payloads_json}


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "model.pt2"
    write_oddly_named(path)
    return path


@pytest.fixture(scope="session")
def records(program: Path) -> dict[str, Any]:
    with zipfile.ZipFile(program) as archive:
        root = archive.namelist()[0].split("/")[0]
        return {record: json.loads(archive.read(f"{root}/{record}")) for record in JSON_RECORDS}


def payloads(trace: Path) -> list[str]:
    """Return texts, each of which would create a file where it is evaluated, imported or unpickled."""
    write = f"open({str(trace)!r}, 'w')"
    factory = json.dumps({"default_factory_module": "os", "default_factory_name": "abort", "dict_context": []})
    tree = {"type": "collections.defaultdict", "context": factory, "children_spec": []}
    return [
        write,
        f"[{write}] and 2",
        f"Add(Symbol('s0', positive={write}), Integer(1))",
        f"x); {write}; (",
        f'x") or {write} or ("',
        f"x\n    {write}",
        f"torch.os.system('touch {trace}')",
        "torch.ops.aten.save.default",
        "torch.ops.aten.from_file.default",
        "forward.__globals__",
        "__class__.__init__.__globals__",
        "../sample_inputs/model.pt",
        json.dumps([1, tree]),
    ]


def texts_of(kind: Any, place: str) -> Iterator[str]:
    """Yield the places of texts in a type of the schema, without those of the classes that it refers to."""
    if kind is str or place in WHOLE_FIELDS:
        yield place
    elif typing.get_origin(kind) is dict:
        yield f"{place} keys"
        yield from texts_of(typing.get_args(kind)[1], place)
    else:
        for argument in typing.get_args(kind):
            yield from texts_of(argument, place)


def classes_from(kind: Any, seen: set[Any]) -> set[Any]:
    if dataclasses.is_dataclass(kind) and kind not in seen:
        seen.add(kind)
        for hint in typing.get_type_hints(kind, globalns=vars(schema)).values():
            classes_from(hint, seen)
    for argument in typing.get_args(kind):
        classes_from(argument, seen)
    return seen


def test_every_text_of_the_schema_is_judged_as_what_it_is() -> None:
    """A torch that adds a text to its schema needs a decision here; until then, it is refused."""
    texts = set()
    for kind in classes_from(schema.ExportedProgram, set()) | classes_from(schema.PayloadConfig, set()):
        hints = typing.get_type_hints(kind, globalns=vars(schema))
        for field in dataclasses.fields(kind):
            texts.update(texts_of(hints[field.name], f"{kind.__name__}.{field.name}"))
    assert texts == TEXTS.keys() | WHOLE_FIELDS.keys()


@pytest.mark.parametrize("strict", [False, True])
def test_names_like_fields_and_beyond_ascii_with_sizes_and_branches_load(tmp_path: Path, strict: bool) -> None:
    network = write_oddly_named(tmp_path / "model.pt2", strict=strict)
    loaded = load_checked_program(tmp_path / "model.pt2", INPUTS, CPU)
    args, kwargs = inputs()
    expected, answered = network(*args, **kwargs), loaded(*tensors())
    assert expected.keys() == answered.keys()
    for left, right in zip(_pytree.tree_leaves(expected), _pytree.tree_leaves(answered), strict=True):
        assert torch.allclose(torch.as_tensor(left), torch.as_tensor(right), atol=1e-5)


# Texts that torch only keeps, or passes to an operator that is accepted.
KEPT = {"stack_trace", "nn_module_stack", "torch_fn", "as_string", "guards_code", "opset_version"}
# Texts that torch compares with others, or writes into source as literals.
COMPARED = {"fqn", "parameter_name", "buffer_name", "tensor_constant_name"}


def test_hostile_texts_are_refused_wherever_they_stand_or_have_no_effect(
    program: Path, records: dict[str, Any], tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    for number, payload in enumerate(payloads(trace)):
        hostile = records[MODEL]
        for place, is_key in examples_of(records[MODEL]):
            changed = with_text(records[MODEL], place, is_key, payload)
            if not is_accepted(MODEL, changed):
                continue
            assert set(place) & (KEPT | COMPARED), (payload, place)
            if set(place) & KEPT:
                hostile = with_text(hostile, place, is_key, payload)
            elif number == 0:
                path = tampered(program, tmp_path / "compared", MODEL, lambda _, changed=changed: changed)
                with contextlib.suppress(NetworkError):
                    load_checked_program(path, INPUTS, CPU)(*tensors())
        assert hostile != records[MODEL]
        path = tampered(program, tmp_path / str(number), MODEL, lambda _, hostile=hostile: hostile)
        loaded = load_checked_program(path, INPUTS, CPU)
        with contextlib.suppress(RuntimeError):  # operators refuse it in place of their options
            loaded(*tensors())
        assert not trace.exists(), payload


@pytest.mark.parametrize("record", [WEIGHTS, CONSTANTS])
def test_hostile_texts_in_lists_of_weights_are_refused(
    program: Path, records: dict[str, Any], tmp_path: Path, record: str
) -> None:
    trace = tmp_path / "trace"
    for payload in payloads(trace):
        for place, is_key in examples_of(records[record]):
            changed = with_text(records[record], place, is_key, payload)
            with pytest.raises(NetworkError):
                load_checked_program(tampered(program, tmp_path / "list", record, lambda _, v=changed: v), INPUTS, CPU)
    assert not trace.exists()


def is_accepted(record: str, value: Any) -> bool:
    try:
        CHECKS[record](value)
    except NetworkError:
        return False
    return True


def test_a_size_is_judged_below_any_name_that_the_uploader_chose(
    program: Path, records: dict[str, Any], tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    payload = f"[open({str(trace)!r}, 'w')] and 2"
    graph = ("graph_module", "graph")
    kinds = ("tensor_values", "sym_int_values", "sym_bool_values")
    for name, kind in zip(sorted(FIELDS), itertools.cycle(kinds), strict=False):
        values = records[MODEL]["graph_module"]["graph"][kind]
        place = next(
            (*graph, kind, *place) for place, is_key in texts_in(values) if not is_key and place[-1] == "expr_str"
        )
        renamed = with_text(records[MODEL], place[:4], True, name)
        hostile = with_text(renamed, (*place[:3], name, *place[4:]), False, payload)
        with pytest.raises(NetworkError, match="holds the size"):
            check_program_json(hostile)
    assert not trace.exists()


def test_what_the_schema_does_not_know_is_refused(records: dict[str, Any]) -> None:
    unknown = json.loads(json.dumps(records[MODEL]))
    unknown["graph_module"]["graph"]["nodes"][0]["code"] = "x"
    with pytest.raises(NetworkError, match=r"Node has the field 'code', which torch \S+ does not know\."):
        check_program_json(unknown)
    lacking = json.loads(json.dumps(records[MODEL]))
    del lacking["graph_module"]["signature"]
    with pytest.raises(NetworkError, match=r"GraphModule lacks the field 'signature'\."):
        check_program_json(lacking)
    mistyped = json.loads(json.dumps(records[MODEL]))
    mistyped["graph_module"]["graph"]["nodes"][0]["inputs"] = {"metadata": "x"}
    with pytest.raises(NetworkError, match=r"Node\.inputs is not of the type"):
        check_program_json(mistyped)
    two = json.loads(json.dumps(records[MODEL]))
    two["graph_module"]["graph"]["inputs"][0]["as_string"] = "x"
    with pytest.raises(NetworkError, match="Argument is not of the type"):
        check_program_json(two)


WAY_OUT = "__class__.register_buffer.__globals__"  # from any module to what Python can do


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            y = x * self.scale
        return y + 1


def looked_up(graph: Any, source: str, key: str, result: str) -> dict[str, Any]:
    graph["tensor_values"][result] = graph["tensor_values"]["p_scale"]
    arguments: list[Any] = [{"as_tensor": {"name": source}}, {"as_string": key}]
    inputs = [{"name": "", "arg": argument, "kind": 1} for argument in arguments]
    outputs = [{"as_tensor": {"name": result}}]
    return {"target": "_operator.getitem", "inputs": inputs, "outputs": outputs, "metadata": {}, "name": result}


def test_neither_attributes_nor_functions_lead_out_of_a_program(tmp_path: Path) -> None:
    """A parameter could be called by a path to ``exec``, and an operator that runs a graph was given that."""
    trace = tmp_path / "trace"
    plain = tmp_path / "model.pt2"
    torch.export.save(torch.export.export(Scaled(), (torch.ones(3),)), plain)

    def rename(program: Any) -> Any:
        program["graph_module"]["signature"]["input_specs"][0]["parameter"]["parameter_name"] = WAY_OUT
        return program

    def call(program: Any) -> Any:
        graph = program["graph_module"]["graph"]
        node = next(node for node in graph["nodes"] if node["target"].endswith("wrap_with_set_grad_enabled"))
        function: Any = {"name": "", "arg": {"as_tensor": {"name": "function"}}, "kind": 1}
        source: Any = {"name": "", "arg": {"as_string": f"open({str(trace)!r}, 'w')"}, "kind": 1}
        node["inputs"] = [node["inputs"][0], function, source]
        names = looked_up(graph, "p_scale", "__builtins__", "names")
        graph["nodes"] = [names, looked_up(graph, "names", "exec", "function"), *graph["nodes"]]
        return program

    def list_weight(payloads: Any) -> Any:
        return {"config": {WAY_OUT: payloads["config"]["scale"]}}

    for folder, changes, reason in (
        ("name", {MODEL: rename}, f"holds the name or text '{WAY_OUT}'"),
        ("weight", {WEIGHTS: list_weight}, f"holds the name or text '{WAY_OUT}'"),
        ("function", {MODEL: call}, "arguments than torch does"),
        (
            "all",
            {WEIGHTS: list_weight, MODEL: lambda program: call(rename(program))},
            f"holds the name or text '{WAY_OUT}'",
        ),
    ):
        path = plain
        for record, change in changes.items():
            path = tampered(path, tmp_path / folder / record.replace("/", "-"), record, change)
        with pytest.raises(NetworkError) as caught:
            load_checked_program(path, ["x"], CPU)(torch.ones(3))
        assert reason in str(caught.value)
    assert not trace.exists()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_json_is_read_in_the_encoding_of_torch(program: Path, tmp_path: Path, encoding: str) -> None:
    path = tampered(program, tmp_path, MODEL, lambda model: model)
    rewrite_archive(path, lambda entries: entries.update({MODEL: entries[MODEL].decode().encode(encoding)}))
    with pytest.raises(NetworkError, match="not an exported program that can be read"):
        check_program(path, INPUTS)


def test_json_that_is_nested_without_end_is_refused(program: Path, tmp_path: Path) -> None:
    path = tampered(program, tmp_path, MODEL, lambda model: model)
    rewrite_archive(path, lambda entries: entries.update({MODEL: b"[" * 200_000}))
    with pytest.raises(NetworkError, match="not an exported program that can be read"):
        check_program(path, INPUTS)


class Outputs(nn.Module):
    def forward(self, image: torch.Tensor, masks: list[torch.Tensor], *, sizes: dict[str, torch.Tensor]) -> Any:
        return image + 1, [masks[0] * 2, {"a b": sizes["h/w"], "ü": (image,)}], None


def test_nested_arguments_and_results_load(tmp_path: Path) -> None:
    image, masks, sizes = torch.rand(2, 3), [torch.rand(2)], {"h/w": torch.rand(1)}
    exported = torch.export.export(Outputs(), (image, masks), {"sizes": sizes})
    torch.export.save(exported, tmp_path / "model.pt2")
    answered = load_checked_program(tmp_path / "model.pt2", ["image", "masks", "h/w"], CPU)(
        image, masks[0], sizes["h/w"]
    )
    assert torch.equal(answered[1][1]["a b"], sizes["h/w"])
    assert torch.equal(answered[1][1]["ü"][0], image)
