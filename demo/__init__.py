"""Small models that answer right out of the box, and the scripts that made them.

The command line publishes the folders named here; it must be able to import this package without torch,
so nothing heavier than `pathlib` may be imported at this level.
"""

from pathlib import Path

MODELS_FOLDER = Path(__file__).parent / "models"
IMAGES_FOLDER = Path(__file__).parent / "images"  # small samples, drawn by `python -m demo.draw`
DEMO_MODELS = ("shapes-v1", "shapes-detector-v1")
LABELS = ("circle", "square", "triangle", "star")  # a label's ID is its place
