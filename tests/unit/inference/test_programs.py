"""Exported programs are called as they were exported: by place, by name, with numbers, and with any containers."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inference.errors import NetworkError
from inference.loaded_network import LoadedNetwork
from inference.loader import load_network
from inference.network import NetworkDescription
from inference.warm_up import warm_up
from tests.unit.inference.exporting import FORMS, SIZE, Returning
from tests.unit.inference.seeded_networks import CPU, images

ROOT = Path(__file__).parents[3]


def described(*names: str) -> NetworkDescription:
    image = {
        "dimension_order": "NCHW",
        "resize_type": "SQUASH",
        "target_size": str(SIZE),
        "color_channels": "RGB",
        "pixel_scaling": 1.0,
    }
    return NetworkDescription.from_json({"inputs": [{"tensor_name": name, "image": image} for name in names]})


def loaded(folder: Path, *names: str) -> LoadedNetwork:
    return load_network(folder, described(*names), CPU)


def exported(folder: Path, module: nn.Module, *arguments: Any, dynamic: bool = True, **keywords: Any) -> nn.Module:
    """Export a module that takes batches, and return it."""
    batch = torch.export.Dim("batch", max=64)

    def shapes(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shapes(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(shapes(each) for each in value)
        return {0: batch} if isinstance(value, Tensor) else None

    places = dict(zip(("x", "mask"), arguments, strict=False))
    program = torch.export.export(
        module.eval(), arguments, keywords, dynamic_shapes=shapes({**places, **keywords}) if dynamic else None
    )
    torch.export.save(program, folder / "model.pt2")
    return module


def batch_of(count: int = 2) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


class Weighted(nn.Module):
    """Takes two images that mean something else each, and a number."""

    def forward(self, x: Tensor, mask: Tensor, *, scale: float = 1.0, flag: bool = True) -> Tensor:
        return (x * mask).mean((2, 3)) * scale - x.mean((2, 3)) * flag


def expected_of(module: nn.Module, pairs: list[tuple[Tensor, ...]], *order: str, **numbers: Any) -> list[Tensor]:
    return [
        module(**{name: image[None] for name, image in zip(order, pair, strict=True)}, **numbers)[0] for pair in pairs
    ]


@pytest.mark.parametrize("names", [("x", "mask"), ("mask", "x"), ("first", "second")])
@pytest.mark.parametrize("call", ["by_place", "mixed", "by_name", "reversed", "numbers"])
def test_inputs_go_to_the_arguments_of_their_names(tmp_path: Path, call: str, names: tuple[str, str]) -> None:
    x, mask = batch_of(), batch_of() + 1
    numbers: dict[str, Any] = {"scale": 3.0, "flag": False} if call == "numbers" else {}
    module = {
        "by_place": lambda: exported(tmp_path, Weighted(), x, mask),
        "mixed": lambda: exported(tmp_path, Weighted(), x, mask=mask),
        "by_name": lambda: exported(tmp_path, Weighted(), x=x, mask=mask),
        "reversed": lambda: exported(tmp_path, Weighted(), mask=mask, x=x),
        "numbers": lambda: exported(tmp_path, Weighted(), x, scale=3.0, mask=mask, flag=False),
    }[call]()
    if names == ("first", "second") and call != "by_place":
        with pytest.raises(NetworkError, match=r"The network takes '(x|mask)', '(x|mask)', and the preprocessing has"):
            loaded(tmp_path, *names)
        return
    pairs = list(zip(images(3, SIZE), images(6, SIZE)[3:], strict=True))
    results = loaded(tmp_path, *names).run(pairs)
    order = names if names[0] in ("x", "mask") else ("x", "mask")
    for result, row in zip(results, expected_of(module, pairs, *order, **numbers), strict=True):
        torch.testing.assert_close(result["output"], row)


def test_tensors_in_a_dict_or_a_list_have_their_names_too(tmp_path: Path) -> None:
    class Nested(nn.Module):
        def forward(self, x: dict[str, Tensor], mask: list[Tensor]) -> Tensor:
            return x["image"].mean((2, 3)) - mask[0].mean((2, 3)) * x["depth"].mean((2, 3))

    exported(tmp_path, Nested(), {"image": batch_of(), "depth": batch_of()}, [batch_of()])
    triples = list(zip(images(2, SIZE), images(4, SIZE)[2:], images(6, SIZE)[4:], strict=True))
    results = loaded(tmp_path, "mask_0", "depth", "image").run(triples)
    for (mask, depth, image), result in zip(triples, results, strict=True):
        torch.testing.assert_close(result["output"], (image - mask * depth.mean((1, 2), True)).mean((1, 2)))


def test_a_number_that_varies_is_refused_in_a_sentence(tmp_path: Path) -> None:
    class Repeated(nn.Module):
        def forward(self, x: Tensor, mask: int) -> Tensor:
            return x.mean((2, 3)) * mask

    shapes = {"x": {0: torch.export.Dim("batch", max=64)}, "mask": torch.export.Dim.DYNAMIC}
    torch.export.save(torch.export.export(Repeated(), (batch_of(), 5), dynamic_shapes=shapes), tmp_path / "model.pt2")
    with pytest.raises(NetworkError, match="takes a number beside its tensors; export it with that number fixed"):
        loaded(tmp_path, "x")


def test_a_program_that_was_exported_by_name_is_deployed_as_one_by_place(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
    exported(tmp_path, module, input=batch_of())
    found = warm_up(loaded(tmp_path, "input"), 4)
    sample = images(1, SIZE)[0]
    torch.testing.assert_close(found.network.run([(sample,)])[0]["output"], module.eval()(sample[None])[0])
    assert found.report["inputs"] == [{"name": "input", "shape": [3, SIZE, SIZE], "dtype": "float32"}]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs that another process exported, whose classes this one does not have."""
    folder = tmp_path_factory.mktemp("foreign")
    command = [sys.executable, "-W", "ignore", "-m", "tests.unit.inference.exporting", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT)
    return folder


@pytest.mark.parametrize(
    ("form", "kept", "left_out"),
    [
        ("model_output", {"logits"}, {}),
        ("hidden_states", {"logits"}, {"hidden_states": "The output is not a tensor but a tuple of 2."}),
        ("cache", {"logits"}, {"past_key_values": "The output is not a tensor but a tuple of 2."}),
        ("dataclass", {"boxes", "scores"}, {}),
        ("namedtuple", {"output_0", "output_1"}, {}),
        ("ordered_dict", {"out", "aux"}, {}),
    ],
)
def test_outputs_of_classes_that_are_not_installed_keep_their_names(
    foreign: Path, tmp_path: Path, form: str, kept: set[str], left_out: dict[str, str]
) -> None:
    shutil.copy(foreign / f"{form}.pt2", tmp_path / "model.pt2")
    found = warm_up(loaded(tmp_path, "pixel_values"), 2)
    assert {output["name"] for output in found.report["outputs"]} == kept
    assert {each["name"]: each["reason"] for each in found.report["left_out"]} == left_out
    assert found.report["max_batch_size"] == 2 or form not in ("model_output", "hidden_states")
    samples = images(2, SIZE)
    results = found.network.run([(sample,) for sample in samples])
    expected = Returning(form).scores(torch.stack(samples))
    first = next(name for name in ("logits", "boxes", "output_0", "out") if name in kept)
    torch.testing.assert_close(torch.stack([result[first] for result in results]), expected)


def test_a_class_that_tells_no_names_is_refused_by_its_name(foreign: Path, tmp_path: Path) -> None:
    shutil.copy(foreign / "lone_cache.pt2", tmp_path / "model.pt2")
    with pytest.raises(NetworkError, match=r"returns a 'transformers\.cache_utils\.DynamicCache'; accepted are"):
        loaded(tmp_path, "pixel_values")


def test_every_form_is_looked_at(foreign: Path) -> None:
    assert {path.stem for path in foreign.iterdir()} == set(FORMS)
