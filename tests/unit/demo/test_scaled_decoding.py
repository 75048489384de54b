"""The shipped models say nearly the same of large JPEGs that were decoded at a fraction of their size."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from demo import MODELS_FOLDER
from demo.recognition import DemoModel
from demo.scenes import ONE_SHAPE, SEVERAL_SHAPES, SceneOptions, draw_scene
from inference.images import ImageLimits, open_image
from inference.network import Decoding, ImageSpec
from inference.postprocess import postprocess
from inference.preprocess import prepare_image
from inference.reduction import reduce_for
from inference.regions import WHOLE_IMAGE

LIMITS = ImageLimits(max_bytes=10**7, max_pixels=10**7)
FIRST_SEED, SCENES = 900_000, 6
LARGEST_DIFFERENCE_OF_SCORES = 0.05
LARGEST_DIFFERENCE_OF_BOXES = 0.01  # of the image: two pixels of the input


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("shapes-v1", replace(ONE_SHAPE, shortest_side=1500, longest_side=1600)),
        ("shapes-detector-v1", replace(SEVERAL_SHAPES, shortest_side=1200, longest_side=1500)),
    ],
)
def test_labels_scores_and_boxes_stay(name: str, options: SceneOptions) -> None:
    model = DemoModel.load(MODELS_FOLDER / name)
    exact = model.network.description.inputs[0]
    for seed in range(FIRST_SEED, FIRST_SEED + SCENES):
        stream = io.BytesIO()
        Image.fromarray(draw_scene(seed, options).pixels).save(stream, "JPEG", quality=90)
        expected, at_full_size = predictions(model, stream.getvalue(), exact)
        found, reduced = predictions(model, stream.getvalue(), replace(exact, decoding=Decoding.SCALED))
        assert (at_full_size, reduced) == (False, True)
        assert [label for label, _, _ in found] == [label for label, _, _ in expected]
        for (_, score, box), (_, expected_score, expected_box) in zip(found, expected, strict=True):
            assert score == pytest.approx(expected_score, abs=LARGEST_DIFFERENCE_OF_SCORES)
            assert box == pytest.approx(expected_box, abs=LARGEST_DIFFERENCE_OF_BOXES)


def predictions(model: DemoModel, file: bytes, spec: ImageSpec) -> tuple[list[tuple[int, float, list[float]]], bool]:
    """Return label, score and box of what is found, and whether the file was decoded at a fraction of its size."""
    image = open_image(file, LIMITS)
    reduction = reduce_for(image, WHOLE_IMAGE, spec)
    prepared = prepare_image(image.decode(), WHOLE_IMAGE, spec, reduction=reduction)
    [outputs] = model.network.run([(prepared.tensor,)])
    result = postprocess(model.output, outputs, prepared, show_discarded=False, max_predictions=100)
    found = [
        (entry["label_id"], entry["score"], list(entry["roi"]["bbox"].values()) if "roi" in entry else [])
        for entry in result["labels"]["predicted"]
    ]
    return found, reduction is not None
