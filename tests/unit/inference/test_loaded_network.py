"""Outputs have the names that the contract promises, samples do not mix, and failures are sentences."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from inference.errors import DeviceLostError, NetworkError
from inference.loaded_network import LoadedNetwork
from tests.unit.inference.seeded_networks import CPU, description, images


def network(module: Callable[..., Any], count: int = 1, **options: Any) -> LoadedNetwork:
    return LoadedNetwork(module, description(count, **options), CPU, weight_bytes=0)


def names_of(module: Callable[..., Any], **options: Any) -> list[str]:
    results = network(module, **options).run([(image,) for image in images(2)])
    assert len(results) == 2
    return list(results[0])


def test_a_single_tensor_is_called_output() -> None:
    assert names_of(lambda x: x) == ["output"]
    assert names_of(lambda x: x, names=["scores"]) == ["scores"]


def test_tensors_of_a_tuple_are_numbered_or_named() -> None:
    assert names_of(lambda x: (x, x)) == ["output_0", "output_1"]
    assert names_of(lambda x: [x]) == ["output_0"]
    assert names_of(lambda x: (x, x), names=["boxes", "scores"]) == ["boxes", "scores"]


def test_tensors_of_a_dict_keep_their_keys() -> None:
    assert names_of(lambda x: {"a": x, "b": x}) == ["a", "b"]
    assert names_of(lambda x: OrderedDict(out=x), names=["out"]) == ["out"]
    assert names_of(lambda x: [{"boxes": row, "scores": row} for row in x]) == ["boxes", "scores"]
    assert names_of(lambda x: ({}, [{"boxes": row} for row in x])) == ["boxes"]


@pytest.mark.parametrize(
    ("module", "options", "sentence"),
    [
        (lambda x: (x, x), {"names": ["a"]}, "name 1 tensors, and the network returns 2"),
        (lambda x: {"a": x}, {"names": ["b"]}, "name a tensor 'b' that the network does not return"),
        (lambda x: [{"a": x[0]}], {}, "returned 1 results for 2 images"),
        (lambda x: x.sum(), {}, r"has shape \[\], whose first dimension is not the batch of 2"),
        (lambda x: x[:1], {}, "whose first dimension is not the batch of 2"),
        (lambda x: "cat", {}, "'output' is not a tensor"),
        (lambda x: {"a": {"b": x}}, {}, "'a' is not a tensor"),
        (lambda x: [{"a": 3} for _ in x], {}, "'a' is not a tensor"),
        (lambda x: x @ torch.zeros(5, 5), {}, "The network failed on its input: .*32.*5"),
    ],
)
def test_output_that_cannot_be_used_is_a_sentence(
    module: Callable[..., Any], options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(NetworkError, match=sentence) as caught:
        network(module, **options).run([(image,) for image in images(2)])
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("module", "kept", "left_out"),
    [
        (lambda x: {"logits": x, "loss": None}, ["logits"], {"loss": "is not a tensor but None"}),
        (lambda x: (x, None), ["output_0"], {"output_1": "is not a tensor but None"}),
        (lambda x: (None, 3, x), ["output_2"], {"output_0": "is not a tensor but None", "output_1": "of type int"}),
        (lambda x: (x, x.mean()), ["output_0"], {"output_1": "has shape [], whose first dimension is not the batch"}),
        (lambda x: (x, torch.ones(7, 4)), ["output_0"], {"output_1": "has shape [7, 4], whose first dimension"}),
        (
            lambda x: (x, (x, x), [x], {"a": x}),
            ["output_0"],
            {"output_1": "a tuple of 2", "output_2": "a list of 1", "output_3": "a dict of 1"},
        ),
        (lambda x: {"a": x, "n": 2.5, "s": "cat", "b": True}, ["a"], {"n": "float", "s": "str", "b": "bool"}),
        (lambda x: [{"boxes": row, "count": 3} for row in x], ["boxes"], {"count": "of type int"}),
    ],
)
def test_what_nobody_asked_for_is_left_out_and_the_others_keep_their_places(
    module: Callable[..., Any], kept: list[str], left_out: dict[str, str]
) -> None:
    tried = network(module)
    samples = [(image,) for image in images(2)]
    found = {each["name"]: each["reason"] for each in tried.find_outputs(samples[0])}
    assert found.keys() == left_out.keys()
    assert all(reason in found[name] and found[name].startswith("The output ") for name, reason in left_out.items())
    assert [list(result) for result in tried.run(samples)] == [kept, kept]


def test_what_was_left_out_of_one_sample_is_no_output_of_a_batch_that_has_as_many_rows() -> None:
    constants = torch.ones(3, 2)
    tried = network(lambda x: (x, constants))
    tried.find_outputs((images(1)[0],))
    results = tried.run([(image,) for image in images(3)])
    assert [list(result) for result in results] == [["output_0"]] * 3


def test_what_is_left_out_and_was_named_is_a_sentence() -> None:
    sample = (images(1)[0],)
    with pytest.raises(NetworkError, match="The network's output 'aux' is not a tensor but None"):
        network(lambda x: (x, None), names=["scores", "aux"]).find_outputs(sample)
    with pytest.raises(NetworkError, match="The network's output 'output_0' is not a tensor but None"):
        network(lambda x: (None, 3)).find_outputs(sample)
    with pytest.raises(NetworkError, match="The network returns nothing"):
        network(lambda x: {}).find_outputs(sample)


def test_an_output_that_was_kept_must_stay_a_tensor() -> None:
    answers = iter([1, None])
    tried = network(lambda x: (x, x if next(answers) else None))
    tried.find_outputs((images(1)[0],))
    with pytest.raises(NetworkError, match="'output_1' is not a tensor but None"):
        tried.run([(images(1)[0],)])


def test_each_sample_gets_its_own_rows() -> None:
    samples = images(4)
    results = network(lambda x: {"sums": x.sum((2, 3)), "first": x[:, 0]}).run([(image,) for image in samples])
    for image, result in zip(samples, results, strict=True):
        torch.testing.assert_close(result["sums"], image.sum((1, 2)))
        assert torch.equal(result["first"], image[0])


def test_several_inputs_are_arguments_in_order() -> None:
    first, second = images(2), images(2, 16)
    results = network(lambda a, b: (a.mean((1, 2, 3)), b.mean((1, 2, 3))), count=2).run(
        list(zip(first, second, strict=True))
    )
    torch.testing.assert_close(results[1]["output_0"], first[1].mean())
    torch.testing.assert_close(results[1]["output_1"], second[1].mean())


def test_a_network_without_batches_gets_one_image_at_a_time() -> None:
    shapes = []

    def module(x: Tensor) -> Tensor:
        shapes.append(tuple(x.shape))
        return x.mean((2, 3))

    results = network(module, batched=False).run([(image,) for image in images(3)])
    assert shapes == [(1, 3, 32, 32)] * 3
    assert [result["output"].shape for result in results] == [(3,)] * 3


def test_no_gradients_are_recorded() -> None:
    weight = torch.ones(1, requires_grad=True)
    assert not network(lambda x: x * weight).run([(images(1)[0],)])[0]["output"].requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64, torch.bool])
def test_types_of_outputs_are_kept(dtype: torch.dtype) -> None:
    assert network(lambda x: x.to(dtype)).run([(images(1)[0],)])[0]["output"].dtype == dtype


def raising(error: Exception) -> Callable[[Tensor], Tensor]:
    def module(x: Tensor) -> Tensor:
        raise error

    return module


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: not enough memory: you tried"),
        MemoryError(),
    ],
)
def test_lack_of_memory_is_told_apart(error: Exception) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        network(raising(error)).run([(images(1)[0],)])


def test_a_lost_device_is_told_apart() -> None:
    with pytest.raises(DeviceLostError):
        network(raising(torch.AcceleratorError("CUDA error: an illegal memory access"))).run([(images(1)[0],)])


def test_failures_hold_no_paths_and_one_line() -> None:
    error = RuntimeError('File "/srv/secret/app/model.py", line 3\nmore\nand more')
    with pytest.raises(NetworkError) as caught:
        network(raising(error)).run([(images(1)[0],)])
    assert "/srv" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_lower_precision_is_used_inside_and_float32_comes_out() -> None:
    inside = []
    linear = torch.nn.Linear(32, 4)

    def module(x: Tensor) -> dict[str, Tensor]:
        product = linear(x)
        inside.append(product.dtype)
        return {"product": product, "whole": product.to(torch.int64)}

    full = network(module)
    narrow = full.at(torch.bfloat16)
    [expected], [result] = full.run([(images(1)[0],)]), narrow.run([(images(1)[0],)])
    assert inside == [torch.float32, torch.bfloat16]
    assert (result["product"].dtype, result["whole"].dtype) == (torch.float32, torch.int64)
    assert torch.allclose(result["product"], expected["product"], atol=0.02)
    assert not torch.equal(result["product"], expected["product"])
    assert linear.weight.dtype is torch.float32
