"""Decides which of torch's operators an uploaded program may use.

An operator is accepted when its registered schema says that it is a function of tensors, numbers, strings, lists and
dicts, and when nothing below refuses it in spite of that. What torch adds later is judged by the same rules: a new
operator that takes a string, an object or a handle is refused until it is listed here. Used by the guards of both
formats of programs.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed
import torchvision  # noqa: F401  # registers torchvision

MAX_REMEMBERED_NAMES = 4096

_PLAIN_KINDS = frozenset(
    {
        *("TensorType", "IntType", "FloatType", "BoolType", "ComplexType", "NumberType", "NoneType", "SymBoolType"),
        *("DeviceObjType", "AnyEnumType", "QSchemeType", "VarType", "StringType"),
    }
)
# Objects of native code that hold the weights of quantized layers.
PACKED_PARAMETERS = frozenset(
    f"__torch__.torch.classes.{name}"
    for name in (
        "quantized.LinearPackedParamsBase",
        "quantized.Conv2dPackedParamsBase",
        "quantized.Conv3dPackedParamsBase",
        "quantized.EmbeddingPackedParamsBase",
        "rnn.CellParamsBase",
    )
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A string could be a path. Here are the arguments that are none, each with the operators that have it.
_STRING_ARGUMENTS = {
    "UPLO": _words("linalg_eigh linalg_eigvalsh"),
    "a": _words("Float Int add device eq ge gt le lt ne"),
    "api_name": _words("_linalg_check_errors"),
    "approximate": _words("gelu gelu_"),
    "assert_msg": _words("_assert_async _assert_scalar _functional_assert_async _functional_assert_scalar"),
    "b": _words("add eq ge gt le lt ne"),
    "chars": _words("lstrip rstrip strip"),
    "cls": _words("prim::RaiseException"),
    "device_type": _words("get_autocast_dtype"),
    "dict": _words("__contains__"),
    "driver": _words("linalg_lstsq linalg_svd linalg_svdvals"),
    "el": _words("count index remove"),
    "equation": _words("einsum"),
    "fillchar": _words("center ljust rjust"),
    "idx": _words("_set_item"),
    "indexing": _words("meshgrid"),
    "input": _words("sorted"),
    "inputs": _words("dict"),
    "interpolation": _words("nanquantile quantile"),
    "item": _words("__contains__"),
    "key": _words("Delete __contains__ __getitem__ get pop setdefault"),
    "l": _words("_set_item __contains__"),
    "message": _words("warn"),
    "mode": _words("__interpolate __upsample linalg_qr pad"),
    "msg": _words("prim::RaiseException"),
    "new": _words("replace"),
    "norm": _words(
        "fft_fft fft_fft2 fft_fftn fft_hfft fft_hfft2 fft_hfftn fft_ifft fft_ifft2 fft_ifftn fft_ihfft fft_ihfft2"
        " fft_ihfftn fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftn"
    ),
    "old": _words("replace"),
    "ord": _words("linalg_matrix_norm linalg_norm"),
    "p": _words("linalg_cond"),
    "pad_mode": _words("stft"),
    "padding": _words("_convolution_mode conv1d conv2d conv3d"),
    "padding_side": _words("pad_sequence"),
    "reduce": _words("index_reduce index_reduce_ scatter scatter_ scatter_reduce scatter_reduce_ segment_reduce"),
    "rounding_mode": _words("div div_ divide divide_"),
    "self": _words(
        "Delete __getitem__ any capitalize center clear copy count dict endswith expandtabs find format get index"
        " isalnum isalpha isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper items"
        " join keys len ljust lower lstrip partition percentFormat pop popitem remove replace rfind rindex rjust"
        " rpartition rsplit rstrip setdefault sort split splitlines startswith strip swapcase title update upper"
        " values zfill"
    ),
    "separator": _words("partition rpartition rsplit split"),
    "side": _words("searchsorted"),
    "s": _words("__getitem__ len"),
    "string": _words("ord slice prim::StringIndex"),
    "substr": _words("count endswith find index rfind rindex startswith"),
    "t": _words("list"),
    "to_add": _words("update"),
    "type": _words("device"),
    "values": _words("join"),
}
# They take anything and any number of it; what they do with it is put it into a string, a tensor or the output.
_TAKE_ANYTHING = _words("aten::format aten::percentFormat aten::einsum prim::Print prim::tolist")
_ANY_OVERLOADS = _words("aten::len.any aten::dequantize.any")

# The rest of prim:: are parts of optimised graphs, which rely on each other.
_PRIM = _words(
    "EnumName EnumValue NumToTensor Print RaiseException StringIndex Uninitialized abs data device dtype index is_cpu"
    " is_cuda is_ipu is_maia is_meta is_mkldnn is_mps is_mtia is_nested is_quantized is_sparse is_sparse_csr is_vulkan"
    " is_xla is_xpu itemsize layout max min name nbytes rangelist requires_grad tolist type unchecked_cast"
    " unchecked_unwrap_optional"
)

# Operators with an underscore in front are torch's own, and many check nothing. These stand in programs that torch
# writes: parts of the language, and what public operators are decomposed into.
_PRIVATE_ATEN = _words(
    "__and__ __contains__ __derive_index __getitem__ __iand__ __ilshift__ __interpolate __ior__ __irshift__ __is__"
    " __isnot__ __ixor__ __lshift__ __not__ __or__ __range_length __round_to_zero_floordiv __rshift__ __upsample"
    " __upsample_bilinear __upsample_nearest __xor__ _adaptive_avg_pool2d _adaptive_avg_pool3d _addmm_activation"
    " _aminmax _assert_async _assert_scalar _assert_tensor_metadata _autocast_to_full_precision"
    " _autocast_to_reduced_precision _batch_norm_no_update _cast_Byte _cast_Char _cast_Double _cast_Float _cast_Half"
    " _cast_Int _cast_Long _cast_Short _cdist_forward _conj _conj_physical _convolution _convolution_mode _dim_arange"
    " _euclidean_dist _fft_c2c _fft_c2r _fft_r2c _functional_assert_async _functional_assert_scalar"
    " _functional_sym_constrain_range _functional_sym_constrain_range_for_size _fused_rms_norm _fused_sdp_choice"
    " _infer_size _int_mm _is_all_true _is_any_true _linalg_check_errors _linalg_det _linalg_slogdet _linalg_solve_ex"
    " _list_to_tensor _local_scalar_dense _log_softmax _logcumsumexp _make_dep_token _masked_softmax"
    " _native_batch_norm_legit _native_batch_norm_legit_functional _native_batch_norm_legit_no_training"
    " _native_multi_head_attention _neg_view _pack_padded_sequence _pad_circular _pad_enum _pad_packed_sequence"
    " _pdist_forward _prelu_kernel _safe_softmax _scaled_dot_product_attention_math"
    " _scaled_dot_product_cudnn_attention _scaled_dot_product_efficient_attention"
    " _scaled_dot_product_flash_attention _scaled_dot_product_flash_attention_for_cpu"
    " _scaled_dot_product_fused_attention_overrideable _set_item _shape_as_tensor _size_if_not_equal _softmax _stack"
    " _tensor_to_list _to_copy _transform_bias_rescale_qkv _transformer_encoder_layer_fwd _trilinear _unique _unique2"
    " _unsafe_index _unsafe_index_put _unsafe_view _unwrap_optional _upsample_bicubic2d_aa _upsample_bilinear2d_aa"
    " _upsample_lanczos2d_aa _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d"
    " _weight_norm _weight_norm_interface"
)
# Not functions of their arguments: they change what belongs to the process, tell addresses in its memory, or put one
# tensor's memory below another.
_NOT_PURE = _words(
    "backward get_gradients grad hash manual_seed record_stream retain_grad seed set set_ set_data"
    " shallow_copy_data_ is_owner"
)
# Layouts whose indices torch believes without looking at them, and parts of one backend's optimised graphs.
_UNCHECKED = re.compile(
    r"sparse_.*|.*_sparse|hspmm|smm|sspmm|sspaddmm|coalesce|to_mkldnn|mkldnn_.*|miopen_.*|mps_.*|fbgemm_.*"
    r"|cudnn_(?!convolution).*|embedding_renorm_?|unsafe_.*_tensors|batch_norm_(?:stats|elemt|gather_stats.*)"
    r"|.*_backward(?:_.*)?|.*_jvp"
)
_NAME = re.compile(r"(aten|prim|prims|torchvision|quantized|quantized_decomposed)::([A-Za-z_][A-Za-z0-9_]*)")


def accepts(name: str, overload: str) -> bool:
    """Tell whether one overload of an operator is accepted.

    Args:
        name: namespace and name, such as ``aten::add``.
        overload: such as ``Tensor``; that without a name is empty, or ``default``.
    """
    return _overloads(name).get("" if overload == "default" else overload, False)


def accepts_name(name: str) -> bool:
    """Tell whether an operator is accepted whichever of its overloads the arguments choose."""
    overloads = _overloads(name)
    return bool(overloads) and all(overloads.values())


def is_registered(name: str) -> bool:
    """Tell whether torch has an operator of that name, accepted or not."""
    return bool(torch._C._jit_get_schemas_for_operator(name))


def accepted_operators() -> Iterator[tuple[str, str]]:
    """Yield name and overload of every accepted operator of this torch."""
    for name in sorted({schema.name for schema in torch._C._jit_get_all_schemas()}):
        yield from ((name, overload) for overload, is_accepted in _overloads(name).items() if is_accepted)


@lru_cache(MAX_REMEMBERED_NAMES)
def _overloads(name: str) -> dict[str, bool]:
    match = _NAME.fullmatch(name)
    if match is None:
        return {}
    is_accepted = _accepts_namespace_and_name(match[1], match[2])
    schemas = torch._C._jit_get_schemas_for_operator(name)
    return {schema.overload_name: is_accepted and _is_plain(schema) for schema in schemas}


def _accepts_namespace_and_name(namespace: str, name: str) -> bool:
    if namespace == "prim":
        return name in _PRIM
    if name.startswith("_"):
        return namespace == "aten" and name in _PRIVATE_ATEN
    return namespace != "aten" or (name not in _NOT_PURE and _UNCHECKED.fullmatch(name) is None)


def _is_plain(schema: Any) -> bool:
    """Tell whether all that goes in and comes out is plain, and no string among it could be a path."""
    if f"{schema.name}.{schema.overload_name}" in _ANY_OVERLOADS:
        return True
    # The schema's object does not say otherwise that it takes, or returns, any number of values.
    if "..." in str(schema):
        return schema.name in _TAKE_ANYTHING
    if schema.name == "prim::Uninitialized":
        return True
    return all(_accepts_argument(schema.name, argument) for argument in schema.arguments) and all(
        _is_plain_type(returned.type) for returned in schema.returns
    )


def _accepts_argument(operator: str, argument: Any) -> bool:
    kind = argument.type.kind()
    if kind == "OptionalType" and argument.type.getElementType().kind() == "GeneratorType":
        return True  # no accepted operator returns a generator, so it is always None
    if _has_string(argument.type):
        accepted = _STRING_ARGUMENTS.get(argument.name, frozenset())
        return operator.removeprefix("aten::") in accepted and _is_plain_type(argument.type)
    return _is_plain_type(argument.type)


def _is_plain_type(kind: Any) -> bool:
    if kind.kind() == "ClassType":
        return kind.annotation_str in PACKED_PARAMETERS
    elements = _elements(kind)
    return all(map(_is_plain_type, elements)) if elements else kind.kind() in _PLAIN_KINDS


def _has_string(kind: Any) -> bool:
    return kind.kind() == "StringType" or any(map(_has_string, _elements(kind)))


def _elements(kind: Any) -> list[Any]:
    match kind.kind():
        case "ListType" | "OptionalType":
            return [kind.getElementType()]
        case "DictType":
            return [kind.getKeyType(), kind.getValueType()]
        case "TupleType":
            return list(kind.elements())
    return []
