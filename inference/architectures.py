"""Builds torchvision architectures by name, without their published weights.

The loader fills them with an uploaded state dict. Only builders that torchvision registers can be named, and
nothing is ever downloaded.
"""

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import torchvision
from torch import nn
from torchvision.models import get_model, get_model_builder, list_models

from inference.errors import NetworkError, reason_of

# Builders fetch weights by either; both are forced to none, whatever the architecture file says.
_WEIGHT_ARGUMENTS = ("weights", "weights_backbone")


@cache
def _detection_builders() -> frozenset[str]:
    return frozenset(list_models(module=torchvision.models.detection))


def takes_image_list(builder: str) -> bool:
    """Tell whether a builder's models take a list of ``(C, H, W)`` images, as torchvision's detectors do."""
    return builder.lower() in _detection_builders()


def build(builder: str, kwargs: Mapping[str, Any]) -> nn.Module:
    """Build an architecture with random weights.

    Args:
        builder: a name in ``torchvision.models.list_models()``.
        kwargs: plain JSON values for the builder, such as ``num_classes``.

    Raises:
        NetworkError: when the builder is unknown or does not take the arguments.
    """
    if builder.lower() not in list_models():
        raise NetworkError(f"The architecture {builder[:80]!r} is not a torchvision model builder.")
    accepted = inspect.signature(get_model_builder(builder)).parameters
    forced = {name: None for name in _WEIGHT_ARGUMENTS if name in accepted}
    try:
        model: nn.Module = get_model(builder, **{**kwargs, **forced})
    except Exception as error:  # a builder raises whatever its layers make of wrong arguments
        raise NetworkError(f"The architecture {builder} cannot be built: {reason_of(error)}") from error
    return model
