"""Writes results as a table: one row for each prediction, and one for an image without any."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]

BOX_COLUMNS = ("xmin", "ymin", "xmax", "ymax")
PREDICTION_COLUMNS = ("output", "label_id", "label_name", "score", "threshold", "predicted", "region_id", *BOX_COLUMNS)
COLUMNS = ("path", "status", "error", *PREDICTION_COLUMNS)


def write_csv(read: Callable[[], Iterable[Json]], path: Path, _spec_outputs: Sequence[Json]) -> None:
    """Write to ``path`` what ``read`` gives; each row names its label, so the specification is not needed."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for result in read():
            image = {name: result[name] for name in ("path", "status", "error")}
            writer.writerows({**image, **row} for row in _rows(result["outputs"] or []))


def _rows(outputs: Sequence[Json]) -> Iterator[Json]:
    empty = True
    for number, output in enumerate(outputs):
        for kind in ("predicted", "discarded"):
            for prediction in output["labels"][kind]:
                empty = False
                yield {"output": number, "predicted": int(kind == "predicted"), **_columns(prediction)}
    if empty:
        yield {}


def _columns(prediction: Json) -> Json:
    columns = {name: prediction[name] for name in ("label_id", "label_name", "score", "threshold")}
    if roi := prediction.get("roi"):
        columns |= {"region_id": roi["region_id"], **{name: roi["bbox"][name] for name in BOX_COLUMNS}}
    return columns
