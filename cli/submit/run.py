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
from cli.submit.outcome import Outcome, shown
from cli.submit.progress import SubmitProgress, shown_progress
from cli.submit.seen import SeenNames
from cli.submit.sources import STANDARD_INPUT, find_images
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
    draw: Callable[[Outcome], object] | None = None


def run(client: ApiClient, plan: Plan, job: Job) -> Summary:
    """Send what is missing in the results, write what comes, and return how it went.

    Raises:
        CommandError: if it cannot begin. If it cannot go on later, the summary says so.
    """
    written = job.output != STANDARD_OUTPUT
    with ExitStack() as stack:
        seen, tally = stack.enter_context(SeenNames()), Tally()
        results = _open_results(stack, plan, job, seen, tally)
        if written:
            stack.callback(export, job.format, job.output, plan.target.outputs)
        images = (image for image in find_images(job.arguments, recursive=job.recursive) if seen.add(shown(image)))
        submission = Submission(client, plan, images)
        interrupted = stack.enter_context(_stopped_by_signals(submission))
        progress = stack.enter_context(shown_progress(tally, submission))
        if STANDARD_INPUT not in job.arguments:
            threading.Thread(target=_count, args=(job, progress), daemon=True).start()
        failure = None
        try:
            for outcome in submission.outcomes():
                if job.draw:
                    job.draw(outcome)
                results.write(outcome)
                tally.count(outcome)
        except CommandError as error:
            failure = error
    return Summary(tally, submission.retries, job.output if written else None, interrupted.is_set(), failure)


def _open_results(stack: ExitStack, plan: Plan, job: Job, seen: SeenNames, tally: Tally) -> Journal | PrintedResults:
    """Open the file of results and count what it has already as seen."""
    if job.output == STANDARD_OUTPUT:
        return PrintedResults(plan.target.name)
    journal = stack.enter_context(Journal(journal_of(job.format, job.output), plan.target.name))
    if job.retry_errors:
        journal.drop_errors()
    for result in journal.written():
        tally.already += seen.add(result["path"])
    return journal


def _count(job: Job, progress: SubmitProgress) -> None:
    """Count the images beside the run; one that is meant twice is sent once, so this may be a little too many."""
    try:
        progress.set_total(sum(1 for _ in find_images(job.arguments, recursive=job.recursive)))
    except OSError:
        return  # the run itself meets it, and tells


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
