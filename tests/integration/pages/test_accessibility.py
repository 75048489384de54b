"""What holds for every page: names for screen readers, contrast in light and dark, the width of a phone, and keys."""

import itertools

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.integration.pages.axe import findings
from tests.integration.pages.browser import Browser, until
from tests.integration.pages.conftest import sign_in
from tests.integration.pages.images import SHAPES, pick
from tests.service import Service

LEAST_CONTRAST = 4.5  # WCAG 2.2, level AA, for text of any size
CONTROLS = {"button", "link", "textbox", "combobox", "checkbox", "radio", "slider", "spinbutton", "tab", "image", "img"}

# Texts are compared with the background that is painted below them; what lies on an image or is disabled is left out.
CONTRASTS = """
const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
function over(below, colour) {
  context.fillStyle = `rgb(${below})`; context.fillRect(0, 0, 1, 1);
  context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}
function ground(node) {
  const layers = [];
  for (let each = node; each; each = each.parentElement) layers.push(getComputedStyle(each).backgroundColor);
  return layers.reverse().reduce(over, [255, 255, 255]);
}
function luminance(rgb) {
  const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  const isSkipped = node.closest(":disabled, .boxes, .visually-hidden");
  if (!walker.currentNode.data.trim() || !node.checkVisibility() || isSkipped) continue;
  const below = ground(node);
  const pair = [luminance(below), luminance(over(below, getComputedStyle(node).color))].sort((a, b) => b - a);
  found.push([(pair[0] + 0.05) / (pair[1] + 0.05), node.textContent.trim().slice(0, 40)]);
}
return found;
"""

PAGES = {"/": ".score-row", "/upload": "#target option", "/ops": "#workers tbody"}


def show(browser: Browser, service: Service, path: str) -> None:
    """Show a page with content on it."""
    sign_in(browser, service.url, service.key)
    if path == "/":
        browser.choose("#spec", "Shapes detector v1")
        browser.wait_for_text("#about-spec", "boxes")
        pick(browser, SHAPES)
    else:
        browser.driver.get(service.url + path)
    until(lambda: browser.all(PAGES[path]), f"{path} has no {PAGES[path]}")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_can_be_read_in_light_and_dark(browser: Browser, service: Service, path: str, theme: str) -> None:
    if theme == "dark":
        browser.be_dark()
    show(browser, service, path)
    contrasts = browser.run(CONTRASTS)
    assert len(contrasts) > 20
    assert [pair for pair in contrasts if pair[0] < LEAST_CONTRAST] == []


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_in_light_and_dark_and_on_a_phone(browser: Browser, service: Service, path: str) -> None:
    show(browser, service, path)
    # While one box is pointed at, the labels of the others fade.
    ActionChains(browser.driver).move_to_element(browser.one("#top")).perform()
    for theme in ("light", "dark"):
        browser.prefer(color_scheme=theme, reduced_motion="reduce")  # colours on their way to others are no finding
        assert findings(browser) == []
    browser.be_a_phone()
    assert findings(browser) == []


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_before_signing_in(browser: Browser, service: Service, path: str) -> None:
    browser.driver.get(service.url + path)
    browser.one("#key")
    assert findings(browser) == []


def test_axe_finds_nothing_in_what_is_to_be_copied(signed_in: Browser) -> None:
    pick(signed_in, SHAPES)
    signed_in.one(".score-row")
    signed_in.press("JSON")
    signed_in.one(".code pre")
    assert findings(signed_in) == []


@pytest.mark.parametrize("path", PAGES)
def test_every_control_and_image_has_a_name(browser: Browser, service: Service, path: str) -> None:
    show(browser, service, path)
    browser.command("Accessibility.enable")
    nodes = browser.command("Accessibility.getFullAXTree")["nodes"]
    browser.command("Accessibility.disable")
    controls = [node for node in nodes if not node["ignored"] and node["role"]["value"].lower() in CONTROLS]
    assert len(controls) > 5
    assert [node["role"]["value"] for node in controls if not node.get("name", {}).get("value", "").strip()] == []


@pytest.mark.parametrize("path", PAGES)
def test_headings_go_down_step_by_step_from_the_only_first_one(browser: Browser, service: Service, path: str) -> None:
    show(browser, service, path)
    levels = browser.run(
        "return [...document.querySelectorAll('h1, h2, h3, h4')].filter((each) => each.checkVisibility()"
        ").map(({ tagName }) => Number(tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    assert browser.run("return [...document.querySelectorAll('th')].filter((each) => !each.textContent)") == []


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_needs_no_sideways_scrolling(browser: Browser, service: Service, path: str) -> None:
    browser.be_a_phone()
    show(browser, service, path)
    width, seen = browser.run("return [document.scrollingElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= seen == 390


def test_the_keyboard_alone_brings_an_answer(signed_in: Browser) -> None:
    def press(*keys: str) -> None:
        signed_in.driver.switch_to.active_element.send_keys(*keys)

    def focus_on(wanted: str) -> None:
        for _ in range(40):
            if signed_in.run("return document.activeElement.id || document.activeElement.textContent.trim()") == wanted:
                return
            press(Keys.TAB)
        raise AssertionError(f"the tabulator does not reach {wanted}")

    focus_on("spec")
    focus_on("sample")
    press(Keys.ENTER)
    signed_in.one(".score-row")
    focus_on("threshold")
    press(Keys.ARROW_RIGHT)
    assert signed_in.text("#threshold-value") == "0.51"
    focus_on("Scores")
    press(Keys.ARROW_RIGHT)
    signed_in.wait_for_text(".code pre", '"status"')
