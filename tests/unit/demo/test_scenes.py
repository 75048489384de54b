"""The generated scenes: the same for the same seed, and with exact boxes."""

import numpy as np
import pytest

from demo import LABELS
from demo.scenes import ONE_SHAPE, SEVERAL_SHAPES, SceneOptions, draw_scene
from demo.shapes import place, polygon_of, shape_mask


@pytest.mark.parametrize("options", [ONE_SHAPE, SEVERAL_SHAPES])
def test_same_seed_draws_the_same_scene(options: SceneOptions) -> None:
    first, again, other = draw_scene(7, options), draw_scene(7, options), draw_scene(8, options)
    assert np.array_equal(first.pixels, again.pixels)
    assert first.shapes == again.shapes
    assert first.pixels.shape != other.pixels.shape or not np.array_equal(first.pixels, other.pixels)


def test_a_scene_does_not_depend_on_scenes_drawn_before_it() -> None:
    alone = draw_scene(21).pixels
    for seed in range(5):
        draw_scene(seed)
    assert np.array_equal(draw_scene(21).pixels, alone)


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("line_width", [0.0, 1.0, 7.0])
@pytest.mark.parametrize("antialiased", [True, False])
def test_box_holds_every_touched_pixel_and_no_more(kind: str, line_width: float, antialiased: bool) -> None:
    rng = np.random.default_rng(3)
    points = place(polygon_of(kind, rng), 61.3, 0.4, 0.0, rng) + np.array([20.4, 33.7])
    mask = shape_mask(points, (140, 150), line_width=line_width, antialiased=antialiased)
    assert mask is not None
    xmin, ymin, xmax, ymax = mask.box
    canvas = np.zeros((150, 140))
    canvas[ymin:ymax, xmin:xmax] = mask.area
    rows, columns = np.flatnonzero(canvas.any(axis=1)), np.flatnonzero(canvas.any(axis=0))
    assert (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) == mask.box
    reach = line_width / 2
    low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
    # The corners of a line are round and its width is whole, so the drawn shape may end two pixels earlier.
    assert np.abs(np.array(mask.box) - np.concatenate([low, high])).max() < 2.5


def test_shapes_lie_within_their_scene_and_hardly_overlap() -> None:
    for seed in range(30):
        scene = draw_scene(seed, SEVERAL_SHAPES)
        height, width = scene.pixels.shape[:2]
        assert 1 <= len(scene.shapes) <= 6
        occupied = np.zeros((height, width), int)
        for shape in scene.shapes:
            xmin, ymin, xmax, ymax = shape.box
            assert 0 <= xmin < xmax <= width
            assert 0 <= ymin < ymax <= height
            occupied[ymin:ymax, xmin:xmax] += 1
        assert (occupied > 1).sum() <= 0.25 * (occupied > 0).sum()


def test_shapes_can_be_seen_against_their_background() -> None:
    for seed in range(30):
        scene = draw_scene(seed)
        xmin, ymin, xmax, ymax = scene.shapes[0].box
        region = scene.pixels[ymin:ymax, xmin:xmax].reshape(-1, 3).astype(float)
        assert np.ptp(region, axis=0).max() > 40


def test_all_labels_are_drawn() -> None:
    drawn = {shape.label for seed in range(40) for shape in draw_scene(seed, SEVERAL_SHAPES).shapes}
    assert drawn == set(range(len(LABELS)))
