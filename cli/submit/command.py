"""The command ``recoq submit`` and its options."""

import contextlib
from dataclasses import replace
from pathlib import Path

import click
import httpx

from cli.client_config import ServiceAddress, address_options
from cli.errors import CommandError
from cli.submit.bounded import bounded
from cli.submit.exports import Format, check_format
from cli.submit.journal import STANDARD_OUTPUT
from cli.submit.names.sources import STANDARD_INPUT, check_arguments, check_drawings
from cli.submit.requests import find_target
from cli.submit.run import Job, run
from cli.submit.submission import Plan

TIMEOUT = httpx.Timeout(30.0, read=60.0)


@click.command(short_help="Send many images and write what is recognised in each.")
@click.argument("spec", metavar="SPEC_OR_SLUG")
@click.argument("images", metavar="IMAGES...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=STANDARD_OUTPUT,
    help="Where the results go; what is in it already is not sent again.  [default: standard output]",
)
@click.option(
    "--format",
    "wanted",
    type=click.Choice([each.value for each in Format]),
    default=Format.JSONL.value,
    callback=lambda _context, _option, value: Format(value),
    show_default=True,
    help="What the results are written as.",
)
@click.option(
    "--draw",
    "drawings",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Also write the images into this folder, with their labels and boxes.",
)
@click.option("-r", "--recursive", is_flag=True, help="Also take the images in folders of folders.")
@click.option("-0", "--null", is_flag=True, help="Names in lists end with NUL, as find -print0 writes them.")
@click.option("--version", type=int, metavar="ID", help="Use this version rather than the current one.")
@click.option("--show-discarded", is_flag=True, help="Also write what did not pass its threshold.")
@click.option("--max-predictions", type=click.IntRange(min=1), metavar="N", help="Bound on the objects of one image.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1, max=10_000),
    default=64,
    show_default=True,
    metavar="N",
    help="How many images may be under way at once.",
)
@click.option(
    "--priority",
    type=click.Choice(["high", "normal", "low"]),
    help="low lets other work go first, without ever being starved.",
)
@click.option("--retry-errors", is_flag=True, help="Send images again that ended in an error in an earlier run.")
@click.option(
    "--patience",
    "patience_seconds",
    type=click.FloatRange(min=0),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to try again while the service is away.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the closing summary as JSON on standard output.")
@address_options
@click.pass_context
def submit(
    context: click.Context,
    *,
    spec: str,
    images: tuple[str, ...],
    output: Path,
    wanted: Format,
    drawings: Path | None,
    version: int | None,
    max_predictions: int | None,
    concurrency: int,
    priority: str | None,
    patience_seconds: float,
    address: ServiceAddress,
    recursive: bool,
    null: bool,
    show_discarded: bool,
    retry_errors: bool,
    as_json: bool,
) -> None:
    """Send IMAGES to a specification, named by its ID or public slug, and write what is recognised in each.

    Results are lines of JSON, written as they come; with --format csv or coco a file is made from them at the end.

    IMAGES are files, folders, patterns such as 'photos/*.jpg', URLs, text files (.txt) with one path or URL a line,
    or - for such lines on standard input. Names in lists are relative to the folder where the command runs.

    Run the same command again to go on after Ctrl-C, a power failure or new images: only what is missing in the
    output is sent. The exit status is 0 if all images succeeded, 3 if some ended in an error, now or in an earlier run
    into the same output, 130 after Ctrl-C, and 1 if there were no images or the run could not go on.

    Example:  recoq submit shapes-v1 photos/ --recursive -o results.jsonl
    """
    if as_json and output == STANDARD_OUTPUT:
        raise click.UsageError("--json prints the summary where the results go; give the results a file with --output.")
    bounded(lambda: check_arguments(images, recursive=recursive, null=null), seconds=None)
    if drawings is not None:
        check_drawings(drawings, images)
    options = {"show_discarded": show_discarded or None, "max_predictions": max_predictions, "priority": priority}
    arguments = {name: value for name, value in options.items() if value is not None}
    with contextlib.closing(address.connect(TIMEOUT)) as client:
        target = find_target(client, spec, version)
        check_format(wanted, output, target.outputs)
        plan, job = (
            Plan(target, arguments, concurrency, patience_seconds, one_by_one=STANDARD_INPUT in images),
            Job(images, recursive, output, wanted, retry_errors, null),
        )
        if drawings is not None or wanted is Format.COCO:
            plan, job = _looking_at_images(plan, job, drawings)
        summary = run(client, plan, job)
    summary.show(as_json=as_json)
    if summary.failure:
        raise summary.failure
    context.exit(summary.exit_status)


def _looking_at_images(plan: Plan, job: Job, drawings: Path | None) -> tuple[Plan, Job]:
    """Return plan and job with what measures images, and draws into the folder ``drawings`` if that is given."""
    try:
        from cli.submit.pictures import draw_outcome, size_of  # noqa: PLC0415 - Pillow is optional
    except ImportError as error:
        raise CommandError("This needs Pillow: pip install 'recoq[draw]'.") from error
    plan = replace(plan, measure=size_of, keep_files=drawings is not None)
    return plan, job if drawings is None else replace(job, draw=lambda outcome: draw_outcome(outcome, drawings))
