"""TorchScript of the networks that people have is accepted, and gives what the module gave."""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision.models import detection, get_model, quantization
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN

from inference.guards.torchscript.check import check_script
from tests.unit.inference.guards.odd_modules import EveryConstruct
from tests.unit.inference.guards.scripts import load, written
from tests.unit.inference.guards.small_networks import CLASSIFIERS, SLOW, resnet

# Scripting, tracing and quantizing are deprecated; what users exported before has to load.
pytestmark = pytest.mark.filterwarnings("ignore")

TOLERANCE = 1e-5
traced = partial(torch.jit.trace, check_trace=False, strict=False)


def tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from tensors_in([value[key] for key in sorted(value)])
    elif isinstance(value, list | tuple):
        for element in value:
            yield from tensors_in(element)


def assert_accepted_and_right(
    module: nn.Module, path: Path, *inputs: Any, write: Callable[[nn.Module], Any] | None = None
) -> None:
    written(module.eval(), path, write)
    check_script(path)
    with torch.no_grad():
        expected = list(tensors_in(module(*inputs)))
        given = list(tensors_in(load(path)(*inputs)))
    assert expected
    for one, other in zip(given[-len(expected) :], expected, strict=True):
        torch.testing.assert_close(one, other, rtol=TOLERANCE, atol=TOLERANCE)


def pyramid() -> nn.Module:
    """Return a small backbone of three levels."""
    levels = {"layer2": "0", "layer3": "1", "layer4": "2"}
    return BackboneWithFPN(resnet(), levels, [512, 1024, 2048], 32)


def anchors() -> AnchorGenerator:
    return AnchorGenerator(((16,), (32,), (64,), (128,)), ((0.5, 1.0, 2.0),) * 4)


def points() -> AnchorGenerator:
    return AnchorGenerator(((8,),) * 4, ((1.0,),) * 4)


SEGMENTERS = ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"]
SMALL: dict[str, Any] = {"min_size": 64, "max_size": 64}
FEW = {"box_detections_per_img": 4, "rpn_post_nms_top_n_test": 16}
DETECTORS: dict[str, Callable[[], nn.Module]] = {
    "faster_rcnn": lambda: detection.FasterRCNN(pyramid(), 3, rpn_anchor_generator=anchors(), **SMALL, **FEW),
    "mask_rcnn": lambda: detection.MaskRCNN(pyramid(), 3, rpn_anchor_generator=anchors(), **SMALL, **FEW),
    "keypoint_rcnn": lambda: detection.KeypointRCNN(pyramid(), 3, rpn_anchor_generator=anchors(), **SMALL, **FEW),
    "retinanet": lambda: detection.RetinaNet(pyramid(), 3, anchor_generator=anchors(), **SMALL),
    "fcos": lambda: detection.FCOS(pyramid(), 3, anchor_generator=points(), min_size=128, max_size=128),
    "ssd": partial(get_model, "ssdlite320_mobilenet_v3_large", weights=None, weights_backbone=None, num_classes=3),
}
QUANTIZED = ["mobilenet_v2", "resnet18", "shufflenet_v2_x0_5"]
# One for each kind of network that timm has, as small as it has them.
TIMM = [
    *("resnet10t", "resnetv2_50", "mobilenetv3_small_050", "mobilenetv4_conv_small_035", "efficientnet_lite0"),
    *("ghostnet_050", "hardcorenas_a", "lcnet_035", "semnasnet_075", "repvgg_a0", "regnetx_002", "dla46_c"),
    *("dpn48b", "eca_nfnet_l0", "gernet_s", "selecsls42", "skresnet18", "tresnet_m", "vit_tiny_patch16_224"),
    *("deit_tiny_patch16_224", "levit_128s", "pit_ti_224", "mixer_s32_224", "resmlp_12_224", "convnext_atto"),
    *("edgenext_xx_small", "mobilevit_xxs", "poolformer_s12", "xcit_nano_12_p16_224", "fastvit_t8"),
    *("efficientformer_l1", "inception_next_atto"),
]


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_family_of_torchvisions_classifiers_scripted_and_traced(tmp_path: Path, name: str) -> None:
    build, size = CLASSIFIERS[name]
    module, image = build().eval(), torch.rand(1, 3, size, size)
    assert_accepted_and_right(module, tmp_path / "scripted.pt", image)
    if name not in SLOW:
        assert_accepted_and_right(module, tmp_path / "traced.pt", image, write=partial(traced, example_inputs=image))


@pytest.mark.parametrize("name", SEGMENTERS)
def test_every_family_of_torchvisions_segmenters(tmp_path: Path, name: str) -> None:
    module = get_model(name, weights=None, weights_backbone=None, num_classes=3).eval()
    image = torch.rand(1, 3, 32, 32)
    assert_accepted_and_right(module, tmp_path / "scripted.pt", image)


@pytest.mark.parametrize("name", DETECTORS)
def test_every_family_of_torchvisions_detectors(tmp_path: Path, name: str) -> None:
    module = DETECTORS[name]()
    assert_accepted_and_right(module, tmp_path / "scripted.pt", [torch.rand(3, 64, 64)])


@pytest.mark.parametrize("name", QUANTIZED)
def test_families_of_torchvisions_quantized_networks(tmp_path: Path, name: str) -> None:
    module, image = getattr(quantization, name)(quantize=True).eval(), torch.rand(1, 3, 64, 64)
    assert_accepted_and_right(module, tmp_path / "traced.pt", image, write=partial(traced, example_inputs=image))


@pytest.mark.parametrize("name", TIMM)
def test_networks_of_timm(tmp_path: Path, name: str) -> None:
    module = timm.create_model(name, num_classes=3).eval()
    size = module.default_cfg["input_size"][-1] if module.default_cfg.get("fixed_input_size") else 128
    image = torch.rand(1, 3, size, size)
    assert_accepted_and_right(module, tmp_path / "traced.pt", image, write=partial(traced, example_inputs=image))


def test_a_frozen_network(tmp_path: Path) -> None:
    module, image = get_model("mobilenet_v3_small").eval(), torch.rand(1, 3, 64, 64)
    freeze = partial(lambda module: torch.jit.freeze(torch.jit.script(module)))
    assert_accepted_and_right(module, tmp_path / "frozen.pt", image, write=freeze)


def test_every_construct_of_the_language(tmp_path: Path) -> None:
    image = torch.rand(2, 2)
    assert_accepted_and_right(EveryConstruct(), tmp_path / "model.pt", image, [image, image])
    with zipfile.ZipFile(tmp_path / "model.pt") as archive:
        code = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".py"))
    for construct in (b"(Enum)", b"(NamedTuple)", b"(ModuleInterface)", b"with ", b"while ", b".save(", b"print("):
        assert construct in code
