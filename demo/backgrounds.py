"""Backgrounds for `demo.scenes` to draw shapes on: plain ones often, as people draw on plain ones first."""

import colorsys

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]  # (height, width, 3), grey levels from 0 to 255
Colour = NDArray[np.float32]  # (3,)

_WHITE = np.full(3, 255, np.float32)
_BLACK = np.zeros(3, np.float32)


def random_colour(rng: np.random.Generator) -> Colour:
    """Any colour, with pure and vivid ones more often than chance would have them."""
    choice = rng.random()
    if choice < 0.3:  # pure: every channel full or empty
        return np.asarray(rng.integers(0, 2, 3) * 255, np.float32)
    if choice < 0.55:
        vivid = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.6, 1), rng.uniform(0.5, 1))
        return np.asarray(vivid, np.float32) * 255
    if choice < 0.65:
        return np.full(3, rng.uniform(0, 255), np.float32)
    return np.asarray(rng.uniform(0, 255, 3), np.float32)


def displayable(pixels: Pixels) -> Pixels:
    """Cut levels off at black and white."""
    limited: Pixels = np.clip(pixels, 0, 255)
    return limited


def random_background(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """Paint a background of one of five families."""
    families = (_plain, _gradient, _noise, _pattern, _blobs)
    family = families[rng.choice(len(families), p=(0.5, 0.14, 0.1, 0.12, 0.14))]
    return family(width, height, rng)


def _plain(width: int, height: int, rng: np.random.Generator) -> Pixels:
    choice = rng.random()
    colour = _WHITE if choice < 0.4 else _BLACK if choice < 0.6 else random_colour(rng)
    return np.broadcast_to(colour, (height, width, 3)).astype(np.float32)


def _gradient(width: int, height: int, rng: np.random.Generator) -> Pixels:
    angle = rng.uniform(0, 2 * np.pi)
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    ramp = (np.float32(np.cos(angle)) * x[None, :] + np.float32(np.sin(angle)) * y[:, None]) / 2.83 + 0.5
    start, end = random_colour(rng), random_colour(rng)
    end = start + (end - start) * rng.uniform(0.2, 1)
    return np.asarray(start + ramp[..., None] * (end - start), np.float32)


def _noise(width: int, height: int, rng: np.random.Generator) -> Pixels:
    grain = int(rng.integers(1, 5))  # side of a grain in pixels
    small = rng.normal(0, rng.uniform(5, 30), (height // grain + 1, width // grain + 1, 3)).astype(np.float32)
    if rng.random() < 0.5:
        small[:] = small[..., :1]
    large = small.repeat(grain, axis=0).repeat(grain, axis=1)[:height, :width]
    return displayable(random_colour(rng) + large)


def _pattern(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """Stripes at any angle, or a chequered ground, in two neighbouring colours."""
    first = random_colour(rng)
    second = np.clip(first + rng.uniform(-60, 60, 3), 0, 255)
    period = rng.uniform(0.02, 0.2) * max(width, height)
    angle = rng.uniform(0, np.pi) if rng.random() < 0.7 else 0.0
    x, y = np.arange(width, dtype=np.float32)[None, :], np.arange(height, dtype=np.float32)[:, None]
    across = (np.cos(angle) * x + np.sin(angle) * y) // period
    along = (np.cos(angle) * y - np.sin(angle) * x) // period
    odd = (across if rng.random() < 0.6 else across + along) % 2 == 1
    return np.where(odd[..., None], second, first).astype(np.float32)


def _blobs(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """Soft patches of colour with a little grain, as a photograph out of focus."""
    cells = int(rng.integers(2, 9))
    base = random_colour(rng)
    coarse = np.clip(base + rng.normal(0, rng.uniform(10, 45), (cells, cells, 3)), 0, 255).astype(np.uint8)
    soft = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    grain = rng.normal(0, rng.uniform(0, 8), (height, width, 1)).astype(np.float32)
    return displayable(np.asarray(soft, np.float32) + grain)
