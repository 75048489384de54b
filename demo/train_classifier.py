"""Trains `shapes-v1` from scratch: `python -m demo.train_classifier`."""

import json
import time
from pathlib import Path

import click
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchvision.models import get_model

from demo import LABELS, MODELS_FOLDER
from demo.guidance import Guidance
from demo.optimisation import optimise
from demo.scenes import SceneOptions
from demo.training_data import TrainingData, draw_training_data, image_spec, normalised

_BUILDER = "shufflenet_v2_x0_5"
_GUIDED_LAYERS = ("stage2", "stage3", "conv5")
_SEED = 1
_FIRST_SCENE = 1_000_000  # training scenes have seeds from here on; the evaluation's lie below
_SCENES = SceneOptions(min_size=0.2, max_size=1.0)  # somewhat more than is asked of the model


@click.command()
@click.option("--images", default=12_000, show_default=True, help="Scenes to draw for training.")
@click.option("--epochs", default=9, show_default=True)
@click.option("--threads", default=2, show_default=True, help="Processes that draw, then threads that train.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=MODELS_FOLDER / "shapes-v1",
    show_default=True,
    help="Model folder: its model.json is read, its weights are written.",
)
def train(images: int, epochs: int, threads: int, folder: Path) -> None:
    """Draw scenes, train the classifier on them, and write its weights into the model folder."""
    start = time.monotonic()
    torch.set_num_threads(threads)
    torch.manual_seed(_SEED)
    spec = image_spec(folder)
    data = draw_training_data(_FIRST_SCENE, images, _SCENES, spec, processes=threads)
    print(f"drew {images} scenes in {time.monotonic() - start:.0f} s", flush=True)
    model = get_model(_BUILDER, num_classes=len(LABELS))
    guidance = Guidance(model, _GUIDED_LAYERS, spec.target_size.width)

    def loss_of(batch: TrainingData) -> Tensor:
        logits = model(normalised(batch.images, spec))
        unguided = cross_entropy(logits, batch.labels[:, 0], label_smoothing=0.01)
        guiding: Tensor = guidance(batch)
        return unguided + guiding

    trained = nn.ModuleList([model, guidance])
    optimise(trained, data, loss_of, epochs=epochs, batch_size=64, learning_rate=4e-3, seed=_SEED)
    (folder / "weights.safetensors").write_bytes(save(model.state_dict()))
    architecture = {"builder": _BUILDER, "kwargs": {"num_classes": len(LABELS)}}
    (folder / "architecture.json").write_text(json.dumps(architecture, indent=2) + "\n")
    print(f"wrote {folder} after {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    train()
