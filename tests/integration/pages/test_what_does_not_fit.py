"""Names that are long and images that are narrow, in the playground: nothing leaves its place."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from demo import MODELS_FOLDER
from tests.integration.pages.browser import Browser, until
from tests.integration.pages.images import SHAPES, pick

LONG = "Traffic sign for pedestrians and cyclists, with the additional sign below it: "
OUTSIDE = """
return [...document.querySelectorAll(".box > .tag")].filter((tag) => {
  const picture = tag.closest(".picture").getBoundingClientRect();
  const place = tag.getBoundingClientRect();
  return place.left < picture.left - 3 || place.right > picture.right + 3;
}).map((tag) => tag.textContent);
"""
WIDER_THAN_THE_PAGE = "return document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture
def long_names(signed_in: Browser, http: httpx.Client) -> Browser:
    """The playground with a detector whose labels have long names."""
    described: dict[str, Any] = json.loads((MODELS_FOLDER / "shapes-detector-v1" / "model.json").read_text())
    for label in described["outputs"][0]["labels"]["labels"]:
        label["name"] = LONG + label["name"]
    spec = http.post("/recognition/specs", json={"name": "Long names", "outputs": described["outputs"]}).json()
    version = {
        "spec_id": spec["id"],
        "network_id": "shapes-detector-v1",
        "post_processings": described["post_processings"],
    }
    http.post("/recognition/versions", json=version).raise_for_status()
    signed_in.driver.refresh()
    signed_in.choose("#spec", "Long names")
    signed_in.wait_for_text("#about-spec", LONG)
    return signed_in


@pytest.mark.parametrize("phone", [False, True])
def test_long_names_are_cut_where_their_picture_ends(long_names: Browser, *, phone: bool) -> None:
    if phone:
        long_names.be_a_phone()
    pick(long_names, SHAPES)
    until(lambda: len(long_names.shown("#detail .tag")) == 4, "there are not four boxes")
    assert long_names.run(OUTSIDE) == []
    assert not long_names.run(WIDER_THAN_THE_PAGE)
    assert all(LONG in name and "0." in name for name in long_names.texts(".score-row"))
    pick(long_names, SHAPES)
    until(lambda: len(long_names.shown("#grid .tag")) == 8, "there are not eight boxes")
    assert long_names.run(OUTSIDE) == []
    assert not long_names.run(WIDER_THAN_THE_PAGE)


def test_pictures_of_any_shape_have_the_same_room_in_the_grid(signed_in: Browser, tmp_path: Path) -> None:
    for name, size in {"high.png": (100, 1600), "wide.png": (1600, 100), "usual.png": (400, 300)}.items():
        Image.new("RGB", size, "teal").save(tmp_path / name)
    pick(signed_in, *tmp_path.iterdir())
    until(lambda: len(signed_in.shown(".card .found:not(.busy)")) == 3, "three images have not ended")
    cards = [card.size["height"] for card in signed_in.shown(".card .room")]
    assert max(cards) - min(cards) <= 1
    shapes = [picture.size["width"] / picture.size["height"] for picture in signed_in.shown(".card .picture")]
    assert sorted(shapes) == pytest.approx([1 / 16, 4 / 3, 16], rel=0.15)
