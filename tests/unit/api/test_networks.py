"""Uploading, editing and deleting networks."""

import errno
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.datastructures import FileStorage

from api.app import create_app
from api.services import Services, open_services
from config.settings import Settings
from tests.unit.api.callers import PREPROCESSING, ZIP, Caller

SAFETENSORS = b"\x10" + b"\x00" * 7 + b'{"a": {}}       '
ARCHITECTURE = b'{"builder": "resnet18", "kwargs": {"num_classes": 2}}'
NPY = b"\x93NUMPY\x01\x00"


def stored(settings: Settings) -> set[Path]:
    return {path for path in (settings.data_folder / "weights").rglob("*") if path.is_file()}


def with_mean_file(name: str) -> str:
    image = {**PREPROCESSING["inputs"][0]["image"], "mean_file": name}
    return json.dumps({"inputs": [{"tensor_name": "input", "image": image}]})


def test_network_is_shown_as_it_was_sent_with_its_defaults(admin: Caller) -> None:
    response = admin.upload(description="d", metadata='{"a": [1, null]}')
    assert response.status_code == 201
    answer = response.get_json()
    image = answer["preprocessing"]["inputs"][0]["image"]
    assert {key: answer[key] for key in ("name", "description", "metadata", "framework", "postprocessings")} == {
        "name": "net",
        "description": "d",
        "metadata": {"a": [1, None]},
        "framework": "pytorch-2.x",
        "postprocessings": [],
    }
    assert image == {
        **PREPROCESSING["inputs"][0]["image"],
        "pixel_scaling": 1.0,
        "data_type": "FLOAT32",
        "interpolation": "BILINEAR",
        "decoding": "EXACT",
    }
    assert answer["task_id"].isdecimal()
    assert admin.get(f"/networks/{answer['id']}").get_json() == answer
    assert admin.get(f"/tasks/{answer['task_id']}").get_json()["status"] == "pending"


@pytest.mark.parametrize(
    "files",
    [
        {"model.pt2": ZIP},
        {"model.torchscript": ZIP},
        {"weights.safetensors": SAFETENSORS, "architecture.json": ARCHITECTURE},
        {"weights.pth": ZIP, "architecture.json": ARCHITECTURE},
        {"architecture.json": b'{"builder": "resnet18"}', "weights.pth": b"\x80\x02}"},
    ],
)
def test_each_set_of_weights_is_taken(admin: Caller, services: Services, files: dict[str, bytes]) -> None:
    network = services.networks.get_by_id(admin.network(files=files))
    assert {file.name: file.size for file in network.files} == {name: len(data) for name, data in files.items()}


def test_mean_files_are_taken_when_named(admin: Caller, services: Services) -> None:
    files = {"model.pt2": ZIP, "name.npy": NPY}
    network = services.networks.get_by_id(admin.network(files=files, preprocessing=with_mean_file("name.npy")))
    assert {file.name for file in network.files} == set(files)


@pytest.mark.parametrize(
    ("files", "path", "words"),
    [
        ({}, "files", "missing"),
        ({"model.pt2": ZIP, "model.torchscript": ZIP}, "files", "exactly one"),
        ({"weights.pth": ZIP}, "files", "architecture.json"),
        ({"architecture.json": ARCHITECTURE}, "files", "missing"),
        ({"model.pt2": ZIP, "architecture.json": ARCHITECTURE}, "files", "exactly one"),
        ({"model.onnx": ZIP}, "model.onnx", "Supported"),
        ({"../model.npy": NPY}, "../model.npy", "Unsupported"),
        ({"model.pt2": ZIP, "mean.npy": NPY}, "mean.npy", "No input"),
        ({"model.pt2": b"not a zip"}, "model.pt2", "kind"),
        ({"model.pt2": b""}, "model.pt2", "kind"),
        ({"model.pt2": ZIP, "mean.npy": b"\x80pickle"}, "mean.npy", "kind"),
        ({"weights.safetensors": b"short", "architecture.json": ARCHITECTURE}, "weights.safetensors", "kind"),
        ({"architecture.json": b"{", "weights.pth": ZIP}, "architecture.json", "JSON"),
        ({"architecture.json": b"[]", "weights.pth": ZIP}, "architecture.json", "builder"),
        ({"architecture.json": b'{"builder": "a", "x": 1}', "weights.pth": ZIP}, "architecture.json", "builder"),
    ],
)
def test_wrong_files_are_named_and_nothing_of_them_stays(
    admin: Caller, api_settings: Settings, files: dict[str, bytes], path: str, words: str
) -> None:
    before = stored(api_settings), admin.get("/networks").get_json()["count"]
    response = admin.upload(files=files)
    assert response.status_code == 400, response.text
    assert words in response.get_json()["errors"][path][0]
    assert (stored(api_settings), admin.get("/networks").get_json()["count"]) == before


def test_missing_mean_file_is_named(admin: Caller) -> None:
    response = admin.upload(preprocessing=with_mean_file("mean.npy"))
    assert response.status_code == 400
    assert "missing" in response.get_json()["errors"]["mean.npy"][0]


def preprocessing(**fields: Any) -> str:
    return json.dumps({**PREPROCESSING, **fields})


def image(**fields: Any) -> str:
    changed = {**PREPROCESSING["inputs"][0]["image"], **fields}
    kept = {name: value for name, value in changed.items() if value is not ...}
    return json.dumps({"inputs": [{"tensor_name": "input", "image": kept}]})


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": None}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"framework": "tensorflow-1.x"}, "framework"),
        ({"framework": None}, "framework"),
        ({"preprocessing": None}, "preprocessing"),
        ({"preprocessing": "{"}, "preprocessing"),
        ({"preprocessing": "[]"}, "preprocessing"),
        ({"preprocessing": '{"inputs": []}'}, "preprocessing.inputs"),
        ({"metadata": "[1]"}, "metadata"),
        ({"metadata": '{"a": "\\u0000"}'}, "metadata"),
        ({"description": "\x00"}, "description"),
        (
            {"postprocessings": '[{"tensors_output": {"tensors": ["a", "a"]}}]'},
            "postprocessings.0.tensors_output.tensors",
        ),
        ({"postprocessings": '[{"tensors": []}]'}, "postprocessings.0.tensors"),
        ({"id": "5"}, "id"),
        ({"task_id": "5"}, "task_id"),
        ({"foo": "bar"}, "foo"),
        ({"preprocessing": image(dimension_order="NCHWD")}, "preprocessing.inputs.0.image.dimension_order"),
        ({"preprocessing": image(resize_type=...)}, "preprocessing.inputs.0.image.resize_type"),
        ({"preprocessing": image(target_size="0x5")}, "preprocessing.inputs.0.image.target_size"),
        ({"preprocessing": image(target_size="224*224")}, "preprocessing.inputs.0.image.target_size"),
        ({"preprocessing": image(target_size="99999")}, "preprocessing.inputs.0.image.target_size"),
        ({"preprocessing": image(target_size=224)}, "preprocessing.inputs.0.image.target_size"),
        ({"preprocessing": image(pixel_scaling="1")}, "preprocessing.inputs.0.image.pixel_scaling"),
        ({"preprocessing": image(pixel_scaling=0)}, "preprocessing.inputs.0.image.pixel_scaling"),
        ({"preprocessing": image(mean=[1, 2])}, "preprocessing.inputs.0.image.mean"),
        ({"preprocessing": image(std=[1, 0, 1])}, "preprocessing.inputs.0.image.std"),
        ({"preprocessing": image(mean=[1, 2, 3], mean_file="m.npy")}, "preprocessing.inputs.0.image.mean"),
        ({"preprocessing": image(mean_file="../m.npy")}, "preprocessing.inputs.0.image.mean_file"),
        ({"preprocessing": image(mean_file="m.pkl")}, "preprocessing.inputs.0.image.mean_file"),
        ({"preprocessing": image(decoding="FAST")}, "preprocessing.inputs.0.image.decoding"),
        ({"preprocessing": preprocessing(precision="float8")}, "preprocessing.precision"),
        ({"preprocessing": preprocessing(max_batch_size=0)}, "preprocessing.max_batch_size"),
        ({"preprocessing": image(nonsense=1)}, "preprocessing.inputs.0.image.nonsense"),
    ],
)
def test_wrong_fields_are_named(admin: Caller, fields: dict[str, Any], path: str) -> None:
    response = admin.upload(**fields)
    assert response.status_code == 400, response.text
    assert path in response.get_json()["errors"]


def test_unsupported_framework_is_answered_with_the_supported_ones(admin: Caller) -> None:
    assert "pytorch-2.x" in admin.upload(framework="caffe-1.x").get_json()["error"]


def test_preprocessing_may_be_flattened_with_its_numbers_as_text(admin: Caller) -> None:
    flat = {
        "preprocessing.inputs[0]tensor_name": "data",
        "preprocessing.inputs[0]image.dimension_order": "NHWC",
        "preprocessing.inputs[0]image.resize_type": "FILL",
        "preprocessing.inputs[0]image.target_size": "224",
        "preprocessing.inputs[0]image.color_channels": "BGR",
        "preprocessing.inputs[0]image.pixel_scaling": "2.0",
        "preprocessing.inputs[0]image.decoding": "SCALED",
        "preprocessing.inputs[0]image.mean[0]": "1",
        "preprocessing.inputs[0]image.mean[1]": "2",
        "preprocessing.inputs[0]image.mean[2]": "3.5",
        "preprocessing.batched_output": "False",
        "preprocessing.precision": "auto",
        "preprocessing.max_batch_size": "8",
        "metadata.author.name": "me",
    }
    answer = admin.upload(preprocessing=None, **flat).get_json()
    assert answer["preprocessing"] == {
        "inputs": [
            {
                "tensor_name": "data",
                "image": {
                    "dimension_order": "NHWC",
                    "resize_type": "FILL",
                    "target_size": "224",
                    "color_channels": "BGR",
                    "pixel_scaling": 2.0,
                    "mean": [1.0, 2.0, 3.5],
                    "data_type": "FLOAT32",
                    "interpolation": "BILINEAR",
                    "decoding": "SCALED",
                },
            }
        ],
        "batched_output": False,
        "precision": "auto",
        "max_batch_size": 8,
    }
    assert answer["metadata"] == {"author": {"name": "me"}}


@pytest.mark.parametrize("name", ["123", "True", "null", "1.50", '"quoted"', "{}"])
def test_name_stays_the_string_as_written(admin: Caller, name: str) -> None:
    assert admin.upload(name=name).get_json()["name"] == name
    typed = FileStorage(io.BytesIO(name.encode()), content_type="application/json")
    expected = "quoted" if name == '"quoted"' else name
    assert admin.upload(name=typed).get_json()["name"] == expected


def test_upload_without_files_says_which_are_needed(admin: Caller) -> None:
    body = {"name": "n", "framework": "pytorch-2.x", "preprocessing": PREPROCESSING}
    response = admin.post("/networks", json=body)
    assert response.status_code == 400
    assert "model.pt2" in response.get_json()["error"]


def test_upload_above_its_limit_is_refused_and_nothing_stays(admin: Caller, api_settings: Settings) -> None:
    before = stored(api_settings)
    response = admin.upload(files={"model.pt2": ZIP + b"\x00" * 3_000_000})
    assert response.status_code == 413
    assert stored(api_settings) == before


def test_upload_may_be_larger_than_other_bodies(admin: Caller) -> None:
    assert admin.upload(files={"model.pt2": ZIP + b"\x00" * 2_500_000}).status_code == 201


@pytest.mark.parametrize("cut", [10, 200, -120, -20])
def test_upload_that_breaks_off_is_refused_and_nothing_stays(admin: Caller, api_settings: Settings, cut: int) -> None:
    texts = {"name": "n", "framework": "pytorch-2.x", "preprocessing": json.dumps(PREPROCESSING)}
    parts = [f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{text}\r\n' for key, text in texts.items()]
    parts.append('--b\r\nContent-Disposition: form-data; name="model.pt2"; filename="x"\r\n\r\n')
    body = "".join(parts).encode() + ZIP + b"\r\n--b--\r\n"
    assert admin.post("/networks", data=body, content_type="multipart/form-data; boundary=b").status_code == 201
    before = stored(api_settings)
    response = admin.post("/networks", data=body[:cut], content_type="multipart/form-data; boundary=b")
    assert response.status_code == 400, response.text
    assert stored(api_settings) == before


def test_full_disk_is_507_and_nothing_stays(
    api_settings: Settings, newcomer: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = stored(api_settings)
    with monkeypatch.context() as full:
        full.setattr("store.weight_places.os.fsync", fail)
        response = newcomer.upload()
    assert response.status_code == 507
    assert response.get_json() == {"error": "There is no room left for weights."}
    assert newcomer.get("/networks").get_json()["count"] == 0
    assert stored(api_settings) == before
    assert newcomer.upload().status_code == 201


def test_nothing_stays_when_the_queue_is_away(api_settings: Settings, services: Services, newcomer: Caller) -> None:
    away = open_services(replace(api_settings, redis_url="redis://127.0.0.1:1/0"))
    app = create_app(api_settings, replace(services, queue=away.queue, ledger=away.ledger))
    before = stored(api_settings)
    response = Caller(app.test_client(), newcomer.key).upload()
    away.close()
    assert response.status_code == 503
    assert newcomer.get("/networks").get_json()["count"] == 0
    assert stored(api_settings) == before


def test_deletion_removes_files_and_versions(admin: Caller, api_settings: Settings) -> None:
    before = stored(api_settings)
    version = admin.version()
    assert stored(api_settings) > before
    assert admin.delete(f"/networks/{version['network_id']}").status_code == 204
    assert stored(api_settings) == before
    assert admin.get(f"/networks/{version['network_id']}").status_code == 404
    assert admin.get(f"/recognition/versions/{version['id']}").status_code == 404
    assert admin.get(f"/recognition/specs/{version['spec_id']}").get_json()["current_version_id"] is None


def test_patch_changes_what_it_names_only(admin: Caller) -> None:
    network = admin.upload(description="old", metadata='{"a": 1}').get_json()
    changed = admin.patch(f"/networks/{network['id']}", json={"description": "new"}).get_json()
    assert changed.pop("update_date") > network.pop("update_date")
    assert changed == {**network, "description": "new"}


def test_put_takes_all_editable_fields(admin: Caller) -> None:
    path = f"/networks/{admin.network()}"
    response = admin.put(path, json={"name": "new"})
    assert set(response.get_json()["errors"]) == {"description", "metadata"}
    answer = admin.put(path, json={"name": "new", "description": "d", "metadata": {}}).get_json()
    assert (answer["name"], answer["description"], answer["metadata"]) == ("new", "d", {})


@pytest.mark.parametrize("field", ["framework", "preprocessing", "postprocessings"])
def test_immutable_fields_are_called_so(admin: Caller, field: str) -> None:
    path = f"/networks/{admin.network()}"
    for send in (admin.patch, admin.put):
        errors = send(path, json={"name": "n", "description": "", "metadata": {}, field: []}).get_json()["errors"]
        assert "immutable" in errors[field][0]


def test_public_networks_are_read_by_slug_and_not_changed(admin: Caller, public_network: str) -> None:
    path = f"/networks/public/{public_network}"
    assert admin.get(path).get_json()["id"] == public_network
    assert public_network in [item["id"] for item in admin.get("/networks/public").get_json()["results"]]
    for method in ("PATCH", "PUT", "DELETE"):
        assert admin.send(method, path, json={"name": "x"}).status_code == 405
    assert admin.get("/networks/public/nothing").status_code == 404
