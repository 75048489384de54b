"""Examples and multipart forms of bodies for the OpenAPI document."""

from typing import Any

from api.network_uploads import WEIGHT_SETS
from api.schemas.networks import FRAMEWORKS

IMAGE_URL = "https://example.com/dog.jpg"

INFERENCE: dict[str, Any] = {
    "url": {"summary": "An image by URL", "value": {"inputs": [{"image": {"source": IMAGE_URL}}]}},
    "base64": {
        "summary": "An image in base64, cropped first",
        "value": {
            "inputs": [
                {
                    "image": {
                        "source": "data:image/*;base64,iVBORw0KGgo=",
                        "bbox": {"xmin": 0.1, "ymin": 0.1, "xmax": 0.9, "ymax": 0.9},
                    }
                }
            ]
        },
    },
}

INFERENCE_MULTIPART: dict[str, Any] = {
    "type": "object",
    "description": "Nested names are flattened; `inputs[0].image.source` is taken too.",
    "required": ["inputs[0]image.source"],
    "properties": {
        "inputs[0]image.source": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "An image as a file part, or its URL as text.",
        },
        "inputs[0]image.bbox.xmin": {"type": "number"},
        "inputs[0]image.bbox.ymin": {"type": "number"},
        "inputs[0]image.bbox.xmax": {"type": "number"},
        "inputs[0]image.bbox.ymax": {"type": "number"},
        "inputs[0]image.crop_uniform_background": {"type": "boolean"},
        "show_discarded": {"type": "boolean"},
        "max_predictions": {"type": "integer", "minimum": 1},
        "priority": {"type": "string", "enum": ["high", "normal", "low"]},
        "deadline_seconds": {"type": "number", "exclusiveMinimum": 0},
    },
}
TENSORS_MULTIPART: dict[str, Any] = {
    **INFERENCE_MULTIPART,
    "properties": {
        name: value
        for name, value in INFERENCE_MULTIPART["properties"].items()
        if name not in ("show_discarded", "max_predictions")
    }
    | {"output_tensors": {"type": "string", "description": "A JSON array of names."}},
}

BULK: dict[str, Any] = {
    "urls": {
        "summary": "Two images by URL",
        "value": {
            "items": [
                {"inputs": [{"image": {"source": IMAGE_URL}}], "reference": "first"},
                {"inputs": [{"image": {"source": IMAGE_URL}}], "reference": "second"},
            ],
            "priority": "low",
        },
    }
}
BULK_MULTIPART: dict[str, Any] = {
    "type": "object",
    "description": "Nested names are flattened: `items[1]inputs[0]image.source`, `items[1]reference` and so on.",
    "properties": {
        "items[0]inputs[0]image.source": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "An image as a file part, or its URL as text.",
        },
        "items[0]reference": {"type": "string"},
    },
}

FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
NETWORK_MULTIPART: dict[str, Any] = {
    "type": "object",
    "description": "The fields as text and the files as file parts, each named as the file. Exactly one set of "
    "weights: `model.pt2`; `model.torchscript`; `weights.safetensors` or `weights.pth` with `architecture.json`; "
    "and the `.npy` files that `preprocessing` names.",
    "required": ["name", "framework", "preprocessing"],
    "oneOf": [{"required": sorted(names)} for names in WEIGHT_SETS],
    "properties": {
        "name": {"type": "string"},
        "description": {"type": "string"},
        "metadata": {"type": "string", "description": "JSON text, or flattened."},
        "framework": {"type": "string", "enum": list(FRAMEWORKS)},
        "preprocessing": {"type": "string", "description": "JSON text, or flattened."},
        "postprocessings": {"type": "string", "description": "JSON text, or flattened."},
        "model.pt2": {**FILE, "description": "A torch.export program."},
        "model.torchscript": {**FILE, "description": "A TorchScript archive."},
        "weights.safetensors": {**FILE, "description": "A state dict."},
        "weights.pth": {**FILE, "description": "A state dict, read with weights_only=True."},
        "architecture.json": {
            **FILE,
            "description": '{"builder": "<a torchvision model builder>", "kwargs": {"num_classes": 2}}',
        },
    },
}

NETWORK_CHANGES = {"name": "hot dogs, ResNet-18", "description": "Second training.", "metadata": {"author": "me"}}
PATCHED_NETWORK: dict[str, Any] = {
    "description": {"summary": "Another description", "value": {"description": NETWORK_CHANGES["description"]}}
}
REPLACED_NETWORK: dict[str, Any] = {"all": {"summary": "All editable fields", "value": NETWORK_CHANGES}}

LABELS = [{"id": 0, "name": "hot-dog"}, {"id": 1, "name": "not hot-dog"}]
NEW_SPEC: dict[str, Any] = {
    "classifier": {
        "summary": "One of two labels",
        "value": {
            "name": "hot-dog VS not hot-dog classifier",
            "description": "My great hot-dog VS not hot-dog classifier !",
            "metadata": {"author": "me", "project": "my secret project"},
            "outputs": [{"labels": {"roi": "NONE", "exclusive": True, "labels": LABELS}}],
        },
    }
}
PATCHED_SPEC: dict[str, Any] = {
    "version": {"summary": "Another current version", "value": {"current_version_id": 123}},
    "name": {"summary": "Another name", "value": {"name": "new name"}},
}
REPLACED_SPEC: dict[str, Any] = {
    "name": {"summary": "A name; all else returns to its default", "value": {"name": "new name"}}
}
NEW_VERSION: dict[str, Any] = {
    "classification": {
        "summary": "A classifier that returns one tensor",
        "value": {
            "spec_id": 42,
            "network_id": 7,
            "post_processings": [
                {"classification": {"output_tensor": "output", "thresholds": [0.5, 0.5], "activation": "softmax"}}
            ],
        },
    },
    "detection": {
        "summary": "A detector of torchvision",
        "value": {
            "spec_id": 43,
            "network_id": 8,
            "post_processings": [
                {
                    "detection": {
                        "direct_output": {
                            "boxes_tensor": "boxes",
                            "scores_tensor": "scores",
                            "classes_tensor": "labels",
                        },
                        "normalize_wrt_tensor": "input_size",
                        "thresholds": [0.8, 0.8],
                    }
                }
            ],
        },
    },
}
