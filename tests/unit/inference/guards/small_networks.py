"""A network of each family of torchvision's classifiers, as small as the family's parts allow."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn
from torchvision import models
from torchvision.models import get_model
from torchvision.models.convnext import CNBlockConfig


def vgg() -> nn.Module:
    module = models.VGG(models.vgg.make_layers([8, "M", 8, "M"], batch_norm=True))
    module.classifier = nn.Sequential(nn.Linear(7 * 7 * 8, 8), nn.ReLU(True), nn.Dropout(), nn.Linear(8, 3))
    return module


def densenet() -> nn.Module:
    return models.DenseNet(8, (2, 2), 16, num_classes=3)


def swin(block: type[nn.Module], downsample: type[nn.Module]) -> nn.Module:
    return models.SwinTransformer([4, 4], 12, [1, 1], [2, 2], [2, 2], block=block, downsample_layer=downsample)


def maxvit() -> nn.Module:
    return models.MaxVit((56, 56), 8, 7, [8, 16], [1, 1], 4, 0.1)


def resnet(**kwargs: Any) -> nn.Module:
    return models.ResNet(models.resnet.Bottleneck, [1, 1, 1, 1], num_classes=3, **kwargs)


# Each with the side of its images.
CLASSIFIERS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "squeezenet": (partial(get_model, "squeezenet1_1"), 64),
    "vgg": (vgg, 32),
    "resnet": (resnet, 64),
    "resnext": (partial(resnet, groups=2, width_per_group=4), 64),
    "densenet": (densenet, 32),
    "googlenet": (partial(get_model, "googlenet", init_weights=False), 64),
    "inception": (partial(get_model, "inception_v3", init_weights=False), 75),
    "shufflenet": (partial(get_model, "shufflenet_v2_x0_5"), 64),
    "mobilenet_v2": (partial(get_model, "mobilenet_v2", width_mult=0.25), 64),
    "mobilenet_v3": (partial(get_model, "mobilenet_v3_small"), 64),
    "mnasnet": (partial(get_model, "mnasnet0_5"), 64),
    "efficientnet": (partial(get_model, "efficientnet_b0"), 64),
    "regnet": (partial(get_model, "regnet_y_400mf"), 64),
    "convnext": (partial(models.ConvNeXt, [CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)]), 32),
    "vit": (partial(models.VisionTransformer, 32, 8, 1, 2, 16, 16), 32),
    "swin": (partial(swin, models.swin_transformer.SwinTransformerBlock, models.swin_transformer.PatchMerging), 32),
    "swin_v2": (
        partial(swin, models.swin_transformer.SwinTransformerBlockV2, models.swin_transformer.PatchMergingV2),
        32,
    ),
    "maxvit": (maxvit, 56),
}
SLOW = {"googlenet", "inception"}
