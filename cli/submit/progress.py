"""The progress bar of ``recoq submit``: how many, how fast, how long still, and what went wrong."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn

from cli.submit.submission import Submission
from cli.submit.tally import Tally

REFRESHES_PER_SECOND = 5


class SubmitProgress:
    """Shows a tally on a terminal, and nothing elsewhere."""

    def __init__(self, progress: Progress, task: TaskID, tally: Tally, submission: Submission) -> None:
        self._progress = progress
        self._task = task
        self._tally = tally
        self._submission = submission
        self._total: int | None = None

    def set_total(self, total: int) -> None:
        """Tell how many images there are, once they have been counted."""
        self._total = total

    def refresh(self) -> None:
        """Show the tally as it is now."""
        tally = self._tally
        done, rate = tally.already + tally.ended, tally.images_per_second()
        parts = [f"{rate:.1f}/s"]
        if self._total is not None and rate:
            parts.append(f"{timedelta(seconds=round((self._total - done) / rate))} left")
        parts.append(f"[green]{tally.succeeded} ok[/]")
        parts.append(f"[red]{tally.failed} failed[/]" if tally.failed else "0 failed")
        if self._submission.trouble:
            parts.append(f"[yellow]trying again: {escape(self._submission.trouble)}[/]")
        self._progress.update(self._task, completed=done, total=self._total, description="  ".join(parts))


@contextmanager
def shown_progress(tally: Tally, submission: Submission) -> Iterator[SubmitProgress]:
    """Show the progress on standard error while the block runs."""
    console = Console(stderr=True)
    progress = Progress(
        SpinnerColumn(),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        console=console,
        disable=not console.is_terminal,
        auto_refresh=False,
    )
    with progress:
        shown = SubmitProgress(progress, progress.add_task("", total=None), tally, submission)
        over = threading.Event()

        def keep_fresh() -> None:
            while not over.wait(1 / REFRESHES_PER_SECOND):
                shown.refresh()
                progress.refresh()

        refresher = threading.Thread(target=keep_fresh, name="progress", daemon=True)
        refresher.start()
        try:
            yield shown
        finally:
            over.set()
            refresher.join()
            shown.refresh()
            progress.refresh()
