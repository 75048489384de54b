"""Gives an exported program a plain call: its tensors one by one, in the order of the preprocessing's inputs.

A program is exported with arguments by place and by name, in tuples and dicts, and with numbers that it was
specialised on; its results are in containers of the exporting process. What is changed here is the description that
torch reads, before it is checked, so that the loaded module is like any other: it can be traced, recorded and called
by place. Used by the guard of programs.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from inference.arguments import Argument, bind
from inference.errors import NetworkError
from inference.programs.trees import LEAF, Node, dict_of, keys_of, plain_tree, read_tree, tuple_of, written

Model = dict[str, Any]


def make_call_plain(model: Model, inputs: Sequence[str]) -> None:
    """Change a program's JSON in place, for inputs of these names.

    Raises:
        NetworkError: when the inputs do not fit the program's arguments, or it takes numbers that vary.
        ValueError, KeyError, TypeError, AttributeError: when it is not the JSON of an exported program.
    """
    for entry in model["graph_module"]["module_call_graph"]:
        signature = entry["signature"]
        if signature is None:
            continue
        is_root = entry["fqn"] == ""
        signature["out_spec"] = written(plain_tree(read_tree(signature["out_spec"]), is_root=is_root))
        if is_root:
            _take_by_place(model["graph_module"], signature, inputs)
        else:
            signature["in_spec"] = written(plain_tree(read_tree(signature["in_spec"])))


def _take_by_place(graph_module: Model, signature: Model, inputs: Sequence[str]) -> None:
    graph, specs = graph_module["graph"], graph_module["signature"]["input_specs"]
    placeholders = list(zip(graph["inputs"], specs, strict=True))
    called = [pair for pair in placeholders if pair[1].keys() & {"user_input", "constant_input"}]
    given = list(_given(read_tree(signature["in_spec"]), signature.get("forward_arg_names") or []))
    taken = [
        (_argument(name, pair[0], by_name=by_name), pair)
        for (name, by_name), pair in zip(given, called, strict=True)
        if "user_input" in pair[1]  # the others are numbers, which the graph has in it
    ]
    order = bind([argument for argument, _ in taken], inputs)
    in_order = iter([pair for _, (_, pair) in sorted(zip(order, taken, strict=True), key=lambda each: each[0] or 0)])
    kept = [next(in_order) if "user_input" in pair[1] else pair for pair in placeholders if _is_kept(pair)]
    graph["inputs"] = [argument for argument, _ in kept]
    specs[:] = [spec for _, spec in kept]
    signature["in_spec"] = written(tuple_of([tuple_of([LEAF] * len(taken)), dict_of([], [])]))
    signature["forward_arg_names"] = None


def _is_kept(placeholder: tuple[Model, Model]) -> bool:
    return "constant_input" not in placeholder[1]


def _given(call: Node, names: Sequence[str]) -> Iterator[tuple[str | None, bool]]:
    """Yield for each leaf of a call its name, if it has one, and whether its place means nothing."""
    by_place, by_name = call["children_spec"]
    for place, child in enumerate(by_place["children_spec"]):
        yield from _leaves(child, names[place] if place < len(names) else None, by_name=False)
    for key, child in zip(keys_of(by_name) or [], by_name["children_spec"], strict=True):
        yield from _leaves(child, str(key), by_name=True)


def _leaves(node: Node, name: str | None, *, by_name: bool) -> Iterator[tuple[str | None, bool]]:
    if node["type"] is None:
        yield name, by_name
        return
    keys = keys_of(node)
    for place, child in enumerate(node["children_spec"]):
        yield from _leaves(child, None if keys is None else str(keys[place]), by_name=by_name or keys is not None)


def _argument(name: str | None, argument: Model, *, by_name: bool) -> Argument:
    """Return an argument by its name in the call, or else the one that it has in the graph.

    Raises:
        NetworkError: when it is a number that varies.
    """
    if "as_tensor" not in argument:
        raise NetworkError("The exported program takes a number beside its tensors; export it with that number fixed.")
    return Argument(name or str(argument["as_tensor"]["name"]), by_name)
