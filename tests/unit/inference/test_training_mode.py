"""A network that was exported without eval() is refused, and one that was exported with it is not."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.errors import NetworkError
from inference.loader import load_network
from inference.warm_up import warm_up
from tests.unit.inference.batch_faults import loaded
from tests.unit.inference.seeded_networks import CPU, SIZE, description, write_script

EXAMPLE = torch.rand(2, 3, SIZE, SIZE)


def body(*others: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), *others, nn.ReLU(), pool, nn.Linear(8, 3))


class Functional(nn.Module):
    """Calls dropout itself, with a flag of its own or as the module says."""

    def __init__(self, flag: bool | None) -> None:
        super().__init__()
        self.body = body()
        self.flag = flag

    def forward(self, x: Tensor) -> Tensor:
        return functional.dropout(self.body(x), 0.5, self.training if self.flag is None else self.flag)


class Always(Functional):
    """Forgets the flag, which is true by default."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.dropout(self.body(x), 0.5)


class OnlyInTraining(Functional):
    """Has dropout in a branch that inference never takes."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        if self.training:
            y = functional.dropout(y, 0.5, True)
        return y


def as_program(module: nn.Module, folder: Path) -> None:
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(module, (EXAMPLE,), dynamic_shapes=shapes), folder / "model.pt2")


def as_trace(module: nn.Module, folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(module, EXAMPLE, check_trace=False), folder / "model.torchscript")


def as_script(module: nn.Module, folder: Path) -> None:
    write_script(module, folder / "model.torchscript")


def deployed(folder: Path) -> int:
    report = warm_up(load_network(folder, description(), CPU), 4).report
    return int(report["max_batch_size"])


Export = Callable[[nn.Module, Path], None]


@pytest.mark.parametrize("export", [as_program, as_trace])
@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.Dropout2d(0.3), nn.BatchNorm2d(8), nn.RReLU()])
def test_layers_that_work_as_in_training_are_refused(export: Export, layer: nn.Module, tmp_path: Path) -> None:
    export(body(layer).train(), tmp_path)
    with pytest.raises(NetworkError, match=r"exported in training mode: its \w+ works .* Call model\.eval\(\) before"):
        deployed(tmp_path)


@pytest.mark.parametrize("export", [as_program, as_trace, as_script])
@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.Dropout2d(0.3), nn.BatchNorm2d(8), nn.RReLU()])
def test_the_same_layers_in_evaluation_are_taken(export: Export, layer: nn.Module, tmp_path: Path) -> None:
    export(body(layer).eval(), tmp_path)
    assert deployed(tmp_path) >= 1


@pytest.mark.parametrize("layer", [nn.Dropout(0.0), nn.InstanceNorm2d(8), nn.BatchNorm2d(8, track_running_stats=False)])
def test_what_is_the_same_in_training_is_taken(layer: nn.Module, tmp_path: Path) -> None:
    as_program(body(layer).train(), tmp_path)
    assert deployed(tmp_path) >= 1


def test_a_script_follows_the_mode_that_the_loader_sets(tmp_path: Path) -> None:
    as_script(body(nn.Dropout(0.5), nn.BatchNorm2d(8)).train(), tmp_path)
    assert deployed(tmp_path) >= 1


@pytest.mark.parametrize("export", [as_program, as_trace, as_script])
@pytest.mark.parametrize("module", [Functional(True), Always(None)])
def test_dropout_that_is_asked_for_is_refused(export: Export, module: nn.Module, tmp_path: Path) -> None:
    export(module.eval(), tmp_path)
    with pytest.raises(NetworkError, match=r"eval\(\)"):
        deployed(tmp_path)


@pytest.mark.parametrize("export", [as_program, as_trace, as_script])
@pytest.mark.parametrize("module", [Functional(False), Functional(None), OnlyInTraining(None)])
def test_dropout_that_does_nothing_is_taken(export: Export, module: nn.Module, tmp_path: Path) -> None:
    export(module.eval(), tmp_path)
    assert deployed(tmp_path) >= 1


@pytest.mark.parametrize(
    "noise", [lambda y: y + 0.01 * torch.randn_like(y), lambda y: y * torch.bernoulli(torch.full_like(y, 0.8))]
)
def test_randomness_without_a_name_is_refused_by_what_it_does(noise: Callable[[Tensor], Tensor]) -> None:
    module = body()
    with pytest.raises(NetworkError, match=r"'output' differs from run to run for the same image: .* model\.eval\(\)"):
        warm_up(loaded(lambda x: noise(module(x))), 4)
