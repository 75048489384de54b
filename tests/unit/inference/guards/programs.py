"""Exported programs to be tampered with, and every place of their JSON at which a text stands."""

import dataclasses
import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._export.serde import schema

from tests.unit.inference.seeded_networks import rewrite_archive

MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
JSON_RECORDS = (MODEL, WEIGHTS, CONSTANTS)
IMAGE = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(3))

FIELDS = {
    field.name for kind in vars(schema).values() if dataclasses.is_dataclass(kind) for field in dataclasses.fields(kind)
}

Step = str | int
Place = tuple[Step, ...]


def branch(condition: Tensor, then: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    if torch.compiler.is_exporting():
        return torch.cond(condition, then, other, (x,))
    return then(x) if condition else other(x)  # torch.cond would compile


class OddlyNamed(nn.Module):
    """A network whose parts are called like fields of torch's schema, or have letters that Python's names have not.

    It has sizes, buffers, constants, branches, and answers of nested containers, so that its program fills the schema.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        for name in ("metadata", "save", "guards_code", "größe", "a/b", "open(f'{x}')#", "expr_str"):
            self.add_module(name, nn.Conv2d(3, 3, 1))
        self.register_buffer("target", torch.rand(1, 3, 1, 1))
        self.register_buffer("passing", torch.rand(1, 3, 1, 1), persistent=False)
        self.in_spec = torch.rand(3)

    def forward(self, image: Tensor, *, as_string: Tensor) -> dict[str, Any]:
        height, width = image.shape[-2:]
        x = image
        for part in self.children():
            x = part(x)
        x = branch(x.sum() > 0, lambda y: y + 1, lambda y: y - self.target, x)
        with torch.no_grad():
            y = torch.nn.functional.interpolate(x, scale_factor=1.5) * self.in_spec.view(1, 3, 1, 1)
        positions = torch.nonzero(y[0, 0] > 0.5)
        areas = torch.einsum("nchw,nchw->nc", x, x) * (height * width // 2) + self.passing.flatten()
        return {"größe/1": [y, (positions, areas)], "metadata": {"target": as_string + self.target, "x'": height}}


def inputs() -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    return (IMAGE,), {"as_string": torch.ones(2, 3, 1, 1)}


INPUTS = ("image", "as_string")  # as a preprocessing calls them: a loaded program takes them by place


def tensors() -> list[Tensor]:
    (image,), by_name = inputs()
    return [image, by_name["as_string"]]


def write_oddly_named(path: Path, *, strict: bool = False) -> nn.Module:
    network = OddlyNamed().eval()
    auto = torch.export.Dim.AUTO
    dynamic = {"image": {0: torch.export.Dim("n", min=1, max=8), 2: auto, 3: auto}, "as_string": {0: auto}}
    args, kwargs = inputs()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of its own ways to trace
        program = torch.export.export(network, args, kwargs, dynamic_shapes=dynamic, strict=strict)
        torch.export.save(program, path)
    return network


def texts_in(value: Any, place: Place = ()) -> Iterator[tuple[Place, bool]]:
    """Yield each place of a JSON value that holds a text, and whether the text is the last key of that place."""
    if isinstance(value, str):
        yield place, False
    elif isinstance(value, dict):
        for key, element in value.items():
            yield (*place, key), True
            yield from texts_in(element, (*place, key))
    elif isinstance(value, list):
        for index, element in enumerate(value):
            yield from texts_in(element, (*place, index))


def with_text(value: Any, place: Place, is_key: bool, text: str) -> Any:
    """Return a JSON value with another text in one place; the rest of it is shared."""
    first, *rest = place
    if is_key and not rest:
        return {(text if key == first else key): element for key, element in value.items()}
    changed = value.copy()
    changed[first] = with_text(value[first], tuple(rest), is_key, text) if rest else text
    return changed


def pattern_of(place: Place) -> Place:
    """Return a place without what the uploader chooses: indices, and keys that are no fields."""
    return tuple(step if step in FIELDS else "*" for step in place)


def examples_of(value: Any) -> Iterator[tuple[Place, bool]]:
    """Yield one place of each kind at which a text stands."""
    seen = set()
    for place, is_key in texts_in(value):
        if (pattern := (pattern_of(place), is_key)) not in seen:
            seen.add(pattern)
            yield place, is_key


def tampered(program: Path, folder: Path, record: str, change: Callable[[Any], Any]) -> Path:
    """Write a copy of a program with one of its JSON records changed, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(shutil.copy(program, folder / "model.pt2"))

    def rewrite(entries: dict[str, bytes]) -> None:
        entries[record] = json.dumps(change(json.loads(entries[record]))).encode()

    rewrite_archive(path, rewrite)
    return path
