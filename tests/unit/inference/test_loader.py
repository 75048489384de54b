"""Every kind of weight set runs as the model that it was made from; what cannot be loaded is a sentence."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from inference.errors import NetworkError
from inference.execution import Execution, prepared
from inference.loader import check_files, load_network
from inference.network import NetworkDescription
from inference.warm_up import warm_up
from tests.unit.inference.seeded_networks import (
    CLASSIFIER,
    CLASSIFIER_KWARGS,
    CPU,
    DETECTOR,
    DETECTOR_KWARGS,
    WEIGHT_SETS,
    classifier,
    description,
    detector,
    images,
    write_script,
    write_state,
)


def named(*names: str) -> NetworkDescription:
    """The description of a network with inputs of these names."""
    specs = zip(description(len(names)).inputs, names, strict=True)
    return NetworkDescription(tuple(replace(spec, tensor_name=name) for spec, name in specs))


def refusal(folder: Path) -> str:
    """Return the sentence with which a folder is refused."""
    with pytest.raises(NetworkError) as caught:
        load_network(folder, description(), CPU)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert str(folder) not in sentence
    assert "/" not in sentence
    return sentence


@pytest.mark.parametrize("weight_set", WEIGHT_SETS)
def test_every_weight_set_runs_as_the_model_that_it_was_made_from(
    classifier_folders: dict[str, Path], weight_set: str
) -> None:
    network = load_network(classifier_folders[weight_set], description(), CPU)
    samples = images(3)
    with torch.inference_mode():
        expected = classifier()(torch.stack(samples))
    results = network.run([(image,) for image in samples])
    torch.testing.assert_close(torch.stack([result["output"] for result in results]), expected)
    assert network.nbytes == sum(p.nbytes for p in classifier().parameters())
    assert not any(parameter.requires_grad for parameter in network.module.parameters())


def test_networks_load_in_several_threads_at_once(classifier_folders: dict[str, Path]) -> None:
    folders = list(classifier_folders.values())
    with ThreadPoolExecutor(8) as pool:
        networks = list(pool.map(lambda folder: load_network(folder, description(), CPU), folders * 2))
    outputs = [network.run([(images(1)[0],)])[0]["output"] for network in networks]
    for output in outputs[1:]:
        torch.testing.assert_close(output, outputs[0])


def test_a_torchvision_detector_takes_a_list_of_images(detector_folder: Path) -> None:
    model = detector()
    network = load_network(detector_folder, description(), CPU)
    samples = images(2, 64)
    with torch.inference_mode():
        expected = model(samples)
    for result, detections in zip(network.run([(image,) for image in samples]), expected, strict=True):
        assert result.keys() == {"boxes", "labels", "scores"}
        for name, tensor in detections.items():
            torch.testing.assert_close(result[name], tensor)


def test_a_scripted_network_that_takes_a_list_is_recognised(tmp_path: Path) -> None:
    class Lengths(nn.Module):
        def forward(self, images: list[torch.Tensor]) -> tuple[dict[str, torch.Tensor], list[dict[str, torch.Tensor]]]:
            losses: dict[str, torch.Tensor] = {}
            found: list[dict[str, torch.Tensor]] = []
            for image in images:
                found.append({"boxes": image.sum(0)[:2, :4]})
            return losses, found

    write_script(Lengths(), tmp_path / "model.torchscript")
    network = load_network(tmp_path, description(), CPU)
    samples = images(3)
    assert network.takes_image_list
    results = network.run([(image,) for image in samples])
    assert torch.equal(results[2]["boxes"], samples[2].sum(0)[:2, :4])


class Scaled(nn.Module):
    def forward(self, image: torch.Tensor, mask: torch.Tensor, scale: float = 2.0) -> dict[str, torch.Tensor]:
        return {"mean": (image * mask).mean((2, 3)) * scale - image.mean((2, 3))}


@pytest.mark.parametrize("names", [("image", "mask"), ("mask", "image"), ("first", "second")])
def test_inputs_of_a_script_go_to_the_arguments_of_their_names(tmp_path: Path, names: tuple[str, str]) -> None:
    write_script(Scaled(), tmp_path / "model.torchscript")
    first, second = images(2)
    network = load_network(tmp_path, named(*names), CPU)
    frozen = prepared(network, Execution(frozen=True))
    image, mask = (second, first) if names[0] == "mask" else (first, second)
    expected = Scaled()(image[None], mask[None])["mean"][0]
    for each in (network, frozen):
        torch.testing.assert_close(each.run([(first, second)])[0]["mean"], expected)


class Named(NamedTuple):
    scores: torch.Tensor
    count: int


class Mixed(nn.Module):
    def forward(
        self, x: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None, dict[str, torch.Tensor], float, torch.Tensor]:
        return x.mean((2, 3)), None, {"a": x}, 2.5, x.amax((2, 3))


class ReturningNamed(nn.Module):
    def forward(self, x: torch.Tensor) -> Named:
        return Named(x.mean((2, 3)), 3)


def test_outputs_of_a_script_that_are_no_tensors_are_left_out(tmp_path: Path) -> None:
    samples = images(2)
    for module, kept, left_out in (
        (Mixed(), ["output_0", "output_4"], ["output_1", "output_2", "output_3"]),
        (ReturningNamed(), ["output_0"], ["output_1"]),
    ):
        write_script(module, tmp_path / "model.torchscript")
        found = warm_up(load_network(tmp_path, description(), CPU), 2)
        assert [output["name"] for output in found.report["outputs"]] == kept
        assert [each["name"] for each in found.report["left_out"]] == left_out
        for sample, result in zip(samples, found.network.run([(sample,) for sample in samples]), strict=True):
            torch.testing.assert_close(result["output_0"], sample.mean((1, 2)))
            torch.testing.assert_close(result[kept[-1]], module(sample[None])[int(kept[-1][-1])][0])


def test_a_script_that_takes_other_inputs_is_refused_with_its_arguments(tmp_path: Path) -> None:
    write_script(Scaled(), tmp_path / "model.torchscript")
    sentence = "takes 'image', 'mask', 'scale', and the preprocessing has 'image'; set the tensor_name"
    with pytest.raises(NetworkError, match=sentence):
        load_network(tmp_path, named("image"), CPU)


def test_a_list_of_images_is_the_only_input(detector_folder: Path) -> None:
    with pytest.raises(NetworkError, match="exactly one input"):
        load_network(detector_folder, description(2), CPU)


def test_published_weights_are_never_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a download was tried")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    write_state(detector(), tmp_path, "weights.pth", DETECTOR, {**DETECTOR_KWARGS, "weights_backbone": "DEFAULT"})
    load_network(tmp_path, description(), CPU)
    write_state(classifier(), tmp_path, "weights.pth", CLASSIFIER, {**CLASSIFIER_KWARGS, "weights": "IMAGENET1K_V1"})
    load_network(tmp_path, description(), CPU)


def test_a_network_is_in_evaluation_mode_although_it_was_saved_in_training(tmp_path: Path) -> None:
    write_script(nn.Sequential(nn.Flatten(), nn.Dropout(0.9)).train(), tmp_path / "model.torchscript")
    network = load_network(tmp_path, description(), CPU)
    assert torch.equal(network.run([(images(1)[0],)])[0]["output"], images(1)[0].flatten())


def test_mean_files_come_with_the_network(classifier_folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(classifier_folders["weights.pth"], tmp_path / "network"))
    np.save(folder / "mean.npy", np.arange(3, dtype=np.float64))
    described = description(mean_file="mean.npy")
    network = load_network(folder, described, CPU)
    mean = network.mean_image(described.inputs[0])
    assert mean is not None
    assert mean.dtype == torch.float32
    assert mean.tolist() == [0, 1, 2]
    assert network.mean_image(description().inputs[0]) is None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (np.zeros((1, 2, 3, 4)), "The mean file 'mean.npy' has 4 dimensions instead of height, width and channels."),
        (np.array(["a"]), "The mean file 'mean.npy' cannot be read as a NumPy array of numbers."),
    ],
)
def test_mean_file_that_is_none(
    classifier_folders: dict[str, Path], tmp_path: Path, content: np.ndarray, sentence: str
) -> None:
    folder = Path(shutil.copytree(classifier_folders["weights.pth"], tmp_path / "network"))
    np.save(folder / "mean.npy", content)
    with pytest.raises(NetworkError) as caught:
        load_network(folder, description(mean_file="mean.npy"), CPU)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "not exactly one weight set"),
        (["weights.pth"], "not exactly one weight set"),
        (["model.pt2", "model.torchscript"], "not exactly one weight set"),
        (["model.pt2", "architecture.json"], "not exactly one weight set"),
        (["model.pt2", "notes.txt"], "'notes.txt' is not part of a network"),
    ],
)
def test_files_must_be_exactly_one_weight_set(names: list[str], sentence: str) -> None:
    with pytest.raises(NetworkError, match=sentence):
        check_files(names, description())


def test_mean_files_must_be_those_that_the_preprocessing_names() -> None:
    check_files(["model.pt2", "mean.npy"], description(mean_file="mean.npy"))
    with pytest.raises(NetworkError, match=r"'mean\.npy' that the preprocessing names is missing"):
        check_files(["model.pt2"], description(mean_file="mean.npy"))
    with pytest.raises(NetworkError, match=r"'mean\.npy' is not part"):
        check_files(["model.pt2", "mean.npy"], description())


@pytest.mark.parametrize("weight_set", WEIGHT_SETS)
@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + b"\0" * 50, b"\x80\x02}q\x00."])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, weight_set: str, content: bytes) -> None:
    (tmp_path / weight_set).write_bytes(content)
    if weight_set.startswith("weights"):
        (tmp_path / "architecture.json").write_text(json.dumps({"builder": CLASSIFIER}))
    assert refusal(tmp_path)


@pytest.mark.parametrize("weight_set", WEIGHT_SETS)
def test_a_file_that_was_cut_is_refused(classifier_folders: dict[str, Path], tmp_path: Path, weight_set: str) -> None:
    folder = Path(shutil.copytree(classifier_folders[weight_set], tmp_path / "network"))
    content = (folder / weight_set).read_bytes()
    (folder / weight_set).write_bytes(content[: len(content) // 2])
    assert weight_set in refusal(folder)


@pytest.mark.parametrize(
    ("architecture", "sentence"),
    [
        ("[", "The file architecture.json is not JSON."),
        ("[1]", 'not an object with a "builder"'),
        ('{"builder": 3}', 'not an object with a "builder"'),
        ('{"builder": "resnet18", "kwargs": []}', '"kwargs" of architecture.json are not an object'),
        ('{"builder": "resnet18", "weights": "DEFAULT"}', "unknown field 'weights'"),
        ('{"builder": "os.system"}', "'os.system' is not a torchvision model builder"),
        ('{"builder": "squeezenet1_1", "kwargs": {"depth": 3}}', "squeezenet1_1 cannot be built"),
        ('{"builder": "squeezenet1_1", "kwargs": {"num_classes": "many"}}', "squeezenet1_1 cannot be built"),
    ],
)
def test_wrong_architecture_file_is_a_sentence(tmp_path: Path, architecture: str, sentence: str) -> None:
    write_state(classifier(), tmp_path, "weights.pth", CLASSIFIER, CLASSIFIER_KWARGS)
    (tmp_path / "architecture.json").write_text(architecture)
    assert sentence in refusal(tmp_path)


def test_too_large_architecture_file_is_refused(tmp_path: Path) -> None:
    write_state(classifier(), tmp_path, "weights.pth", CLASSIFIER, {"num_classes": [0] * 100_000})
    assert "larger than" in refusal(tmp_path)


def test_weights_that_do_not_fit_name_the_first_difference(tmp_path: Path) -> None:
    write_state(classifier(), tmp_path, "weights.pth", CLASSIFIER, {"num_classes": 7})
    assert "'classifier.1.weight' has shape [5, 512, 1, 1] instead of [7, 512, 1, 1]" in refusal(tmp_path)
    write_state(classifier(), tmp_path, "weights.pth", "squeezenet1_0", {"num_classes": 5})
    assert "do not fit squeezenet1_0: " in refusal(tmp_path)
    state: dict[str, Any] = classifier().state_dict()
    torch.save({**state, "extra": torch.zeros(1)}, tmp_path / "weights.pth")
    (tmp_path / "architecture.json").write_text(json.dumps({"builder": CLASSIFIER, "kwargs": CLASSIFIER_KWARGS}))
    assert "'extra' is unexpected (1 in all)" in refusal(tmp_path)
    del state["features.0.weight"]
    torch.save(state, tmp_path / "weights.pth")
    assert "'features.0.weight' is missing (1 in all)" in refusal(tmp_path)


@pytest.mark.parametrize("content", [[1, 2], {"model": {"a": torch.zeros(1)}}, {1: torch.zeros(1)}, torch.zeros(1)])
def test_what_is_no_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    write_state(classifier(), tmp_path, "weights.pth", CLASSIFIER, CLASSIFIER_KWARGS)
    torch.save(content, tmp_path / "weights.pth")
    assert "weights.pth is not a state dict" in refusal(tmp_path)


def test_state_dict_without_the_counters_of_batch_normalisation_is_complete(tmp_path: Path) -> None:
    model = torchvision.models.get_model("shufflenet_v2_x0_5", weights=None, num_classes=3).eval()
    state = {key: value for key, value in model.state_dict().items() if not key.endswith("num_batches_tracked")}
    assert len(state) < len(model.state_dict())
    torch.save(state, tmp_path / "weights.pth")
    (tmp_path / "architecture.json").write_text(
        json.dumps({"builder": "shufflenet_v2_x0_5", "kwargs": {"num_classes": 3}})
    )
    image = images(1)[0]
    with torch.inference_mode():
        expected = model(image[None])[0]
    torch.testing.assert_close(load_network(tmp_path, description(), CPU).run([(image,)])[0]["output"], expected)
