"""Scenes as the networks see them, drawn ahead of training in all processes that are wanted.

The pixels go through the preprocessing that each model folder declares, with Recoq's own code, so that
training and serving cannot differ. Called by both training scripts.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from demo.scenes import SceneOptions, draw_scene
from inference.network import DataType, ImageSpec, NetworkDescription
from inference.preprocess import prepare_image
from inference.regions import WHOLE_IMAGE

_Sample = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]  # image, boxes and labels

_MAX_BOXES = 8  # per image
_CHUNK = 100  # scenes handed to a process at a time


@dataclass(frozen=True)
class TrainingData:
    """Images (N, 3, H, W) uint8; boxes (N, 8, 4) in their pixels, labels (N, 8), -1 where there is none."""

    images: Tensor
    boxes: Tensor
    labels: Tensor


def image_spec(model_folder: Path) -> ImageSpec:
    """How the model of this folder wants its images."""
    model = json.loads((model_folder / "model.json").read_text())
    return NetworkDescription.from_json(model["preprocessing"]).inputs[0]


def draw_training_data(
    first_seed: int, count: int, options: SceneOptions, spec: ImageSpec, *, processes: int
) -> TrainingData:
    """Draw the scenes of `count` consecutive seeds."""
    raw_spec = replace(spec, pixel_scaling=255.0, mean=None, std=None, data_type=DataType.UINT8)
    size = spec.target_size
    images = torch.empty((count, 3, size.height, size.width), dtype=torch.uint8)
    boxes = torch.zeros((count, _MAX_BOXES, 4))
    labels = torch.full((count, _MAX_BOXES), -1, dtype=torch.int64)
    sample_of = partial(_sample, options=options, spec=raw_spec)
    seeds = range(first_seed, first_seed + count)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        samples = pool.map(sample_of, seeds, chunksize=_CHUNK)
        for index, (image, scene_boxes, scene_labels) in enumerate(samples):
            images[index] = torch.from_numpy(image)
            boxes[index, : len(scene_boxes)] = torch.from_numpy(scene_boxes)
            labels[index, : len(scene_labels)] = torch.from_numpy(scene_labels)
    return TrainingData(images, boxes, labels)


def joined(*parts: TrainingData) -> TrainingData:
    """Return the scenes of all parts as one."""
    return TrainingData(
        torch.cat([part.images for part in parts]),
        torch.cat([part.boxes for part in parts]),
        torch.cat([part.labels for part in parts]),
    )


def batches(data: TrainingData, batch_size: int, generator: torch.Generator) -> Iterator[TrainingData]:
    """One epoch of whole batches, shuffled, each image turned, mirrored and recoloured at random."""
    order = torch.randperm(len(data.images), generator=generator)
    for start in range(0, len(order) - batch_size + 1, batch_size):
        chosen = order[start : start + batch_size]
        yield _varied(data.images[chosen], data.boxes[chosen], data.labels[chosen], generator)


def normalised(images: Tensor, spec: ImageSpec) -> Tensor:
    """uint8 images as the network takes them: scaled, mean subtracted, divided by the deviation."""
    mean, std = (torch.tensor(values or ()).view(-1, 1, 1) for values in (spec.mean, spec.std))
    scaled = images.float() * (spec.pixel_scaling / 255)
    return ((scaled - mean) / std).contiguous(memory_format=torch.channels_last)


def _sample(seed: int, options: SceneOptions, spec: ImageSpec) -> _Sample:
    torch.set_num_threads(1)  # every core has a process of its own
    scene = draw_scene(seed, options)
    prepared = prepare_image(torch.tensor(scene.pixels).permute(2, 0, 1), WHOLE_IMAGE, spec)
    height, width = scene.pixels.shape[:2]
    placement = prepared.placement
    scale = np.array([placement.scale_x, placement.scale_y] * 2)
    shift = np.array([placement.shift_x, placement.shift_y] * 2)
    boxes = np.array([shape.box for shape in scene.shapes], dtype=np.float64).reshape(-1, 4)
    normalised_boxes = (boxes / ([width, height] * 2) - shift) / scale
    in_input = normalised_boxes * ([prepared.input_width, prepared.input_height] * 2)
    labels = np.array([shape.label for shape in scene.shapes], dtype=np.int64)
    return prepared.tensor.numpy(), in_input.astype(np.float32), labels


def _varied(images: Tensor, boxes: Tensor, labels: Tensor, generator: torch.Generator) -> TrainingData:
    """Apply one of the square's eight symmetries, and one order of the colour channels, to a square batch."""
    side = images.shape[-1]
    mirror, flip, turn = (torch.rand(3, generator=generator) < 0.5).tolist()
    xmin, ymin, xmax, ymax = boxes.unbind(2)
    if mirror:
        images, xmin, xmax = images.flip(3), side - xmax, side - xmin
    if flip:
        images, ymin, ymax = images.flip(2), side - ymax, side - ymin
    if turn:
        images, xmin, ymin, xmax, ymax = images.transpose(2, 3), ymin, xmin, ymax, xmax
    images = images[:, torch.randperm(3, generator=generator)]
    return TrainingData(images, torch.stack([xmin, ymin, xmax, ymax], dim=2), labels)
