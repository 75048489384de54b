"""The operators that an uploaded program may use: all that are plain functions, and nothing that reaches further."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from inference.guards.operators import PACKED_PARAMETERS, accepted_operators, accepts, accepts_name

ACCEPTED = frozenset(accepted_operators())
SCHEMAS = {(schema.name, schema.overload_name): schema for schema in torch._C._jit_get_all_schemas()}


def types_below(kind: Any) -> Iterator[Any]:
    yield kind
    for element in kind.containedTypes():
        yield from types_below(element)


def test_most_operators_are_accepted_and_counted() -> None:
    # A torch with other operators changes the count: look at what was added, then change it here.
    assert len(ACCEPTED) == 3132


@pytest.mark.parametrize(
    "name",
    [
        *("aten::add", "aten::relu_", "aten::conv2d", "aten::append", "aten::format", "aten::len", "aten::as_strided"),
        *("prim::RaiseException", "prim::data", "prims::convert_element_type", "torchvision::nms", "aten::warn"),
        *("quantized::conv2d_relu", "quantized_decomposed::quantize_per_tensor", "aten::lift_fresh_copy"),
        *("torchvision::roi_align", "aten::scaled_dot_product_attention", "aten::dict", "aten::dequantize"),
    ],
)
def test_what_networks_are_made_of_is_accepted(name: str) -> None:
    assert accepts_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("aten::save", "aten::from_file", "image::read_file", "image::write_file", "image::decode_image"),
        *("prim::PythonOp", "prim::IgnoredPythonOp", "prim::rpc_async", "prim::rpc_sync", "prim::rpc_remote"),
        *("aten::wait", "prim::awaitable_wait", "aten::to_here", "aten::local_value", "aten::owner_name"),
        *("aten::Generator", "aten::manual_seed", "aten::set_data", "aten::set_", "aten::record_stream"),
        *("aten::_reshape_alias", "aten::_nested_view_from_buffer", "aten::_sparse_coo_tensor_unsafe"),
        *("aten::sparse_coo_tensor", "aten::max_pool2d_with_indices_backward", "aten::hash", "prim::id"),
        *("prim::FusionGroup", "prim::profile", "aten::_print", "aten::_test_string_default"),
        *("cuda::_set_device", "c10d::allreduce_", "profiler::_record_function_enter", "inductor::_alloc_from_pool"),
        *("aten::no_such_operator", "aten::", "add", "aten::add::Tensor", "aten::__getstate__", "", "aten::ａdd"),
    ],
)
def test_what_reaches_beyond_tensors_or_is_unknown_is_refused(name: str) -> None:
    assert not accepts_name(name)
    assert not any(accepts(name, overload) for operator, overload in SCHEMAS if operator == name)


def test_an_overload_is_accepted_by_either_spelling_of_the_unnamed_one() -> None:
    assert accepts("aten::relu", "")
    assert accepts("aten::relu", "default")
    assert accepts("aten::add", "Tensor")
    assert not accepts("aten::add", "NoSuchOverload")


def test_nothing_accepted_takes_or_returns_an_object_a_handle_or_a_generator() -> None:
    refused = {"Storage", "Stream", "Generator", "PyObject", "Future[t]", "RRef[t]", "Await[t]", "Any", "AnyClassType"}
    for operator in sorted(ACCEPTED - {("aten::len", "any"), ("aten::dequantize", "any")}):
        schema = SCHEMAS[operator]
        returned = [kind for value in schema.returns for kind in types_below(value.type)]
        taken = [
            kind
            for value in schema.arguments
            if value.type.annotation_str != "Optional[Generator]"
            for kind in types_below(value.type)
        ]
        if operator[0] == "prim::Uninitialized":
            continue
        for kind in returned + taken:
            assert kind.annotation_str not in refused, schema
            if kind.kind() in {"ClassType", "InterfaceType"}:
                assert kind.annotation_str in PACKED_PARAMETERS, schema


def test_no_name_or_argument_of_what_is_accepted_speaks_of_files_processes_or_devices_handles() -> None:
    suspect = re.compile(
        r"file|path|save|load|read|write|open|exec|rpc|fork|spawn|stream|event|handle|socket|url|dir\b|store|process"
    )
    found = {
        (name, word)
        for name, overload in ACCEPTED
        for word in [name, *(value.name for value in SCHEMAS[name, overload].arguments)]
        if suspect.search(word)
    }
    batch_norm = {"aten::native_batch_norm", "aten::_native_batch_norm_legit"}
    assert found == {
        ("aten::einsum", "path"),  # the order of contractions
        *((name, result) for name in batch_norm for result in ("save_mean", "save_invstd")),  # tensors
    }


def test_every_string_that_an_accepted_operator_takes_was_looked_at() -> None:
    """The whole list, so that a string that torch adds to an operator is seen by a person."""
    taken = {
        (name.removeprefix("aten::"), value.name)
        for name, overload in ACCEPTED
        for value in SCHEMAS[name, overload].arguments
        if any(kind.kind() == "StringType" for kind in types_below(value.type))
    }
    assert len(taken) == 181
