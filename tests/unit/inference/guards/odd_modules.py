"""A module that uses what the language has, with names and texts that must decide nothing."""

import enum
import warnings
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Point(NamedTuple):
    image: Tensor
    save: int = 3


class Store:
    """Its methods are called as operators are that touch files."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.items: dict[str, int] = {}

    def save(self, key: str) -> int:
        self.items[key] = self.count
        return len(self.items)

    def from_file(self, key: str) -> int:
        return self.items[key]

    def __add__(self, other: int) -> int:
        return self.count + other


with warnings.catch_warnings():
    warnings.simplefilter("ignore")

    @torch.jit.interface
    class Layer(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            pass


class Double(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


class EveryConstruct(nn.Module):
    constant: torch.jit.Final[int] = 3
    layer: Layer

    def __init__(self) -> None:
        super().__init__()
        self.layer = Double()
        self.save = Double()
        self.read_file = nn.Sequential(nn.Identity(), Double())
        self.ops = Double()
        self.named = nn.ModuleDict({name: Double() for name in ("a b", "é", "try", "lambda", "match", "0")})
        self.layers = nn.ModuleList([Double(), Double()])
        self.linear = nn.Linear(2, 2)
        self.colour = Colour.RED
        self.buffers_of_it: list[Tensor] = [torch.ones(2)]
        self.factor = 1 + 2j
        self.inf = float("inf")
        self.negative_zero = -0.0
        self.settings = {"torch.save": 1}
        self.device = torch.device("cpu")
        self.maybe: Tensor | None = None
        self.mixed = (1, "x\"y'\\ \n é\x01 from_file", 2**40)

    @torch.jit.unused
    def unused(self, x: Tensor) -> Tensor:
        return x

    def forward(  # noqa: C901  # the language has that much
        self, x: Tensor, others: list[Tensor], text: str = "abc é 'q'", bound: float = float("inf"), scale: int = 2
    ) -> tuple[dict[str, Tensor], Tensor, Point, list[float], Tensor]:
        store = Store(3)
        count = store.save("torch.save") + store.from_file("torch.save") + (store + 2)
        if x.shape[0] > 100:
            raise ValueError(f"cannot save {x.shape[0]} with torch.from_file, {text}")
        assert x.dim() >= 1, f"bad {x.dim()} and 100%: ops.image.read_file"
        if x.shape[0] > 99:
            x = self.unused(x)
        point = Point(x, 3)
        print("%s-%d" % (text, count))  # noqa: UP031  # the language has an operator of its own for it
        results = {"out": self.layer(x), "image": point.image}
        for layer in self.layers:
            x = layer(x)
        for other in others:
            x = x + other.sum()
        i = 0
        while True:
            i += 1
            if i > scale:
                break
            if i == 2:
                continue
        with torch.no_grad():
            x = x * 1
        if self.colour == Colour.GREEN:
            x = x + self.colour.value
        spectrum = torch.complex(x, x) * self.factor
        x = torch.where(x > self.inf, x * self.negative_zero, x)
        x = self.read_file(self.ops(self.save(x)))
        x = self.named["a b"](self.named["try"](self.named["match"](self.named["0"](x))))
        if self.maybe is not None:
            x = x + self.maybe
        x[0] = 1.0
        x += 1
        x = self.linear(x.to(self.device).to(torch.float32)) @ x.t()
        values: list[float] = x.flatten().tolist()
        return results, x, point, values, torch.view_as_real(spectrum)
