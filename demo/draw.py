"""Draws a sample image to send to the demo models: `python -m demo.draw circle.png --shape circle`."""

from pathlib import Path

import click
from PIL import Image

from demo import LABELS
from demo.scenes import SceneOptions, draw_scene


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--seed", default=0, show_default=True, help="The same seed draws the same image.")
@click.option("--shape", type=click.Choice(LABELS), help="Draw this shape only.  [default: any]")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 6), help="Shapes, at most.")
@click.option("--side", default=480, show_default=True, type=click.IntRange(64, 1024), help="Longer side, pixels.")
def draw(file: Path, seed: int, shape: str | None, count: int, side: int) -> None:
    """Draw shapes into FILE (.png or .jpg), and print what is there to find."""
    largest = 0.95 if count == 1 else 0.8
    options = SceneOptions(count, count, 0.25, largest, shape, side, side)
    scene = draw_scene(seed, options)
    Image.fromarray(scene.pixels).save(file)
    for drawn in scene.shapes:
        click.echo(f"{LABELS[drawn.label]} at {drawn.box} of {scene.pixels.shape[1]}x{scene.pixels.shape[0]}")


if __name__ == "__main__":
    draw()
