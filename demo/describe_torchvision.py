"""Writes the model folders of two of torchvision's published models: `python -m demo.describe_torchvision`.

They hold descriptions only. `recoq publish --download` fetches the weights that "download" names and checks
their hash. Everything here is read from torchvision's own weight entries, and nothing is downloaded.
"""

import json
from pathlib import Path
from typing import Any

from torchvision.models import ResNet50_Weights, Weights
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_V2_Weights

from demo import MODELS_FOLDER

_NOT_LABELS = ("N/A", "__background__")  # the gaps in COCO's numbering

_CLASSIFIER_DESCRIPTION = (
    "Names what an image shows, among ImageNet's 1000 classes. torchvision's ResNet-50, weights "
    "IMAGENET1K_V2. Published accuracy is measured on images whose shorter side was resized to 232 pixels "
    "before the centre crop of 224; CROP resizes it to 224 directly, so the network sees a slightly wider "
    "part of the image at a slightly smaller scale, and scores differ a little from torchvision's own."
)
_DETECTOR_DESCRIPTION = (
    "Finds the 80 kinds of objects of COCO, each with its bounding box. torchvision's Faster R-CNN v2 with a "
    "ResNet-50 FPN backbone, weights COCO_V1. The network resizes and normalises its images by itself; "
    "they reach it with a longest side of 1333 pixels, the most that it looks at."
)


def main() -> None:
    """Write both folders."""
    _write(MODELS_FOLDER / "imagenet-resnet50", _resnet50(), "resnet50", {"num_classes": 1000})
    _write(MODELS_FOLDER / "coco-fasterrcnn", _faster_rcnn(), "fasterrcnn_resnet50_fpn_v2", {"num_classes": 91})


def _write(folder: Path, model: dict[str, Any], builder: str, kwargs: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    architecture = {"builder": builder, "kwargs": kwargs}
    (folder / "model.json").write_text(json.dumps(model, indent=1) + "\n")
    (folder / "architecture.json").write_text(json.dumps(architecture, indent=2) + "\n")


def _resnet50() -> dict[str, Any]:
    weights = ResNet50_Weights.IMAGENET1K_V2
    preset = weights.transforms()
    image = {
        "dimension_order": "NCHW",
        "resize_type": "CROP",
        "target_size": f"{preset.crop_size[0]}x{preset.crop_size[0]}",
        "color_channels": "RGB",
        "pixel_scaling": 1.0,
        "mean": preset.mean,
        "std": preset.std,
        "data_type": "FLOAT32",
        "interpolation": preset.interpolation.name,
    }
    post_processing = {"classification": {"output_tensor": "output", "activation": "softmax"}}
    return {
        "name": "ImageNet ResNet-50",
        "description": _CLASSIFIER_DESCRIPTION,
        **_common("classification", weights, image),
        "outputs": [_labels_output(weights, roi="NONE")],
        "post_processings": [post_processing],
        "download": _download(weights),
    }


def _faster_rcnn() -> dict[str, Any]:
    # Version 2, because the first version's published weights are for layers (frozen batch normalisation, with
    # another epsilon) that torchvision builds only when it fetches the weights itself.
    weights = FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1
    output = _labels_output(weights, roi="BBOX")
    image = {
        "dimension_order": "NCHW",
        "resize_type": "NETWORK",
        "target_size": "1333",
        "color_channels": "RGB",
        "pixel_scaling": 1.0,
        "data_type": "FLOAT32",
    }
    detection = {
        "direct_output": {"boxes_tensor": "boxes", "scores_tensor": "scores", "classes_tensor": "labels"},
        "thresholds": [0.6] * len(output["labels"]["labels"]),
        "nms_threshold": 0.5,  # the network's own, so it takes nothing more away
        "discard_threshold": 0.05,
        "normalize_wrt_tensor": "input_size",
    }
    return {
        "name": "COCO Faster R-CNN",
        "description": _DETECTOR_DESCRIPTION,
        **_common("detection", weights, image),
        "outputs": [output],
        "post_processings": [{"detection": detection}],
        "download": _download(weights),
    }


def _common(task: str, weights: Weights, image: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"task": task, "recipe": weights.meta["recipe"]},
        "framework": "pytorch-2.x",
        "preprocessing": {"inputs": [{"tensor_name": "images", "image": image}], "batched_output": True},
    }


def _labels_output(weights: Weights, *, roi: str) -> dict[str, Any]:
    categories = enumerate(weights.meta["categories"])
    labels = [{"id": label, "name": name} for label, name in categories if name not in _NOT_LABELS]
    return {"labels": {"labels": labels, "exclusive": True, "roi": roi}}


def _download(weights: Weights) -> dict[str, str]:
    """Where the weights are, and the start of their SHA-256, which torchvision keeps in the file's name."""
    return {
        "weights": str(weights),
        "url": weights.url,
        "sha256_prefix": Path(weights.url).stem.rpartition("-")[2],
    }


if __name__ == "__main__":
    main()
