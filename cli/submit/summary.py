"""What ``recoq submit`` says at its end, as a table or as JSON, and its exit status."""

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.errors import CommandError
from cli.submit.names.walk import Skipped
from cli.submit.standard_output import write_out
from cli.submit.tally import Tally

ERRORS_SHOWN = 5


class ExitStatus(IntEnum):
    """How a run ended; 1 and 2 are those of every command: it could not go on, and it was called wrongly."""

    ALL_SUCCEEDED = 0
    SOME_FAILED = 3
    INTERRUPTED = 130  # as the shell says of a command that Ctrl-C ended


@dataclass(frozen=True)
class Summary:
    """A run that is over."""

    tally: Tally
    retries: int
    output: Path | None
    interrupted: bool
    skipped: Counter[Skipped]
    failure: CommandError | None = None  # why it could not go on

    @property
    def exit_status(self) -> ExitStatus:
        """What the shell gets."""
        if self.interrupted:
            return ExitStatus.INTERRUPTED
        incomplete = self.tally.failed or self.tally.failed_already or self.skipped[Skipped.UNREADABLE]
        return ExitStatus.SOME_FAILED if incomplete else ExitStatus.ALL_SUCCEEDED

    def fields(self) -> dict[str, Any]:
        """Return the summary as JSON has it."""
        tally = self.tally
        seconds = tally.seconds
        return {
            "already_done": tally.already,
            "failed_already": tally.failed_already,
            "succeeded": tally.succeeded,
            "failed": tally.failed,
            "errors": dict(tally.errors.most_common()),
            "skipped": {str(reason): count for reason, count in self.skipped.most_common()},
            "seconds": round(seconds, 3),
            "images_per_second": round(tally.ended / seconds, 2),
            "retries": self.retries,
            "interrupted": self.interrupted,
            "error": None if self.failure is None else str(self.failure),
            "output": None if self.output is None else str(self.output),
        }

    def show(self, *, as_json: bool) -> None:
        """Print the summary: JSON on standard output, or a table on standard error."""
        if as_json:
            write_out(orjson.dumps(self.fields(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        else:
            Console(stderr=True, highlight=False).print(self._table())

    def _table(self) -> Table:
        fields = self.fields()
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        if fields["already_done"]:
            table.add_row("already done", str(fields["already_done"]))
        if fields["failed_already"]:
            table.add_row("", f"[red]{fields['failed_already']}[/] of them failed; --retry-errors sends them again")
        table.add_row("succeeded", f"[green]{fields['succeeded']}[/]")
        table.add_row("failed", f"[red]{fields['failed']}[/]" if fields["failed"] else "0")
        for sentence, count in self.tally.errors.most_common(ERRORS_SHOWN):
            table.add_row("", f"{count} × {escape(sentence)}")
        for reason, count in self.skipped.most_common():
            table.add_row("skipped", f"{count} × {reason}")
        table.add_row("time", f"{fields['seconds']:.1f} s, {fields['images_per_second']:.1f} images/s")
        if self.retries:
            table.add_row("tried again", str(self.retries))
        if self.interrupted or self.failure:
            table.add_row("not finished", "run the same command again to go on")
        if self.output is not None:
            table.add_row("results", escape(str(self.output)))
        return table
