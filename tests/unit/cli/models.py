"""A model folder's description, and how a test writes such a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

MODEL: dict[str, Any] = {
    "name": "Hot dogs",
    "description": "Tells hot dogs from all else.",
    "metadata": {"owner": "kitchen"},
    "framework": "pytorch-2.x",
    "preprocessing": {
        "inputs": [
            {
                "tensor_name": "images",
                "image": {
                    "dimension_order": "NCHW",
                    "resize_type": "SQUASH",
                    "target_size": "8x8",
                    "color_channels": "RGB",
                },
            }
        ]
    },
    "outputs": [
        {
            "labels": {
                "labels": [{"id": 0, "name": "hot dog"}, {"id": 1, "name": "not hot dog"}],
                "exclusive": True,
                "roi": "NONE",
            }
        }
    ],
    "post_processings": [{"classification": {"output_tensor": "output"}}],
}

WriteModel = Callable[..., Path]
