"""``python -m tests.unit.inference.exporting FOLDER``: exports networks whose outputs are of registered classes.

In a process of its own, because torch keeps such classes for the process, and who loads has none of them. The forms are
those that ``ModelOutput`` and ``DynamicCache`` of transformers 5 have in the files that it exports.
"""

import dataclasses
import sys
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

SIZE = 8


class ImageClassifierOutput(OrderedDict[str, Any]):
    """A mapping that is registered with its keys, of which those that are None are not there."""


class DynamicCache:
    """A class that is registered with a context that names nothing."""

    def __init__(self, tensors: list[Tensor]) -> None:
        self.tensors = tensors


@dataclasses.dataclass
class Detections:
    boxes: Tensor
    scores: Tensor
    masks: Tensor | None = None


Pair = namedtuple("Pair", ["scores", "features"])


class Returning(nn.Module):
    """A linear layer on the mean colour, whose scores are returned in some container."""

    def __init__(self, form: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3, 4)
        self.form = form

    def scores(self, pixel_values: Tensor) -> Tensor:
        """Return the scores, which are what is to come out."""
        return self.linear(pixel_values.mean((2, 3)))  # type: ignore[no-any-return]

    def forward(self, pixel_values: Tensor) -> Any:
        scores = self.scores(pixel_values)
        features = (pixel_values.mean(1), pixel_values.mean(2))
        made: dict[str, Callable[[], Any]] = {
            "model_output": lambda: ImageClassifierOutput(logits=scores),
            "hidden_states": lambda: ImageClassifierOutput(logits=scores, hidden_states=features),
            "cache": lambda: ImageClassifierOutput(logits=scores, past_key_values=DynamicCache(list(features))),
            "dataclass": lambda: Detections(boxes=scores, scores=scores.sigmoid()),
            "namedtuple": lambda: Pair(scores, features[0]),
            "ordered_dict": lambda: OrderedDict(out=scores, aux=features[0]),
            "lone_cache": lambda: DynamicCache([scores]),
        }
        return made[self.form]()


FORMS = ("model_output", "hidden_states", "cache", "dataclass", "namedtuple", "ordered_dict", "lone_cache")


def register() -> None:
    pytree.register_pytree_node(
        ImageClassifierOutput,
        lambda output: (list(output.values()), list(output.keys())),
        lambda values, keys: ImageClassifierOutput(zip(keys, values, strict=True)),
        serialized_type_name="transformers.modeling_outputs.ImageClassifierOutput",
    )
    pytree.register_pytree_node(
        DynamicCache,
        lambda cache: (cache.tensors, {"layers": len(cache.tensors)}),
        lambda tensors, _: DynamicCache(list(tensors)),
        serialized_type_name="transformers.cache_utils.DynamicCache",
    )
    pytree.register_dataclass(Detections, serialized_type_name="shop.Detections")
    pytree._register_namedtuple(Pair, serialized_type_name="shop.Pair")


def main(folder: Path) -> None:
    register()
    batch = {"pixel_values": {0: torch.export.Dim("batch", max=64)}}
    for form in FORMS:
        images = torch.rand(2, 3, SIZE, SIZE)
        program = torch.export.export(
            Returning(form).eval(), (), {"pixel_values": images}, dynamic_shapes=batch, strict=False
        )
        torch.export.save(program, folder / f"{form}.pt2")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
