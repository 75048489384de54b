"""Judges the shipped demo models on scenes that they were not trained on: `python -m demo.evaluate`.

Exits with 1 when a model is below its bar. The functions are the tests', too, on fewer scenes.
"""

import sys
from collections.abc import Iterator
from io import BytesIO

import click
import torch
from PIL import Image

from demo import LABELS, MODELS_FOLDER
from demo.average_precision import ImageResult, LabelFigures, evaluate_label
from demo.recognition import DemoModel, Prediction
from demo.scenes import ONE_SHAPE, SEVERAL_SHAPES, Scene, SceneOptions, draw_scene

MIN_ACCURACY = 0.98
MIN_MEAN_AVERAGE_PRECISION = 0.90

_FIRST_CLASSIFIER_SEED = 0  # both far below the seeds of the training scenes
_FIRST_DETECTOR_SEED = 500_000
_BATCH = 16


def classifier_accuracy(model: DemoModel, count: int) -> float:
    """Return the share of `count` scenes whose one predicted label is the right one."""
    right = 0
    for scene, predictions in _judged(model, _FIRST_CLASSIFIER_SEED, count, ONE_SHAPE):
        right += [prediction.label for prediction in predictions] == [scene.shapes[0].label]
    return right / count


def detector_figures(model: DemoModel, count: int) -> list[LabelFigures]:
    """Return the figures of each label at IoU 0.5, on `count` scenes.

    Only boxes that passed their threshold count, so that the thresholds are judged, too.
    """
    judged = list(_judged(model, _FIRST_DETECTOR_SEED, count, SEVERAL_SHAPES))
    return [
        evaluate_label([_result_of(label, scene, predictions) for scene, predictions in judged])
        for label in range(len(LABELS))
    ]


@click.command()
@click.option("--classifier-images", default=2000, show_default=True)
@click.option("--detector-images", default=600, show_default=True)
@click.option("--threads", default=2, show_default=True)
def evaluate(classifier_images: int, detector_images: int, threads: int) -> None:
    """Print the accuracy of shapes-v1 and the mean average precision of shapes-detector-v1."""
    torch.set_num_threads(threads)
    accuracy = classifier_accuracy(DemoModel.load(MODELS_FOLDER / "shapes-v1"), classifier_images)
    print(f"shapes-v1: accuracy {accuracy:.4f} on {classifier_images} images (bar {MIN_ACCURACY})")
    figures = detector_figures(DemoModel.load(MODELS_FOLDER / "shapes-detector-v1"), detector_images)
    for name, label in zip(LABELS, figures, strict=True):
        print(
            f"shapes-detector-v1: {name}: AP@0.5 {label.average_precision:.4f}, "
            f"precision {label.precision:.4f}, recall {label.recall:.4f}"
        )
    mean = mean_average_precision(figures)
    print(f"shapes-detector-v1: mAP@0.5 {mean:.4f} on {detector_images} images (bar {MIN_MEAN_AVERAGE_PRECISION})")
    sys.exit(accuracy < MIN_ACCURACY or mean < MIN_MEAN_AVERAGE_PRECISION)


def mean_average_precision(figures: list[LabelFigures]) -> float:
    """Return the mean over labels."""
    return sum(label.average_precision for label in figures) / len(figures)


def _judged(
    model: DemoModel, first_seed: int, count: int, options: SceneOptions
) -> Iterator[tuple[Scene, list[Prediction]]]:
    """Scenes with what the model, given them as PNG files, finds in them."""
    for start in range(first_seed, first_seed + count, _BATCH):
        seeds = range(start, min(start + _BATCH, first_seed + count))
        scenes = [draw_scene(seed, options) for seed in seeds]
        yield from zip(scenes, model.recognise([_png(scene) for scene in scenes]), strict=True)


def _png(scene: Scene) -> bytes:
    encoded = BytesIO()
    Image.fromarray(scene.pixels).save(encoded, "PNG", compress_level=1)
    return encoded.getvalue()


def _result_of(label: int, scene: Scene, predictions: list[Prediction]) -> ImageResult:
    height, width = scene.pixels.shape[:2]
    found = [prediction for prediction in predictions if prediction.label == label]
    return ImageResult(
        found=[prediction.box for prediction in found if prediction.box is not None],
        scores=[prediction.score for prediction in found],
        truth=[
            (shape.box[0] / width, shape.box[1] / height, shape.box[2] / width, shape.box[3] / height)
            for shape in scene.shapes
            if shape.label == label
        ],
    )


if __name__ == "__main__":
    evaluate()
