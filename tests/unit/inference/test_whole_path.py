"""From an image file to predictions, against scripts that use torchvision alone."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F  # noqa: N812 - the name that torchvision's own scripts use

from inference.images import ImageLimits, decode_image
from inference.loader import load_network
from inference.postprocess import OutputDescription, postprocess
from inference.preprocess import prepare_image
from inference.regions import WHOLE_IMAGE, BBox, Region
from tests.unit.inference.seeded_networks import CPU, SIZE, classifier, description, detector

LIMITS = ImageLimits(10**7, 10**7)


def photo() -> bytes:
    noise = torch.randint(0, 256, (3, 60, 90), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))
    stream = io.BytesIO()
    Image.fromarray(F.gaussian_blur(noise, [7, 7]).permute(1, 2, 0).numpy()).save(stream, "JPEG")
    return stream.getvalue()


def labels(count: int, roi: str, first_id: int = 0) -> dict[str, Any]:
    listed = [{"id": first_id + index, "name": f"label {index}"} for index in range(count)]
    return {"labels": {"labels": listed, "exclusive": True, "roi": roi}}


def answer(folder: Path, region: Region, spec: dict[str, Any], post_processing: dict[str, Any], **image: Any) -> Any:
    network = load_network(folder, description(**image), CPU)
    prepared = prepare_image(decode_image(photo(), LIMITS), region, network.description.inputs[0])
    tensors = network.run([(prepared.tensor,)])[0]
    output = OutputDescription.from_json(spec, post_processing)
    return postprocess(output, tensors, prepared, show_discarded=True)["labels"]


@pytest.mark.parametrize("weight_set", ["model.pt2", "weights.pth"])
def test_a_classification_is_that_of_a_torchvision_script(classifier_folders: dict[str, Path], weight_set: str) -> None:
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    image = F.pil_to_tensor(Image.open(io.BytesIO(photo())))
    image = F.center_crop(F.resize(image, [SIZE], antialias=True), [SIZE, SIZE])
    batch = F.normalize(F.to_dtype(image, torch.float32, scale=True), mean, std)[None]
    with torch.inference_mode():
        scores = classifier()(batch)[0].softmax(0)
    result = answer(
        classifier_folders[weight_set],
        WHOLE_IMAGE,
        labels(5, "NONE"),
        {"classification": {"output_tensor": "output"}},
        resize_type="CROP",
        mean=mean,
        std=std,
    )
    listed = {p["label_id"]: p["score"] for p in result["predicted"] + result["discarded"]}
    np.testing.assert_allclose([listed[index] for index in range(5)], scores, rtol=1e-5)


def test_a_detection_in_a_crop_is_that_of_a_torchvision_script(detector_folder: Path) -> None:
    """The right half of the image, as largest side of 64 pixels; boxes come back to the whole image."""
    image = F.pil_to_tensor(Image.open(io.BytesIO(photo())))[:, :, 45:]
    resized = F.resize(image, None, max_size=64, antialias=True)
    with torch.inference_mode():
        found = detector()([F.to_dtype(resized, torch.float32, scale=True)])[0]
    result = answer(
        detector_folder,
        Region(bbox=BBox(0.5, 0.0, 1.0, 1.0)),
        labels(3, "BBOX", first_id=1),
        {
            "detection": {
                "direct_output": {"boxes_tensor": "boxes", "scores_tensor": "scores", "classes_tensor": "labels"},
                "normalize_wrt_tensor": "input_size",
                "nms_threshold": 1.0,
                "discard_threshold": 0.0,
            }
        },
        resize_type="NETWORK",
        target_size="64",
    )
    height, width = resized.shape[-2:]
    scale = torch.tensor([0.5 / width, 1 / height, 0.5 / width, 1 / height])
    expected = found["boxes"] * scale + torch.tensor([0.5, 0, 0.5, 0])
    boxes = [list(p["roi"]["bbox"].values()) for p in result["predicted"] + result["discarded"]]
    assert len(boxes) == len(expected) > 0
    np.testing.assert_allclose(sorted(boxes), sorted(expected.clamp(0, 1).tolist()), atol=1e-5)
