"""Plain networks of every family of torchvision pass as exported programs, and answer as before.

Small ones in every run; those that people have, which take ten minutes, with ``make guards``.
"""

import os
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree
from torchvision.models import get_model, list_models

from inference.guards.exported.program import load_checked_program
from tests.unit.inference.guards.small_networks import CLASSIFIERS, SLOW
from tests.unit.inference.seeded_networks import CPU

_IMAGE, _LARGE = (2, 3, 64, 64), (2, 3, 224, 224)
_VIDEO = (1, 3, 8, 64, 64)
# A small member of each family that torch can export, and the shape of its input; detectors take lists of images.
FAMILIES: dict[str, tuple[int, ...]] = {
    "alexnet": _IMAGE,
    "convnext_tiny": _IMAGE,
    "deeplabv3_mobilenet_v3_large": _IMAGE,
    "densenet121": _IMAGE,
    "efficientnet_b0": _IMAGE,
    "efficientnet_v2_s": _IMAGE,
    "fcn_resnet50": _IMAGE,
    "googlenet": _IMAGE,
    "inception_v3": (2, 3, 96, 96),
    "lraspp_mobilenet_v3_large": _IMAGE,
    "maxvit_t": _LARGE,
    "mnasnet0_5": _IMAGE,
    "mobilenet_v2": _IMAGE,
    "mobilenet_v3_small": _IMAGE,
    "mvit_v2_s": (1, 3, 16, 224, 224),
    "r3d_18": _VIDEO,
    "raft_small": (1, 3, 128, 128),
    "regnet_x_400mf": _IMAGE,
    "regnet_y_400mf": _IMAGE,
    "resnet18": _IMAGE,
    "resnext50_32x4d": _IMAGE,
    "s3d": (1, 3, 16, 224, 224),
    "shufflenet_v2_x0_5": _IMAGE,
    "squeezenet1_1": _IMAGE,
    "swin3d_t": _VIDEO,
    "swin_t": _IMAGE,
    "swin_v2_t": _IMAGE,
    "vgg11_bn": _IMAGE,
    "vit_b_32": _LARGE,
    "wide_resnet50_2": _IMAGE,
}
# Members of families above under other first words, and detectors, whose numbers of boxes torch cannot export.
_MEMBERS = {"mc3", "r2plus1d", "mvit"}
_DETECTORS = {"fasterrcnn", "fcos", "keypointrcnn", "maskrcnn", "retinanet", "ssd300", "ssdlite320"}


def family_of(name: str) -> str:
    first = name.partition("_")[0]
    return first if first in _MEMBERS | _DETECTORS else first.rstrip("0123456789")


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        options = {"aux_logits": False, "init_weights": False}
    elif name.startswith(("deeplab", "fcn", "lraspp")):
        options = {"weights_backbone": None}
    model: nn.Module = get_model(name, weights=None, **options)
    return model.eval()


def inputs_of(name: str) -> tuple[Tensor, ...]:
    torch.manual_seed(1)
    return tuple(torch.rand(FAMILIES[name]) for _ in range(2 if name.startswith("raft") else 1))


def test_every_family_of_torchvision_is_here() -> None:
    families = {family_of(name) for name in list_models() if not name.startswith("quantized_")}
    assert families == {family_of(name) for name in FAMILIES} | _MEMBERS | _DETECTORS


def assert_accepted_and_right(network: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> None:
    dynamic = ({0: torch.export.Dim("batch", min=1, max=64)},) if inputs[0].shape[0] == 2 else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(network, inputs, dynamic_shapes=dynamic), path)
    loaded = load_checked_program(path, [f"image_{number}" for number in range(len(inputs))], CPU)
    with torch.no_grad():
        expected, answered = network(*inputs), loaded(*inputs)
    for left, right in zip(_pytree.tree_leaves(expected), _pytree.tree_leaves(answered), strict=True):
        assert torch.allclose(left, right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(CLASSIFIERS.keys() - SLOW))
def test_a_small_network_of_each_family_passes_and_answers_as_before(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    build_small, side = CLASSIFIERS[name]
    assert_accepted_and_right(build_small().eval(), (torch.rand(2, 3, side, side),), tmp_path / "model.pt2")


@pytest.mark.parametrize("name", FAMILIES if "ALL_NETWORKS" in os.environ else ["lraspp_mobilenet_v3_large"])
def test_a_network_as_people_have_it_passes_and_answers_as_before(tmp_path: Path, name: str) -> None:
    assert_accepted_and_right(build(name), inputs_of(name), tmp_path / "model.pt2")
