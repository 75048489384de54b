"""The shipped models, run by Recoq's own inference library, on new scenes and on plain drawings."""

from collections.abc import Iterator

import pytest
import torch

from demo import IMAGES_FOLDER, LABELS, MODELS_FOLDER
from demo.evaluate import (
    MIN_ACCURACY,
    MIN_MEAN_AVERAGE_PRECISION,
    classifier_accuracy,
    detector_figures,
    mean_average_precision,
)
from demo.recognition import DemoModel
from tests.unit.demo.hand_drawn import Drawn, image_of

COLOURS = (("white", "red"), ("black", "yellow"), ("skyblue", "navy"), ("darkgreen", "white"), ("beige", "black"))


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def classifier() -> DemoModel:
    return DemoModel.load(MODELS_FOLDER / "shapes-v1")


@pytest.fixture(scope="module")
def detector() -> DemoModel:
    return DemoModel.load(MODELS_FOLDER / "shapes-detector-v1")


def test_classifier_is_above_its_bar(classifier: DemoModel) -> None:
    assert classifier_accuracy(classifier, 200) >= MIN_ACCURACY


def test_detector_is_above_its_bar(detector: DemoModel) -> None:
    assert mean_average_precision(detector_figures(detector, 100)) >= MIN_MEAN_AVERAGE_PRECISION


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize(("background", "colour"), COLOURS)
def test_plain_drawings_are_classified(classifier: DemoModel, kind: str, background: str, colour: str) -> None:
    images = [
        image_of(size, background, Drawn(kind, x, y, radius, colour if filled else None, colour, 4))
        for size, x, y, radius in (
            ((400, 400), 200, 200, 120),
            ((640, 480), 90, 90, 80),  # in a corner
            ((640, 480), 540, 400, 70),
            ((300, 500), 150, 250, 140),  # as wide as the image
            ((1000, 600), 700, 250, 200),
        )
        for filled in (True, False)
    ]
    found = [[prediction.label for prediction in predictions] for predictions in classifier.recognise(images)]
    assert found == [[LABELS.index(kind)]] * len(images)


@pytest.mark.parametrize(("background", "colour"), COLOURS)
@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_three_shapes_on_a_canvas_are_found(
    detector: DemoModel, background: str, colour: str, image_format: str
) -> None:
    shapes = (
        Drawn("circle", 200, 300, 120, fill=colour),
        Drawn("square", 500, 150, 90, fill=colour),
        Drawn("star", 800, 400, 130, outline=colour, width=5),
    )
    predictions = detector.recognise([image_of((1000, 600), background, *shapes, image_format=image_format)])[0]
    assert sorted(prediction.label for prediction in predictions) == [0, 1, 3]
    for prediction in predictions:
        shape = next(shape for shape in shapes if shape.label == prediction.label)
        assert prediction.box is not None
        centre = ((prediction.box[0] + prediction.box[2]) * 500, (prediction.box[1] + prediction.box[3]) * 300)
        assert centre == pytest.approx((shape.x, shape.y), abs=25)


@pytest.mark.parametrize("kind", LABELS)
def test_one_plain_shape_is_found_once(detector: DemoModel, kind: str) -> None:
    images = [
        image_of((640, 480), background, Drawn(kind, x, y, radius, fill=colour))
        for background, colour in COLOURS
        for x, y, radius in ((320, 240, 235), (320, 240, 150), (60, 60, 50), (500, 350, 90))
    ]
    found = [[prediction.label for prediction in predictions] for predictions in detector.recognise(images)]
    assert found == [[LABELS.index(kind)]] * len(images)


@pytest.mark.parametrize("background", ["white", "black", "red"])
def test_nothing_is_found_on_an_empty_canvas(detector: DemoModel, background: str) -> None:
    assert detector.recognise([image_of((640, 480), background)]) == [[]]


def test_an_image_gives_the_same_result_alone_and_in_a_batch(detector: DemoModel) -> None:
    images = [image_of((400, 300), "white", Drawn(kind, 150, 150, 90, fill="blue")) for kind in LABELS]
    together = detector.recognise(images)
    for image, expected in zip(images, together, strict=True):
        [alone] = detector.recognise([image])
        assert [prediction.label for prediction in alone] == [prediction.label for prediction in expected]
        assert [p.score for p in alone] == pytest.approx([p.score for p in expected], abs=1e-4)


def test_the_first_sample_image_is_recognised(classifier: DemoModel, detector: DemoModel) -> None:
    for path in sorted(IMAGES_FOLDER.glob("*.jpg")):
        if path.stem in LABELS:
            label = LABELS.index(path.stem)
            image = path.read_bytes()
            for model in (classifier, detector):
                assert [prediction.label for prediction in model.recognise([image])[0]] == [label]
