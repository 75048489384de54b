"""The file of results: one line of JSON for each image, written when the image has ended.

A line is written whole, so whatever ends the process leaves a file from which the next run goes on: it reads which
images are there, and cuts off what a power failure may have left of a last line.
"""

import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from cli.errors import CommandError
from cli.submit.outcome import ERROR, Outcome

STANDARD_OUTPUT = Path("-")
CHUNK_BYTES = 64 * 1024


class Journal:
    """The results of one specification in the file at ``path``, locked against a second writer."""

    def __init__(self, path: Path, spec: str) -> None:
        if path.exists() and not path.is_file():
            raise CommandError(f"{path} is no file that results can be written to.")
        self.path = path
        self._spec = spec
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise CommandError(f"{path} is being written by another recoq submit.") from error
        self._cut_torn_line()

    def written(self) -> Iterator[dict[str, Any]]:
        """Yield what stands in the file.

        Raises:
            CommandError: if that is not the results of this specification.
        """
        for number, result in enumerate(read_results(self.path), 1):
            if result["spec"] != self._spec:
                raise CommandError(
                    f"{self.path} holds results of {result['spec']} (line {number}), and these are of {self._spec}. "
                    "Choose another file."
                )
            yield result

    def drop_errors(self) -> None:
        """Remove the lines of images that ended in an error, so that they count as missing."""
        kept = self.path.with_name(self.path.name + ".new")
        with kept.open("wb") as file:
            for result in self.written():
                if result["status"] != ERROR:
                    file.write(orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE))
            file.flush()
            os.fsync(file.fileno())
        replacement = os.open(kept, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        fcntl.flock(replacement, fcntl.LOCK_EX | fcntl.LOCK_NB)
        kept.replace(self.path)
        os.close(self._file)
        self._file = replacement

    def write(self, outcome: Outcome) -> None:
        """Add the line of one image, or nothing."""
        end = os.fstat(self._file).st_size
        try:
            _write_all(self._file, outcome.line(self._spec))
        except OSError as error:
            os.ftruncate(self._file, end)
            raise CommandError(f"{self.path} cannot be written: {error.strerror}.") from error

    def _cut_torn_line(self) -> None:
        end = os.fstat(self._file).st_size
        while end:
            start = max(0, end - CHUNK_BYTES)
            newline = os.pread(self._file, end - start, start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        os.ftruncate(self._file, end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)


class PrintedResults:
    """Results on standard output, which cannot be gone on with."""

    def __init__(self, spec: str) -> None:
        self._spec = spec

    def write(self, outcome: Outcome) -> None:
        """Print the line of one image."""
        sys.stdout.buffer.write(outcome.line(self._spec))
        sys.stdout.buffer.flush()


def read_results(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the results in the file at ``path``.

    Raises:
        CommandError: if it has a line that is none.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                result = orjson.loads(line)
            except orjson.JSONDecodeError:
                result = None
            if not isinstance(result, dict) or not {"path", "spec", "status", "outputs"} <= result.keys():
                raise CommandError(f"Line {number} of {path} is no result of recoq submit. Choose another file.")
            yield result


def _write_all(file: int, line: bytes) -> None:
    while line:
        line = line[os.write(file, line) :]
