"""Says of every text in the schema of exported programs what it is, and so how it is judged.

The schema is torch's own (``torch._export.serde.schema``). A text of it that is not listed here is refused. Used by
:mod:`inference.guards.exported.schema`.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from inference.guards.exported.expressions import check_expression, is_expression
from inference.guards.exported.names import check_attribute_path, check_part_name, check_value_name, refuse_text
from inference.guards.exported.targets import check_node, check_target
from inference.guards.exported.trees import check_arguments_tree, check_results_tree

Check = Callable[[Any], None]


def _data(text: str) -> None:
    """Accept a text that torch only keeps, or writes into source as an escaped literal."""


def _matching(pattern: str) -> Check:
    accepted = re.compile(pattern, re.ASCII)

    def check(text: str) -> None:
        if not accepted.fullmatch(text):
            refuse_text(text)

    return check


def _empty_or(check: Check) -> Check:
    return lambda text: check(text) if text else None


def _check_parameter_name(name: str) -> None:
    """Check the name of an operator's parameter, which may be ``self`` or a keyword."""
    if name and not name.isidentifier():
        refuse_text(name)


def _check_symbol(text: str) -> None:
    # torch counts up to the number of a size that is known only at run time.
    if not re.fullmatch(r"[a-z]+[0-9]{1,6}", text) and not (is_expression(text) and text[:1].isupper()):
        refuse_text(text)


_function_name = _matching(r"#?[\w<>-]*(?:\.[\w<>-]+)*")


def _check_functions(text: str) -> None:
    """Check what a node was made of: torch looks the names up as attributes, but does not call what it finds."""
    for entry in text.split(";"):
        _, separator, function = entry.partition(",")
        if not separator or "__" in function or function.startswith("#"):
            refuse_text(text)
        _function_name(function)


def _check_json(text: str) -> None:
    json.loads(text)


_METADATA: Mapping[str, Check] = {
    "stack_trace": _data,
    "nn_module_stack": _data,
    "source_fn_stack": _empty_or(_check_functions),
    "torch_fn": _data,
    "custom": _empty_or(_check_json),
    "from_node": _empty_or(_check_json),
}


def _check_metadata(metadata: Any) -> None:
    for key, text in metadata.items():
        if key not in _METADATA or not isinstance(text, str):
            refuse_text(key)
        _METADATA[key](text)


# By class and field. Texts of a list are judged one by one; the keys of a map have a line of their own.
TEXTS: Mapping[str, Check] = {
    "Device.type": _matching(r"cpu|cuda|mps|xpu|meta"),
    "SymExpr.expr_str": check_expression,
    "SymIntArgument.as_name": check_value_name,
    "SymFloatArgument.as_name": check_value_name,
    "SymBoolArgument.as_name": check_value_name,
    "TensorArgument.name": check_value_name,
    "TokenArgument.name": check_value_name,
    "GraphArgument.name": check_part_name,
    "CustomObjArgument.name": refuse_text,
    "CustomObjArgument.class_fqn": refuse_text,
    "Argument.as_string": _data,
    "Argument.as_strings": _data,
    "Argument.as_operator": refuse_text,
    "Argument.as_string_to_argument keys": refuse_text,
    "NamedArgument.name": _check_parameter_name,
    "Node.target": check_target,
    "Node.name": _empty_or(check_value_name),
    "Graph.tensor_values keys": check_value_name,
    "Graph.sym_int_values keys": check_value_name,
    "Graph.sym_bool_values keys": check_value_name,
    "Graph.sym_float_values keys": check_value_name,
    "Graph.custom_obj_values keys": refuse_text,
    "InputToConstantInputSpec.name": _empty_or(check_value_name),
    "ConstantValue.as_string": _data,
    "InputToParameterSpec.parameter_name": check_attribute_path,
    "InputToBufferSpec.buffer_name": check_attribute_path,
    "InputToTensorConstantSpec.tensor_constant_name": check_attribute_path,
    "InputToCustomObjSpec.custom_obj_name": refuse_text,
    "BufferMutationSpec.buffer_name": check_attribute_path,
    "ParameterMutationSpec.parameter_name": check_attribute_path,
    "GradientToParameterSpec.parameter_name": check_attribute_path,
    "GradientToUserInputSpec.user_input_name": check_value_name,
    "UserInputMutationSpec.user_input_name": check_value_name,
    "ModuleCallSignature.in_spec": check_arguments_tree,
    "ModuleCallSignature.out_spec": check_results_tree,
    "ModuleCallSignature.forward_arg_names": check_value_name,
    "ModuleCallEntry.fqn": _data,
    "NamedTupleDef.field_names": _data,
    "GraphModule.treespec_namedtuple_fields keys": _data,
    "ExportedProgram.opset_version keys": _data,
    "ExportedProgram.range_constraints keys": _check_symbol,
    "ExportedProgram.verifiers": _matching(r"ATEN|TRAINING|EDGE|"),
    "ExportedProgram.torch_version": _matching(r"[0-9][\w.+-]{0,63}|<=2\.4"),
    "ExportedProgram.guards_code": _data,  # a program is loaded without its guards
    "PayloadMeta.path_name": _data,  # compared with the records of the archive
    "PayloadConfig.config keys": check_attribute_path,
}
# Fields that are judged as a whole, and classes about which there is more to say than their fields say.
WHOLE_FIELDS: Mapping[str, Check] = {"Node.metadata": _check_metadata, "GraphModule.metadata": _check_metadata}
WHOLE_CLASSES: Mapping[str, Check] = {"Node": check_node}
