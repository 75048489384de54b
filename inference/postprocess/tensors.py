"""Takes a tensor that a post-processing names from what a network returned, and says in a sentence why it cannot."""

from collections.abc import Mapping

import torch
from torch import Tensor

from inference.errors import NetworkError

# Always there, whatever the network returns: the size of the image that it was given.
INPUT_SIZE = "input_size"


def tensor_of(tensors: Mapping[str, Tensor], name: str, dtype: torch.dtype) -> Tensor:
    """Return the tensor ``name`` as ``dtype``.

    Raises:
        NetworkError: when the network did not return it.
    """
    try:
        return tensors[name].to(dtype)
    except KeyError:
        names = ", ".join(tensors) or "none"
        raise NetworkError(f"The network has no tensor {name!r}; it has {names}.") from None


def misfit(name: str, tensor: Tensor, expected: str) -> NetworkError:
    """Return the error that ``tensor`` has not the shape that ``expected`` describes."""
    return NetworkError(f"The tensor {name!r} has the shape {list(tensor.shape)}; {expected} is needed.")
