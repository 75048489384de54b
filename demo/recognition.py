"""Runs a demo model folder through Recoq's own inference library, as a worker would, without queue or API.

Used by `demo.evaluate` and the tests, so that what is judged is what is shipped: preprocessing, weights,
thresholds and post-processing together.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import torch

from inference.images import ImageLimits, decode_image
from inference.loaded_network import LoadedNetwork
from inference.loader import load_network
from inference.network import NetworkDescription
from inference.postprocess import OutputDescription, postprocess
from inference.preprocess import prepare_image
from inference.regions import WHOLE_IMAGE

Box = tuple[float, float, float, float]  # xmin, ymin, xmax, ymax

_DESCRIPTION_FILE = "model.json"
_LIMITS = ImageLimits(max_bytes=32 * 2**20, max_pixels=50_000_000)
_MAX_PREDICTIONS = 100


@dataclass(frozen=True)
class Prediction:
    """One predicted label; `box` is normalised to the image, None when the model only classifies."""

    label: int
    score: float
    box: Box | None


@dataclass(frozen=True)
class DemoModel:
    """A loaded model folder."""

    network: LoadedNetwork
    output: OutputDescription

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the model of this folder on the CPU."""
        model = json.loads((folder / _DESCRIPTION_FILE).read_text())
        description = NetworkDescription.from_json(model["preprocessing"], model.get("postprocessings", []))
        with TemporaryDirectory() as published:
            # A published network consists of its weight files only.
            for path in folder.iterdir():
                if path.name != _DESCRIPTION_FILE:
                    shutil.copy(path, published)
            network = load_network(Path(published), description, torch.device("cpu"))
        return cls(network, OutputDescription.from_json(model["outputs"][0], model["post_processings"][0]))

    def recognise(self, images: Sequence[bytes]) -> list[list[Prediction]]:
        """Return what passes the thresholds in each of these image files, by decreasing score."""
        spec = self.network.description.inputs[0]
        prepared = [prepare_image(decode_image(image, _LIMITS), WHOLE_IMAGE, spec) for image in images]
        tensors = self.network.run([(one.tensor,) for one in prepared])
        results = [
            postprocess(self.output, outputs, one, show_discarded=False, max_predictions=_MAX_PREDICTIONS)
            for outputs, one in zip(tensors, prepared, strict=True)
        ]
        return [[_prediction(entry) for entry in result["labels"]["predicted"]] for result in results]


def _prediction(entry: dict[str, Any]) -> Prediction:
    box = entry["roi"]["bbox"] if "roi" in entry else None
    corners = None if box is None else (box["xmin"], box["ymin"], box["xmax"], box["ymax"])
    return Prediction(entry["label_id"], entry["score"], corners)
