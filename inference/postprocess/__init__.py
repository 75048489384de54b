"""From the output tensors of a network to labels and boxes: what a version says of each output of its specification.

Used by the workers after every run. ``OutputDescription.from_json`` reads how; ``postprocess`` does it.
"""

from inference.postprocess.output import OutputDescription, postprocess

__all__ = ["OutputDescription", "postprocess"]
