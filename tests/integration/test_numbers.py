"""The service's numbers are those of a plain torchvision script, for an image alone and in any batch.

The networks are small and their weights seeded, not trained: what they answer has no meaning, but it depends on every
pixel and weight. float32 on the CPU on both sides.
"""

import json
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.ops import batched_nms

from tests.integration.plain_scripts import (
    cropped,
    filled,
    gray_of,
    image_files,
    normalised,
    pixels_of,
    run,
    shrunk,
    squashed,
)
from tests.integration.pushed_models import (
    Model,
    Pushed,
    TwoHeads,
    TwoImages,
    file_of,
    image_input,
    labels,
    push,
    seeded,
    settled,
    state_files,
)
from tests.integration.tasks import result
from tests.unit.inference.seeded_networks import write_program, write_script

TOLERANCE = 1e-5
DETECTION_TOLERANCE = 1e-4
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
LABEL_COUNT = 10
FIRST_LABEL = 100
DETECTOR = "fasterrcnn_mobilenet_v3_large_320_fpn"
DETECTOR_KWARGS = {"num_classes": 5, "box_detections_per_img": 20, "box_score_thresh": 0.3}
EVERYTHING = {"show_discarded": "true", "max_predictions": "1000"}

FILES = image_files()

Scores = dict[int, float]


@pytest.fixture(scope="module", autouse=True)
def _few_threads() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def ask(http: httpx.Client, path: str, *files: bytes, **fields: str) -> dict[str, Any]:
    """Return the data of the task for images that are sent as files, one for each input."""
    parts = {f"inputs[{index}]image.source": file for index, file in enumerate(files)}
    return result(http, http.post(path, files=parts, data=fields))


def ask_at_once(http: httpx.Client, path: str, images: Sequence[Sequence[bytes]]) -> list[dict[str, Any]]:
    """Return the answers to requests that are all under way at the same time, so that the worker batches them."""
    with ThreadPoolExecutor(len(images)) as pool:
        return list(pool.map(lambda files: ask(http, path, *files, **EVERYTHING), images))


def scores_of(data: dict[str, Any], output: int = 0) -> Scores:
    """Return the score of every label of an output, by label ID."""
    found = data["outputs"][output]["labels"]
    return {each["label_id"]: each["score"] for each in found["predicted"] + found["discarded"]}


def by_label(scores: Tensor, first_id: int = FIRST_LABEL) -> Scores:
    return {first_id + index: score for index, score in enumerate(scores.flatten().tolist())}


def close(expected: Scores) -> Any:
    return pytest.approx(expected, rel=0, abs=TOLERANCE)


@dataclass(frozen=True)
class Classifier:
    """A classifier in one of the forms that a network may have, and the plain script's preparation of its images."""

    builder: str
    form: str
    image: dict[str, Any]
    prepare: Callable[[Tensor], Tensor]


CLASSIFIERS = [
    Classifier(
        "resnet18",
        "weights.safetensors",
        {"resize_type": "CROP", "target_size": "96", **IMAGENET},
        lambda image: normalised(cropped(image, 96), **IMAGENET),
    ),
    Classifier(
        "mobilenet_v3_small",
        "model.pt2",
        {"resize_type": "SQUASH", "target_size": "112x80"},
        lambda image: normalised(squashed(image, 80, 112)),
    ),
    Classifier(
        "shufflenet_v2_x0_5",
        "model.torchscript",
        {"resize_type": "FILL", "target_size": "96", "mean": [0.5] * 3},
        lambda image: normalised(filled(image, 96), mean=[0.5] * 3),
    ),
]


def network_files(form: str, network: nn.Module, folder: Path, *samples: Tensor) -> dict[str, bytes]:
    write = {"model.pt2": write_program, "model.torchscript": lambda module, path, *_: write_script(module, path)}
    write[form](network, folder / form, *samples)
    return file_of(folder / form)


@pytest.fixture(scope="module", params=CLASSIFIERS, ids=lambda classifier: classifier.builder)
def classifier(
    request: pytest.FixtureRequest, http: httpx.Client, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Pushed, list[Tensor]]:
    """A classifier in the service, and the logits of the plain script for each image."""
    given: Classifier = request.param
    network = settled(given.builder, num_classes=LABEL_COUNT)
    batches = [given.prepare(pixels_of(file)) for file in FILES]
    if given.form == "weights.safetensors":
        files = state_files(network, given.builder, num_classes=LABEL_COUNT)
    else:
        files = network_files(given.form, network, tmp_path_factory.mktemp("network"), torch.cat(batches[:2]))
    model = Model(
        files,
        inputs=[image_input(**given.image)],
        outputs=[labels(LABEL_COUNT, first_id=FIRST_LABEL)],
        post_processings=[{"classification": {"output_tensor": "output"}}],
    )
    return push(http, model), [run(network, batch) for batch in batches]


def test_scores_of_an_image_alone_are_those_of_a_plain_script(
    http: httpx.Client, classifier: tuple[Pushed, list[Tensor]]
) -> None:
    pushed, logits = classifier
    for file, expected in zip(FILES, logits, strict=True):
        scores = scores_of(ask(http, pushed.labels_path, file, **EVERYTHING))
        assert scores == close(by_label(expected.softmax(dim=1)))
        assert 0.1 < max(scores.values()) < 0.999, "A saturated score would hide differences."


def test_scores_of_many_images_at_once_are_those_of_a_plain_script(
    http: httpx.Client, classifier: tuple[Pushed, list[Tensor]]
) -> None:
    pushed, logits = classifier
    order = [*range(len(FILES))] * 3
    random.Random(1).shuffle(order)
    answers = ask_at_once(http, pushed.labels_path, [[FILES[index]] for index in order])
    for index, data in zip(order, answers, strict=True):
        assert scores_of(data) == close(by_label(logits[index].softmax(dim=1)))


def test_scores_do_not_depend_on_the_companions(http: httpx.Client, classifier: tuple[Pushed, list[Tensor]]) -> None:
    pushed, _ = classifier
    path = pushed.labels_path
    alone = scores_of(ask(http, path, FILES[0], **EVERYTHING))
    for companions in ([FILES[1]] * 7, FILES[2:5] * 3, FILES[:1] * 11):
        answers = ask_at_once(http, path, [[file] for file in (*companions, FILES[0], *companions)])
        assert scores_of(answers[len(companions)]) == close(alone)


def test_raw_tensors_are_those_of_a_plain_script(http: httpx.Client, classifier: tuple[Pushed, list[Tensor]]) -> None:
    pushed, logits = classifier
    for file, expected in zip(FILES, logits, strict=True):
        [tensor] = ask(http, pushed.tensors_path, file)["tensors"]
        assert (tensor["name"], tensor["shape"]) == ("output", [1, LABEL_COUNT])
        assert tensor["data"] == pytest.approx(expected.flatten().tolist(), rel=TOLERANCE, abs=TOLERANCE)


@pytest.fixture(scope="module")
def detector() -> nn.Module:
    """A detector of torchvision with seeded weights, tempered so that it finds boxes with scores apart from each other.

    The activations of its fresh backbone would explode on real images, and rounding errors with them.
    """
    torch.manual_seed(23)
    model = get_model(DETECTOR, weights=None, weights_backbone=None, **DETECTOR_KWARGS).eval()
    for layer in model.backbone.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    images = [normalised(squashed(pixels_of(file), 224, 224), **IMAGENET) for file in FILES]
    with torch.no_grad():
        model.backbone.train()(torch.cat(images))
        model.roi_heads.box_predictor.cls_score.weight.mul_(10)
    return model.eval()


@pytest.fixture(scope="module")
def pushed_detector(http: httpx.Client, detector: nn.Module) -> Pushed:
    direct = {"boxes_tensor": "boxes", "scores_tensor": "scores", "classes_tensor": "labels"}
    model = Model(
        state_files(detector, DETECTOR, **DETECTOR_KWARGS),
        inputs=[image_input(resize_type="NETWORK", target_size="320")],
        outputs=[labels(4, roi="BBOX", first_id=1)],
        post_processings=[
            {"detection": {"direct_output": direct, "normalize_wrt_tensor": "input_size", "thresholds": [0.5] * 4}}
        ],
    )
    return push(http, model)


Found = list[tuple[int, float, list[float]]]


def found_by_a_plain_script(detector: nn.Module, file: bytes) -> Found:
    """Return label, score and box, from 0 to 1, of what is left of overlapping boxes of one label."""
    image = normalised(shrunk(pixels_of(file), 320))[0]
    with torch.inference_mode():
        [found] = detector([image])
    height, width = image.shape[-2:]
    boxes = found["boxes"] / torch.tensor([width, height, width, height])
    kept = batched_nms(boxes, found["scores"], found["labels"], 0.3)
    return [
        (label, score, box)
        for label, score, box in zip(
            found["labels"][kept].tolist(), found["scores"][kept].tolist(), boxes[kept].tolist(), strict=True
        )
    ]


def found_by_the_service(data: dict[str, Any]) -> Found:
    found = data["outputs"][0]["labels"]
    assert all(each["score"] > 0.5 for each in found["predicted"])
    assert all(each["score"] <= 0.5 for each in found["discarded"])
    sides = ("xmin", "ymin", "xmax", "ymax")
    return [
        (each["label_id"], each["score"], [each["roi"]["bbox"][side] for side in sides])
        for each in found["predicted"] + found["discarded"]
    ]


def assert_same_objects(found: Found, expected: Found) -> None:
    assert len(found) == len(expected)
    for (label, score, box), (other_label, other_score, other_box) in zip(found, expected, strict=True):
        assert label == other_label
        assert score == pytest.approx(other_score, rel=0, abs=DETECTION_TOLERANCE)
        assert box == pytest.approx(other_box, rel=0, abs=DETECTION_TOLERANCE)


def test_objects_are_those_that_a_plain_script_finds(
    http: httpx.Client, detector: nn.Module, pushed_detector: Pushed
) -> None:
    expected = [found_by_a_plain_script(detector, file) for file in FILES]
    assert all(len(found) >= 3 for found in expected)
    assert len({label for found in expected for label, _, _ in found}) >= 2
    for file, objects in zip(FILES, expected, strict=True):
        data = ask(http, pushed_detector.labels_path, file, **EVERYTHING)
        assert_same_objects(found_by_the_service(data), objects)
    answers = ask_at_once(http, pushed_detector.labels_path, [[file] for file in FILES])
    for data, objects in zip(answers, expected, strict=True):
        assert_same_objects(found_by_the_service(data), objects)


@pytest.mark.parametrize("form", ["model.pt2", "model.torchscript"])
def test_network_with_two_outputs_labels_both(http: httpx.Client, tmp_path: Path, form: str) -> None:
    """One output with labels that exclude each other, and one of tags; the tensors of the tuple are given names."""
    network = seeded(TwoHeads)
    batches = [normalised(squashed(pixels_of(file), 64, 64)) for file in FILES]
    model = Model(
        network_files(form, network, tmp_path, torch.cat(batches[:2])),
        inputs=[image_input(target_size="64")],
        outputs=[labels(5, first_id=FIRST_LABEL), labels(4, exclusive=False, first_id=7)],
        post_processings=[
            {"classification": {"output_tensor": "kind"}},
            {"classification": {"output_tensor": "tags", "thresholds": [0.5, 0.4, 0.6, 0.7]}},
        ],
        tensor_names=["kind", "tags"],
    )
    pushed = push(http, model)
    answers = ask_at_once(http, pushed.labels_path, [[file] for file in FILES * 3])
    for batch, data in zip(batches * 3, answers, strict=True):
        kind, tags = run(network, batch)
        assert scores_of(data, 0) == close(by_label(kind.softmax(dim=1)))
        assert scores_of(data, 1) == close(by_label(tags.sigmoid(), first_id=7))
        predicted = {each["label_id"] for each in data["outputs"][1]["labels"]["predicted"]}
        over = tags.sigmoid()[0] > torch.tensor([0.5, 0.4, 0.6, 0.7])
        assert predicted == {7 + index for index in over.nonzero().flatten().tolist()}
    [tensor] = ask(http, pushed.tensors_path, FILES[3], output_tensors=json.dumps(["tags"]))["tensors"]
    assert tensor["shape"] == tensor["dims"] == [1, 4]
    assert tensor["data"] == pytest.approx(run(network, batches[3])[1].flatten().tolist(), abs=TOLERANCE)


@pytest.mark.parametrize("form", ["model.pt2", "model.torchscript"])
def test_network_with_two_inputs_gets_each_image_in_its_place(http: httpx.Client, tmp_path: Path, form: str) -> None:
    network = seeded(TwoImages)
    colour = [normalised(squashed(pixels_of(file), 64, 64)) for file in FILES]
    gray = [normalised(gray_of(squashed(pixels_of(file), 32, 48)), mean=[0.5], std=[0.25]) for file in FILES]
    model = Model(
        network_files(form, network, tmp_path, torch.cat(colour[:2]), torch.cat(gray[:2])),
        inputs=[
            image_input("first", target_size="64x64"),
            image_input("second", target_size="48x32", color_channels="L", mean=[0.5], std=[0.25]),
        ],
        outputs=[labels(3, first_id=FIRST_LABEL)],
        post_processings=[{"classification": {"output_tensor": "output"}}],
    )
    pushed = push(http, model)
    pairs = [(first, second) for first in range(len(FILES)) for second in (0, 3, 5)]
    answers = ask_at_once(http, pushed.labels_path, [[FILES[first], FILES[second]] for first, second in pairs])
    for (first, second), data in zip(pairs, answers, strict=True):
        expected = run(network, colour[first], gray[second]).softmax(dim=1)
        assert scores_of(data) == close(by_label(expected))
