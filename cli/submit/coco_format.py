"""Writes results as COCO annotations: boxes in pixels, each with its score, in the file format of detection tools."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from cli.errors import CommandError

Json = dict[str, Any]

BEGINNING = b'{"info": {"description": "Predicted by Recoq"}'
BOXES = "BBOX"


def check_boxes(spec_outputs: Sequence[Json]) -> None:
    """Raise ``CommandError`` if the specification has nothing that COCO can say."""
    if not list(_categories(spec_outputs)):
        raise CommandError("This specification has no boxes, which --format coco is about; use --format csv.")


def write_coco(read: Callable[[], Iterable[Json]], path: Path, spec_outputs: Sequence[Json]) -> None:
    """Write to ``path`` what ``read`` gives, which is asked for twice so that nothing has to be held.

    Images that ended in an error are left out. A label's category is its ID, plus as much for each output before its
    own as keeps the labels of outputs apart.

    Raises:
        CommandError: if a result has no size.
    """
    with path.open("wb") as file:
        file.write(BEGINNING + b',\n"images": ')
        _write_array(file, _images(read()))
        file.write(b',\n"annotations": ')
        _write_array(file, _annotations(read(), _offsets(spec_outputs)))
        file.write(b',\n"categories": ')
        _write_array(file, _categories(spec_outputs))
        file.write(b"}\n")


def _write_array(file: BinaryIO, values: Iterable[Json]) -> None:
    separator = b"[\n"
    for value in values:
        file.write(separator + orjson.dumps(value))
        separator = b",\n"
    file.write(b"[]" if separator == b"[\n" else b"\n]")


def _successes(results: Iterable[Json]) -> Iterator[tuple[int, Json]]:
    return enumerate((result for result in results if result["outputs"] is not None), 1)


def _images(results: Iterable[Json]) -> Iterator[Json]:
    for image_id, result in _successes(results):
        width, height = _size(result)
        yield {"id": image_id, "file_name": result["path"], "width": width, "height": height}


def _annotations(results: Iterable[Json], offsets: Sequence[int]) -> Iterator[Json]:
    annotation_id = 0
    for image_id, result in _successes(results):
        for offset, output in zip(offsets, result["outputs"], strict=True):
            for prediction in output["labels"]["predicted"]:
                if "roi" in prediction:
                    annotation_id += 1
                    box = _pixels(prediction["roi"]["bbox"], _size(result))
                    yield {
                        "id": annotation_id,
                        "image_id": image_id,
                        "category_id": prediction["label_id"] + offset,
                        "bbox": box,
                        "area": box[2] * box[3],
                        "iscrowd": 0,
                        "score": prediction["score"],
                    }


def _size(result: Json) -> tuple[int, int]:
    try:
        return result["width"], result["height"]
    except KeyError as error:
        raise CommandError(
            f"The results have no size of {result['path']}: start anew, with another --output."
        ) from error


def _pixels(box: Json, size: tuple[int, int]) -> list[float]:
    """Return ``[x, y, width, height]`` in pixels of a normalised box."""
    width, height = size
    left, top = box["xmin"] * width, box["ymin"] * height
    return [round(value, 2) for value in (left, top, box["xmax"] * width - left, box["ymax"] * height - top)]


def _offsets(spec_outputs: Sequence[Json]) -> list[int]:
    offsets, next_offset = [], 0
    for output in spec_outputs:
        offsets.append(next_offset)
        if output["labels"]["roi"] == BOXES:
            next_offset += max(label["id"] for label in output["labels"]["labels"]) + 1
    return offsets


def _categories(spec_outputs: Sequence[Json]) -> Iterator[Json]:
    for offset, output in zip(_offsets(spec_outputs), spec_outputs, strict=True):
        if output["labels"]["roi"] == BOXES:
            for label in output["labels"]["labels"]:
                yield {"id": label["id"] + offset, "name": label["name"], "supercategory": ""}
