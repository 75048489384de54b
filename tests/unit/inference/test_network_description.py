"""A description is read from the JSON of the API, and what contradicts itself is a sentence."""

from typing import Any

import pytest

from inference.errors import NetworkError, reason_of
from inference.network import (
    ColorChannels,
    DataType,
    Decoding,
    DimensionOrder,
    ImageSpec,
    Interpolation,
    NetworkDescription,
    ResizeType,
    TargetSize,
)

IMAGE = {"dimension_order": "NCHW", "resize_type": "FILL", "target_size": "320x240", "color_channels": "BGR"}


def parsed(*names: str, postprocessings: Any = (), **fields: Any) -> NetworkDescription:
    inputs = [{"tensor_name": name, "image": IMAGE} for name in names]
    return NetworkDescription.from_json({"inputs": inputs, **fields}, postprocessings)


def test_defaults_are_those_of_the_contract() -> None:
    assert parsed("data") == NetworkDescription(
        inputs=(
            ImageSpec(
                tensor_name="data",
                dimension_order=DimensionOrder.NCHW,
                resize_type=ResizeType.FILL,
                target_size=TargetSize(320, 240),
                color_channels=ColorChannels.BGR,
                pixel_scaling=255.0,
                mean_file=None,
                mean=None,
                std=None,
                data_type=DataType.FLOAT32,
                interpolation=Interpolation.BILINEAR,
                decoding=Decoding.EXACT,
            ),
        ),
        batched_output=True,
        tensor_names=None,
    )


def test_names_of_tensors_come_from_the_postprocessings() -> None:
    described = parsed("data", postprocessings=[{"tensors_output": {"tensors": ["boxes", "scores"]}}])
    assert described.tensor_names == ("boxes", "scores")
    assert parsed("data", batched_output=False).batched_output is False


def test_mean_files_are_listed_once() -> None:
    image = {**IMAGE, "mean_file": "mean.npy"}
    inputs = [{"tensor_name": name, "image": image} for name in ("a", "b")]
    assert NetworkDescription.from_json({"inputs": inputs}).mean_files == ("mean.npy",)


@pytest.mark.parametrize(
    ("preprocessing", "postprocessings"),
    [
        ({}, []),
        ({"inputs": []}, []),
        ({"inputs": [{"tensor_name": "a"}]}, []),
        ({"inputs": [{"tensor_name": "a", "image": {**IMAGE, "target_size": "big"}}]}, []),
        ({"inputs": [{"tensor_name": "a", "image": IMAGE}] * 2}, []),
        ({"inputs": [{"tensor_name": "a", "image": IMAGE}]}, [{"tensors_output": {}}]),
        ({"inputs": [{"tensor_name": "a", "image": IMAGE}]}, [{"tensors_output": {"tensors": ["x", "x"]}}]),
    ],
)
def test_impossible_description_is_a_sentence(preprocessing: Any, postprocessings: Any) -> None:
    with pytest.raises(NetworkError) as caught:
        NetworkDescription.from_json(preprocessing, postprocessings)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("size mismatch, got 3"), "size mismatch, got 3."),
        (RuntimeError("Ends with a stop."), "Ends with a stop."),
        (ValueError("cannot open /srv/weights/7f/model.pt2 now"), "cannot open a file now."),
        (OSError(2, "No such file", "/srv/app/x.py"), "[Errno 2] No such file: 'a file'."),
        (RuntimeError(""), "RuntimeError."),
        (RuntimeError("first line\nsecond line"), "first line."),
        (
            RuntimeError(
                "The following operation failed in the TorchScript interpreter.\n"
                "Traceback of TorchScript (most recent call last):\n"
                '  File "/home/x/y.py", line 3, in forward\n'
                "    return x @ w\n           ~~~~~ <--- HERE\n"
                "RuntimeError: shapes cannot be multiplied"
            ),
            "shapes cannot be multiplied.",
        ),
        (RuntimeError("x" * 1000), "x" * 239 + "."),
    ],
)
def test_reason_of_an_exception_is_one_line_without_paths(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
