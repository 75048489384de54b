"""Trains `shapes-detector-v1` from scratch: `python -m demo.train_detector`."""

import time
from pathlib import Path

import click
import torch

from demo import MODELS_FOLDER
from demo.detector import INPUT_SIDE, Detector, DetectorProgram
from demo.detector_loss import detection_loss
from demo.optimisation import optimise
from demo.scenes import SceneOptions
from demo.training_data import draw_training_data, image_spec, joined, normalised

_SEED = 2
_FIRST_SCENE = 2_000_000  # training scenes have seeds from here on; the evaluation's lie below
_SEVERAL = SceneOptions(min_shapes=0, max_shapes=6, min_size=0.13, max_size=1.0)
# Large shapes are rare where several have to fit, and yet the first thing that people draw.
_ONE_LARGE = SceneOptions(min_size=0.4, max_size=1.0)
_LARGE_PART = 0.25


@click.command()
@click.option("--images", default=8_000, show_default=True, help="Scenes to draw for training.")
@click.option("--epochs", default=12, show_default=True)
@click.option("--threads", default=2, show_default=True, help="Processes that draw, then threads that train.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=MODELS_FOLDER / "shapes-detector-v1",
    show_default=True,
    help="Model folder: its model.json is read, its program is written.",
)
def train(images: int, epochs: int, threads: int, folder: Path) -> None:
    """Draw scenes, train the detector on them, and write the exported program into the model folder."""
    start = time.monotonic()
    torch.set_num_threads(threads)
    torch.manual_seed(_SEED)
    spec = image_spec(folder)
    large = round(images * _LARGE_PART)
    data = joined(
        draw_training_data(_FIRST_SCENE, images - large, _SEVERAL, spec, processes=threads),
        draw_training_data(_FIRST_SCENE + images, large, _ONE_LARGE, spec, processes=threads),
    )
    print(f"drew {images} scenes in {time.monotonic() - start:.0f} s", flush=True)
    detector = Detector()
    optimise(
        detector,
        data,
        lambda batch: detection_loss(detector, normalised(batch.images, spec), batch.boxes, batch.labels),
        epochs=epochs,
        batch_size=16,
        learning_rate=3e-3,
        seed=_SEED,
    )
    export(detector, folder / "model.pt2")
    print(f"wrote {folder} after {time.monotonic() - start:.0f} s")


def export(detector: Detector, path: Path) -> None:
    """Write the detector as a `torch.export` program that takes any number of images at a time."""
    example = torch.zeros(2, 3, INPUT_SIDE, INPUT_SIDE)
    shapes = {"images": {0: torch.export.Dim("batch", min=1)}}
    program = torch.export.export(DetectorProgram(detector).eval(), (example,), dynamic_shapes=shapes)
    program.example_inputs = None  # else they are saved, and are nearly as large as the weights
    torch.export.save(program, path)


if __name__ == "__main__":
    train()
