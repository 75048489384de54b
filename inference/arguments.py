"""Decides which input of the preprocessing is which argument of the network, by name before by order.

The loader asks for exported programs and TorchScript, whose arguments have names.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.errors import NetworkError

_SHOWN = 20


@dataclass(frozen=True)
class Argument:
    """An argument that takes a tensor; ``by_name`` if its place among the others means nothing."""

    name: str
    by_name: bool = False
    is_optional: bool = False


def bind(arguments: Sequence[Argument], inputs: Sequence[str]) -> list[int | None]:
    """Return for each argument the index of its input; None where it keeps its default.

    Inputs that all are named as arguments go to these. Otherwise they go to the arguments in order, but for those that
    have a name only.

    Raises:
        NetworkError: when inputs or arguments are left over, or order and names contradict each other.
    """
    places = {argument.name: place for place, argument in enumerate(arguments)}
    named = {index: places[name] for index, name in enumerate(inputs) if name in places}
    bound = named if len(named) == len(inputs) else _in_order(arguments, inputs, named)
    taken = {place: index for index, place in bound.items()}
    is_complete = all(argument.is_optional or place in taken for place, argument in enumerate(arguments))
    if len(bound) < len(inputs) or not is_complete or any(bound[index] != place for index, place in named.items()):
        raise NetworkError(
            f"The network takes {_listed([argument.name for argument in arguments])}, and the preprocessing has"
            f" {_listed(inputs)}; set the tensor_name of each input to the name of its argument."
        )
    return [taken.get(place) for place in range(len(arguments))]


def _in_order(arguments: Sequence[Argument], inputs: Sequence[str], named: dict[int, int]) -> dict[int, int]:
    by_name = {index: place for index, place in named.items() if arguments[place].by_name}
    others = [index for index in range(len(inputs)) if index not in by_name]
    places = [place for place, argument in enumerate(arguments) if not argument.by_name]
    return {**by_name, **dict(zip(others, places, strict=False))}


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:80]) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown or "no input"
