"""Examples of answers for the OpenAPI document."""

from typing import Any

from api.routes.examples import LABELS, NEW_SPEC, NEW_VERSION

JsonObject = dict[str, Any]

DATES: JsonObject = {"create_date": "2026-02-16T16:37:25.148189Z", "update_date": "2026-02-16T16:37:25.148189Z"}

ACCOUNT: JsonObject = {
    "id": 1,
    "name": "default",
    "app_id": "5f2c9d3e8a7b4c61",
    "role": "admin",
    "date_created": DATES["create_date"],
}

NETWORK: JsonObject = {
    "id": 7,
    "name": "hot dogs, ResNet-18",
    "description": "",
    "metadata": {},
    "framework": "pytorch-2.x",
    "preprocessing": {
        "inputs": [
            {
                "tensor_name": "input",
                "image": {
                    "dimension_order": "NCHW",
                    "resize_type": "CROP",
                    "target_size": "224x224",
                    "color_channels": "RGB",
                    "pixel_scaling": 1.0,
                    "mean": [0.485, 0.456, 0.406],
                    "std": [0.229, 0.224, 0.225],
                    "data_type": "FLOAT32",
                    "interpolation": "BILINEAR",
                    "decoding": "EXACT",
                },
            }
        ],
        "batched_output": True,
        "precision": "float32",
    },
    "postprocessings": [],
    "task_id": "5",
    **DATES,
}
PUBLIC_NETWORK: JsonObject = {**NETWORK, "id": "hot-dogs"}

SPEC: JsonObject = {"id": 42, **NEW_SPEC["classifier"]["value"], "current_version_id": 123, **DATES}
SPEC_IN_LIST: JsonObject = {name: value for name, value in SPEC.items() if name != "outputs"}
PUBLIC_SPEC: JsonObject = {
    **{name: value for name, value in SPEC.items() if name != "current_version_id"},
    "id": "hot-dogs",
}
PUBLIC_SPEC_IN_LIST: JsonObject = {name: value for name, value in PUBLIC_SPEC.items() if name != "outputs"}

VERSION: JsonObject = {
    "id": 123,
    **NEW_VERSION["classification"]["value"],
    "spec_name": SPEC["name"],
    "network_name": NETWORK["name"],
    **DATES,
}
VERSION_IN_LIST: JsonObject = {name: value for name, value in VERSION.items() if name != "post_processings"}

ACCEPTED: JsonObject = {"task_id": "123"}
BULK_ANSWER: JsonObject = {
    "tasks": [
        {"task_id": "123", "reference": "first"},
        {"error": "inputs.0.image.source: This field is required.", "reference": "second"},
    ]
}
PREDICTION: JsonObject = {
    "label_id": LABELS[0]["id"],
    "label_name": LABELS[0]["name"],
    "score": 0.990304172,
    "threshold": 0.5,
}
TASK: JsonObject = {
    "id": "123",
    "status": "success",
    "error": None,
    "date_created": "2026-02-16T16:37:25.148189Z",
    "date_updated": "2026-02-16T16:37:25.204610Z",
    "data": {"outputs": [{"labels": {"predicted": [PREDICTION], "discarded": []}}]},
    "subtasks": None,
    "timing": {
        "queued": 1.874,
        "load": 0.011,
        "fetch": 0.009,
        "decode": 0.702,
        "preprocess": 0.655,
        "batch_wait": 0.241,
        "device": 4.893,
        "postprocess": 0.187,
        "total": 9.412,
        "batch_size": 1,
        "attempts": 1,
        "version_id": 123,
        "worker": "worker-1",
    },
}


def page_of(element: JsonObject) -> JsonObject:
    """Return the only page of a list with one element."""
    return {"count": 1, "next": None, "previous": None, "results": [element]}
