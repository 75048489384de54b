"""Inputs find their arguments by name before by order, and what contradicts itself is refused."""

import pytest

from inference.arguments import Argument, bind
from inference.errors import NetworkError

X, MASK = Argument("x"), Argument("mask")
SCALE = Argument("scale", is_optional=True)
PIXELS, BOOL_MASK = Argument("pixel_values", by_name=True), Argument("bool_mask", by_name=True)


@pytest.mark.parametrize(
    ("arguments", "inputs", "bound"),
    [
        ([X], ["images"], [0]),
        ([X, MASK], ["images", "masks"], [0, 1]),
        ([X, MASK], ["mask", "x"], [1, 0]),
        ([X, MASK], ["images", "mask"], [0, 1]),
        ([PIXELS], ["pixel_values"], [0]),
        ([PIXELS, BOOL_MASK], ["bool_mask", "pixel_values"], [1, 0]),
        ([X, BOOL_MASK], ["bool_mask", "images"], [1, 0]),
        ([X, MASK, SCALE], ["a", "b"], [0, 1, None]),
        ([X, SCALE, MASK], ["mask", "x"], [1, None, 0]),
        ([X, SCALE], ["scale", "x"], [1, 0]),
    ],
)
def test_inputs_go_to_the_arguments_of_their_names_and_else_in_order(
    arguments: list[Argument], inputs: list[str], bound: list[int | None]
) -> None:
    assert bind(arguments, inputs) == bound


@pytest.mark.parametrize(
    ("arguments", "inputs"),
    [
        ([PIXELS], ["images"]),
        ([PIXELS, BOOL_MASK], ["pixel_values"]),
        ([X], ["images", "masks"]),
        ([X, MASK], ["images"]),
        ([X, MASK], ["mask", "images"]),  # the first by order, the second by name
        ([X, BOOL_MASK], ["images", "masks"]),
        ([], ["images"]),
    ],
)
def test_inputs_that_do_not_fit_are_told_the_names_of_the_arguments(
    arguments: list[Argument], inputs: list[str]
) -> None:
    with pytest.raises(NetworkError) as caught:
        bind(arguments, inputs)
    sentence = str(caught.value)
    assert all(repr(argument.name) in sentence for argument in arguments)
    assert all(repr(name) in sentence for name in inputs)
    assert sentence.endswith("set the tensor_name of each input to the name of its argument.")


def test_very_many_arguments_are_not_all_listed() -> None:
    with pytest.raises(NetworkError, match="'a19' and 80 more, and"):
        bind([Argument(f"a{number}") for number in range(100)], ["images"])
