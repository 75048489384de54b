"""The playground in a real browser, against a real service: what a person sees is what the API says."""

import contextlib
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.integration.file_server import served
from tests.integration.pages.browser import Browser, until
from tests.integration.pages.images import SHAPES, boxes_above, drop, paste, pick, predictions, proportions, turned
from tests.service import Service

DETECTOR = "Shapes detector v1"
PIXEL = 1.0  # how far a box may be from its place: where the browser puts a border on the grid of the screen

Json = dict[str, Any]


@pytest.fixture
def detector(signed_in: Browser) -> Browser:
    signed_in.choose("#spec", DETECTOR)
    signed_in.wait_for_text("#about-spec", "boxes")
    return signed_in


def drawn_boxes(browser: Browser) -> list[Json]:
    """Return the boxes on the page in fractions of the picture, where the screen has them."""
    return browser.run(
        """const image = document.querySelector("#detail .picture > :first-child").getBoundingClientRect();
        return [...document.querySelectorAll("#detail .box")].map((node) => {
          const box = node.getBoundingClientRect();
          return { xmin: (box.left - image.left) / image.width, xmax: (box.right - image.left) / image.width,
                   ymin: (box.top - image.top) / image.height, ymax: (box.bottom - image.top) / image.height };
        })"""
    )


def assert_boxes_are(browser: Browser, expected: list[Json]) -> None:
    until(lambda: len(drawn_boxes(browser)) == len(expected), f"there are not {len(expected)} boxes")
    picture = browser.frame_of("#detail .picture")
    sides = {"xmin": "width", "xmax": "width", "ymin": "height", "ymax": "height"}
    drawn = sorted(drawn_boxes(browser), key=lambda box: (box["xmin"], box["ymin"]))
    for box, wanted in zip(drawn, sorted(expected, key=lambda box: (box["xmin"], box["ymin"])), strict=True):
        for side, length in sides.items():
            assert abs(box[side] - wanted[side]) * picture[length] <= PIXEL, (side, box, wanted)


def has_proportions_of_the_image(browser: Browser) -> bool:
    picture = browser.frame_of("#detail .picture")
    return math.isclose(picture["width"] / picture["height"], proportions(SHAPES), rel_tol=0.01)


def test_a_dropped_image_gets_its_boxes_at_the_right_pixels(detector: Browser, http: httpx.Client) -> None:
    drop(detector, SHAPES.read_bytes())
    detector.one(".score-row")
    found = predictions(http, SHAPES.read_bytes())
    expected = boxes_above(found, None)
    assert len(expected) >= 3
    assert_boxes_are(detector, expected)
    # The picture has the proportions of the image, so that fractions of one are fractions of the other.
    assert has_proportions_of_the_image(detector)
    assert [text.split()[0] for text in detector.texts(".score-row .label-name")] == [
        each["label_name"] for each in sorted(found, key=lambda each: -each["score"])
    ]


def pixels_around_left_border(browser: Browser) -> set[Any]:
    frame = browser.frame_of("#detail .box")
    screen = Image.open(io.BytesIO(browser.driver.get_screenshot_as_png())).convert("RGB")
    left, middle = round(frame["left"]), round(frame["top"] + frame["height"] / 2)
    return {screen.getpixel((left + step, middle)) for step in (-1, 0, 1, 2)}


def test_borders_are_drawn_in_the_colour_of_the_label(detector: Browser) -> None:
    drop(detector, SHAPES.read_bytes())
    detector.one("#detail .box")
    ActionChains(detector.driver).move_to_element(detector.one("#spec")).perform()  # a box that is pointed at is filled
    tone = detector.run("return getComputedStyle(document.querySelector('#detail .box')).borderLeftColor")
    colour = tuple(int(number) for number in tone.removeprefix("rgb(").removesuffix(")").split(","))
    until(lambda: colour in pixels_around_left_border(detector), f"no border has the colour {colour}")


def test_pointing_at_a_score_shows_its_box_and_the_other_way_round(detector: Browser) -> None:
    drop(detector, SHAPES.read_bytes())
    row = detector.one(".score-row:not(.discarded)")
    region = row.get_attribute("data-region")
    ActionChains(detector.driver).move_to_element(row).perform()
    assert detector.one("#detail .box.pointed").get_attribute("data-region") == region
    ActionChains(detector.driver).move_to_element(detector.one(f"#detail .box[data-region='{region}']")).perform()
    assert [each.get_attribute("data-region") for each in detector.shown(".score-row.pointed")] == [region]


def test_boxes_follow_the_exif_orientation_of_a_photograph(detector: Browser, http: httpx.Client) -> None:
    photograph = turned(SHAPES)
    drop(detector, photograph)
    detector.one(".score-row")
    assert_boxes_are(detector, boxes_above(predictions(http, photograph), None))
    assert has_proportions_of_the_image(detector)


def test_the_timing_of_the_task_is_shown_stage_by_stage(detector: Browser) -> None:
    drop(detector, SHAPES.read_bytes())
    detector.one(".score-row")
    stages = dict(text.split("\n") for text in detector.texts(".facts div"))
    widths = [float(part.value_of_css_property("flex-grow")) for part in detector.shown(".stages span")]
    detector.press("JSON")
    timing = json.loads(detector.text(".code pre"))["timing"]
    assert {"in the queue", "decoding", "on the device"} <= set(stages)
    for name, stage in (("on the device", "device"), ("in the service", "total")):
        shown, unit = stages[name].split()
        assert math.isclose(float(shown), timing[stage] / {"ms": 1, "s": 1000}[unit], rel_tol=0.06)
    assert any(math.isclose(width, timing["device"], rel_tol=0.01) for width in widths)


def set_threshold(browser: Browser, value: float) -> None:
    script = "const [slider, value] = arguments; slider.value = value; slider.dispatchEvent(new Event('input'))"
    browser.run(script, browser.one("#threshold"), value)


def test_the_slider_shows_what_another_threshold_would_give(detector: Browser, http: httpx.Client) -> None:
    drop(detector, SHAPES.read_bytes())
    detector.one(".score-row")
    found = predictions(http, SHAPES.read_bytes())
    assert detector.text("#threshold-value") == "as set"
    for threshold in (0.1, 0.99):
        set_threshold(detector, threshold)
        assert detector.text("#threshold-value") == f"{threshold:.2f}"
        assert_boxes_are(detector, boxes_above(found, threshold))
        passing = [each for each in found if each["score"] > threshold]
        assert len(detector.shown(".score-row:not(.discarded)")) == len(passing)
        assert f"{len(passing)} found" in detector.text("#threshold-effect")
    detector.press("Reset")
    assert_boxes_are(detector, boxes_above(found, None))


def crop_of(browser: Browser) -> Json:
    """Return the crop that the request has, as its Python text says it."""
    browser.press("Python")
    text = browser.text(".code pre")
    crop: Json = json.loads(text.partition("bbox=")[2].partition("}")[0] + "}")
    browser.press("Scores")
    return crop


def assert_crop_was_asked(browser: Browser, http: httpx.Client, crop: Json) -> None:
    fields = {f"inputs[0]image.bbox.{side}": str(value) for side, value in crop.items()}
    until(lambda: browser.all(".score-row, .scores .hint"), "there is no answer")
    assert_boxes_are(browser, boxes_above(predictions(http, SHAPES.read_bytes(), **fields), None))


def test_a_crop_is_drawn_with_the_mouse(detector: Browser, http: httpx.Client) -> None:
    drop(detector, SHAPES.read_bytes())
    detector.one(".score-row")
    until(lambda: has_proportions_of_the_image(detector), "the picture has not the proportions of the image")
    detector.press("Crop")
    picture = detector.one("#detail .picture")
    width, height = picture.size["width"], picture.size["height"]
    drag = ActionChains(detector.driver).move_to_element_with_offset(picture, int(-0.48 * width), int(-0.4 * height))
    drag.click_and_hold().move_by_offset(int(0.9 * width), int(0.4 * height)).move_by_offset(2, 2).release().perform()
    crop = crop_of(detector)
    wanted = {"xmin": 0.02, "ymin": 0.1, "xmax": 0.92, "ymax": 0.5}
    assert crop == pytest.approx(wanted, abs=0.01)
    assert_crop_was_asked(detector, http, crop)
    detector.press("Whole image")
    assert_boxes_are(detector, boxes_above(predictions(http, SHAPES.read_bytes()), None))


def test_a_crop_is_typed_in(detector: Browser, http: httpx.Client) -> None:
    drop(detector, SHAPES.read_bytes())
    detector.one(".score-row")
    detector.press("Crop")
    detector.one("[aria-label='Crop, in percent'] input").send_keys(Keys.CONTROL, "a", Keys.NULL, "40", Keys.TAB)
    crop = {"xmin": 0.4, "ymin": 0, "xmax": 1, "ymax": 1}
    assert crop_of(detector) == crop
    assert_crop_was_asked(detector, http, crop)


def test_an_image_by_address_is_shown_in_a_frame_of_its_own(detector: Browser, http: httpx.Client) -> None:
    with served(SHAPES.parent) as host:
        detector.fill("#url", f"{host}/shapes.jpg")
        detector.press("Add")
        detector.one(".score-row")
        assert_boxes_are(detector, boxes_above(predictions(http, SHAPES.read_bytes()), None))
        until(lambda: has_proportions_of_the_image(detector), "the picture has not the proportions of the image")
        frame = detector.one("#detail iframe")
        assert frame.get_attribute("sandbox") == "allow-scripts"
        detector.driver.switch_to.frame(frame)
        assert detector.run("return document.images[0].naturalWidth") > 0
        with pytest.raises(Exception, match="sandbox"):
            detector.run("return sessionStorage.length")
        detector.driver.switch_to.default_content()


def test_what_is_no_address_is_said_beside_the_field(signed_in: Browser) -> None:
    signed_in.fill("#url", "dog.jpg")
    signed_in.press("Add")
    assert "http://" in signed_in.text("#url-problem")
    assert signed_in.one("#url").get_attribute("aria-invalid") == "true"
    assert signed_in.run("return document.activeElement.id") == "url"


def test_several_images_make_a_grid_in_which_one_that_fails_harms_no_other(detector: Browser, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image at all")
    pick(detector, *sorted(SHAPES.parent.glob("*.jpg")), broken)
    until(lambda: len(detector.shown(".card .found:not(.busy)")) == 4, "four images have not ended")
    detector.wait_for_text("#summary", "1 failed")
    failed = detector.text(".card.failed")
    assert "broken.jpg" in failed
    assert "The data is not an image" in failed
    assert "inputs.0" not in failed
    assert len(detector.shown(".card:not(.failed) .chip")) >= 3
    detector.click(".card:not(.failed)")
    detector.one("#detail .score-row")
    detector.click("#back")
    detector.click(".card.failed")
    assert detector.text("#detail [role=alert]")
    detector.press("Clear")
    assert detector.text("#nothing")


@contextlib.contextmanager
def frozen_workers(service: Service) -> Iterator[None]:
    """Keep the workers from doing anything while the block runs."""
    children = psutil.Process(service.process.pid).children()
    workers = [child for child in children if "workers" in " ".join(child.cmdline())]
    assert workers
    for worker in workers:
        worker.suspend()
    try:
        yield
    finally:
        for worker in workers:
            worker.resume()


def test_stopping_takes_open_tasks_back(detector: Browser, service: Service, http: httpx.Client) -> None:
    def waiting() -> int:
        return int(http.get("/operations").json()["pending"]["count"])

    with frozen_workers(service):
        pick(detector, *sorted(SHAPES.parent.glob("*.jpg")))
        until(lambda: waiting() == 3, "the images are not sent")
        detector.press("Stop")
        until(lambda: waiting() == 0, "the tasks are not cancelled")
        assert detector.texts(".card .found") == ["Stopped."] * 3
    detector.press("Run again")
    until(lambda: len(detector.shown(".card:not(.failed) .chip")) >= 3, "the images were not sent again")


def test_an_image_is_pasted(detector: Browser) -> None:
    paste(detector, SHAPES.read_bytes())
    detector.one("#detail .score-row")


def test_shapes_are_drawn_for_whoever_has_no_image_at_hand(signed_in: Browser) -> None:
    signed_in.press("Draw some shapes for me")
    signed_in.one("#detail .score-row:not(.discarded)")


def test_another_specification_is_asked_about_the_images_that_are_there(detector: Browser) -> None:
    drop(detector, SHAPES.read_bytes())
    detector.one(".box")
    detector.choose("#spec", "Shapes v1")
    until(lambda: detector.shown(".score-row") and not detector.shown(".box"), "the boxes are still there")


def test_a_service_that_cannot_be_reached_is_said_and_can_be_asked_again(detector: Browser) -> None:
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    detector.command("Network.enable")
    detector.command("Network.emulateNetworkConditions", offline=True, **conditions)
    drop(detector, SHAPES.read_bytes())
    detector.wait_for_text("#detail [role=alert]", "cannot be reached")
    detector.command("Network.emulateNetworkConditions", offline=False, **conditions)
    detector.press("Run again")
    detector.one(".score-row")
    assert all("ERR_INTERNET_DISCONNECTED" in complaint for complaint in detector.console())


def test_a_specification_that_cannot_be_had_leaves_all_as_it_is(detector: Browser) -> None:
    drop(detector, SHAPES.read_bytes())
    detector.one(".box")
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    detector.command("Network.enable")
    detector.command("Network.emulateNetworkConditions", offline=True, **conditions)
    detector.choose("#spec", "Shapes v1")
    detector.wait_for_text("#about-spec [role=alert]", "cannot be reached")
    detector.command("Network.emulateNetworkConditions", offline=False, **conditions)
    assert detector.run("return document.getElementById('spec').selectedOptions[0].text") == DETECTOR
    assert detector.shown(".box")
    detector.choose("#spec", "Shapes v1")
    until(lambda: detector.shown(".score-row") and not detector.shown(".box"), "the other one was not asked")
    assert not detector.shown("#about-spec [role=alert]")
    assert all("ERR_INTERNET_DISCONNECTED" in complaint for complaint in detector.console())
