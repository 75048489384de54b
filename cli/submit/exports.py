"""Turns the lines of JSON that a run writes into the file that was asked for, when the run is over."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from cli.errors import CommandError
from cli.submit.coco_format import BEGINNING as COCO_BEGINNING
from cli.submit.coco_format import check_boxes, write_coco
from cli.submit.csv_format import COLUMNS, write_csv
from cli.submit.journal import STANDARD_OUTPUT, read_results, writing
from cli.submit.names.sources import is_called_like_an_image

Json = dict[str, Any]
Reader = Callable[[], Iterable[Json]]


class Format(StrEnum):
    """What the results are written as."""

    JSONL = "jsonl"
    CSV = "csv"
    COCO = "coco"


# What files of these formats begin with, by which they are known from others.
BEGINNINGS = {Format.CSV: ",".join(COLUMNS).encode(), Format.COCO: COCO_BEGINNING}
WRITERS: dict[Format, Callable[[Reader, Path, Sequence[Json]], None]] = {
    Format.CSV: write_csv,
    Format.COCO: write_coco,
}


def check_format(wanted: Format, output: Path, spec_outputs: Sequence[Json]) -> None:
    """Raise ``CommandError`` if results cannot be written so, before any image is sent."""
    if wanted is not Format.JSONL and output == STANDARD_OUTPUT:
        raise CommandError(f"--format {wanted} needs a file: name one with --output.")
    if is_called_like_an_image(output.name):
        raise CommandError(f"{output} is called like an image. Choose another file for the results.")
    if wanted is Format.COCO:
        check_boxes(spec_outputs)
    if wanted in BEGINNINGS:
        _check_replaced(wanted, output)


def _check_replaced(wanted: Format, output: Path) -> None:
    """Check that what the output takes the place of is one that was made from the same lines."""
    if not output.exists():
        return
    if not output.is_file():
        raise CommandError(f"{output} is no file that results can be written to.")
    beginning = BEGINNINGS[wanted]
    with output.open("rb") as file:
        start = file.read(len(beginning))
    if start and start != beginning:
        raise CommandError(f"{output} holds something else than results as {wanted}. Choose another file.")
    journal = journal_of(wanted, output)
    if start and not journal.exists():
        raise CommandError(
            f"{output} holds results, but {journal}, which they were made from, is gone. Choose another file."
        )


def journal_of(wanted: Format, output: Path) -> Path:
    """Return the file that gets the lines of JSON: the output itself, or one beside it that the output is made from."""
    return output if wanted is Format.JSONL else output.with_name(output.name + ".jsonl")


def export(wanted: Format, output: Path, spec_outputs: Sequence[Json]) -> None:
    """Make ``output`` from its journal, in one step: whoever looks meanwhile sees the file of before."""
    write = WRITERS.get(wanted)
    if write is None:
        return
    unfinished = output.with_name(output.name + ".new")
    with writing(unfinished, is_temporary=True):
        write(partial(read_results, journal_of(wanted, output)), unfinished, spec_outputs)
    unfinished.replace(output)
