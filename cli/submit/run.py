"""One run of ``recoq submit``, from the arguments to the summary."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cli.api_client import ApiClient
from cli.errors import CommandError
from cli.submit.exports import Format, export, journal_of
from cli.submit.journal import STANDARD_OUTPUT, Journal, PrintedResults
from cli.submit.names.feed import Feed
from cli.submit.names.seen import Seen, SeenNames
from cli.submit.names.sources import STANDARD_INPUT, find_images
from cli.submit.names.walk import Skipped, Walk
from cli.submit.outcome import ERROR, NotDrawn, Outcome, shown
from cli.submit.progress import SubmitProgress, shown_progress
from cli.submit.submission import Plan, Submission
from cli.submit.summary import Summary
from cli.submit.tally import Tally


@dataclass(frozen=True)
class Job:
    """Which images, and where the results go."""

    arguments: tuple[str, ...]
    recursive: bool
    output: Path
    format: Format
    retry_errors: bool
    null: bool = False
    draw: Callable[[Outcome], object] | None = None


def run(client: ApiClient, plan: Plan, job: Job) -> Summary:
    """Send what is missing in the results, write what comes, and return how it went.

    Raises:
        CommandError: if it cannot begin. If it cannot go on later, the summary says so.
    """
    written = job.output != STANDARD_OUTPUT
    with ExitStack() as stack:
        seen, tally = stack.enter_context(SeenNames()), Tally()
        results = _open_results(stack, plan, job, seen)
        if written:
            stack.callback(export, job.format, job.output, plan.target.outputs)
        walk = Walk(job.null)
        names = _new(find_images(job.arguments, recursive=job.recursive, walk=walk), seen, tally, walk)
        reads_input = STANDARD_INPUT in job.arguments
        feed = Feed(names, walk, silence_seconds=None) if reads_input else Feed(names, walk)
        submission = Submission(client, plan, feed)
        interrupted = stack.enter_context(_stopped_by_signals(submission))
        progress = stack.enter_context(shown_progress(tally, submission))
        if not reads_input:
            threading.Thread(target=_count, args=(job, progress), daemon=True).start()
        failure = None
        try:
            for outcome in submission.outcomes():
                _draw(job, outcome, walk)
                results.write(outcome)
                tally.count(outcome)
            if not walk.found and not interrupted.is_set():
                raise CommandError("Standard input named no images.")  # what else there is was looked at before
        except CommandError as error:
            failure = error
    output = job.output if written else None
    return Summary(tally, submission.retries, output, interrupted.is_set(), walk.skipped, failure)


def _draw(job: Job, outcome: Outcome, walk: Walk) -> None:
    if job.draw:
        try:
            job.draw(outcome)
        except NotDrawn:
            walk.skip(Skipped.NOT_DRAWN)


def _new(names: Iterator[str], seen: SeenNames, tally: Tally, walk: Walk) -> Iterator[str]:
    """Yield the names that have no result yet, and count the others."""
    for name in names:
        before = seen.meet(shown(name))
        if before is None:
            yield name
        elif before is Seen.IN_THIS_RUN:
            walk.skip(Skipped.TWICE)
        else:
            tally.already += 1
            tally.failed_already += before is Seen.FAILED


def _open_results(stack: ExitStack, plan: Plan, job: Job, seen: SeenNames) -> Journal | PrintedResults:
    """Open the file of results and remember what it has already."""
    if job.output == STANDARD_OUTPUT:
        return PrintedResults(plan.target.name)
    journal = stack.enter_context(Journal(journal_of(job.format, job.output), plan.target.name))
    if job.retry_errors:
        journal.drop_errors()
    for result in journal.written():
        seen.add(result["path"], Seen.FAILED if result["status"] == ERROR else Seen.SUCCEEDED)
    return journal


def _count(job: Job, progress: SubmitProgress) -> None:
    """Count the images beside the run; one that is meant twice is sent once, so this may be a little too many."""
    try:
        progress.set_total(sum(1 for _ in find_images(job.arguments, recursive=job.recursive, walk=Walk(job.null))))
    except (OSError, CommandError):
        return  # the run itself meets it, and reports it


@contextmanager
def _stopped_by_signals(submission: Submission) -> Iterator[threading.Event]:
    """Let Ctrl-C and SIGTERM stop the submission, and a second one end it at once; the event tells whether they did."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()
        submission.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
