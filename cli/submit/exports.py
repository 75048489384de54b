"""Turns the lines of JSON that a run writes into the file that was asked for, when the run is over."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from cli.errors import CommandError
from cli.submit.coco_format import check_boxes, write_coco
from cli.submit.csv_format import write_csv
from cli.submit.journal import STANDARD_OUTPUT, read_results

Json = dict[str, Any]
Reader = Callable[[], Iterable[Json]]


class Format(StrEnum):
    """What the results are written as."""

    JSONL = "jsonl"
    CSV = "csv"
    COCO = "coco"


WRITERS: dict[Format, Callable[[Reader, Path, Sequence[Json]], None]] = {
    Format.CSV: write_csv,
    Format.COCO: write_coco,
}


def check_format(wanted: Format, output: Path, spec_outputs: Sequence[Json]) -> None:
    """Raise ``CommandError`` if results cannot be written so, before any image is sent."""
    if wanted is not Format.JSONL and output == STANDARD_OUTPUT:
        raise CommandError(f"--format {wanted} needs a file: name one with --output.")
    if wanted is Format.COCO:
        check_boxes(spec_outputs)


def journal_of(wanted: Format, output: Path) -> Path:
    """Return the file that gets the lines of JSON: the output itself, or one beside it that the output is made from."""
    return output if wanted is Format.JSONL else output.with_name(output.name + ".jsonl")


def export(wanted: Format, output: Path, spec_outputs: Sequence[Json]) -> None:
    """Make ``output`` from its journal, in one step: whoever looks meanwhile sees the file of before."""
    write = WRITERS.get(wanted)
    if write is None:
        return
    unfinished = output.with_name(output.name + ".new")
    write(partial(read_results, journal_of(wanted, output)), unfinished, spec_outputs)
    unfinished.replace(output)
