"""Loads a network that nobody has loaded before and runs one image through it.

:mod:`workers.trial_process` calls it once it is confined.
"""

from pathlib import Path
from typing import Any

import torch

from inference.device import compute_in_full_float32
from inference.errors import DeviceLostError, InferenceError
from inference.loader import load_network
from inference.network import NetworkDescription
from inference.warm_up import run_once


def reason_against(folder: Path, preprocessing: Any, postprocessings: Any, device: str) -> str:
    """Return the sentence that says why the network in ``folder`` cannot be used, or nothing."""
    compute_in_full_float32()
    try:
        description = NetworkDescription.from_json(preprocessing, postprocessings)
        run_once(load_network(folder, description, torch.device(device)))
    except InferenceError as error:
        return str(error)
    except DeviceLostError as error:
        return f"The network broke the device: {error}"
    except torch.OutOfMemoryError:
        return "The device has not enough memory for the network."
    return ""
