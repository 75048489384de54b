"""The file of results: one line of JSON for each image, written when the image has ended.

A line is written whole, so whatever ends the process leaves a file from which the next run goes on: it reads which
images are there, and cuts off what a power failure may have left of a last line.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from cli.errors import CommandError
from cli.submit.outcome import ERROR, Outcome
from cli.submit.standard_output import check_standard_output, write_all, write_out

STANDARD_OUTPUT = Path("-")
CHUNK_BYTES = 64 * 1024
BEGINNING = b'{"path"'  # of each line
MAX_LINE_BYTES = 16 * 2**20


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
        with writing(kept, is_temporary=True), kept.open("wb") as file:
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
            write_all(self._file, outcome.line(self._spec))
        except OSError as error:
            os.ftruncate(self._file, end)
            raise CommandError(f"{self.path} cannot be written: {error.strerror}.") from error

    def _cut_torn_line(self) -> None:
        """Cut a last line that was not written whole; of a file that is something else, nothing."""
        if not _holds_results(self.path):
            return
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
        check_standard_output()
        self._spec = spec

    def write(self, outcome: Outcome) -> None:
        """Print the line of one image."""
        write_out(outcome.line(self._spec))


@contextmanager
def writing(path: Path, *, is_temporary: bool = False) -> Iterator[None]:
    """Make one sentence of what keeps the block from writing a file; what there is of a temporary one is removed then.

    Raises:
        CommandError: with that sentence.
    """
    try:
        yield
    except OSError as error:
        if is_temporary:
            path.unlink(missing_ok=True)
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from error


def read_results(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the results in the file at ``path``.

    Raises:
        CommandError: if it has a line that is none.
    """
    with path.open("rb") as lines:
        if lines.peek(1)[:1] not in (b"", BEGINNING[:1]):  # it may be one line of gigabytes
            raise _no_result(path, 1)
        for number, line in enumerate(lines, 1):
            try:
                result = orjson.loads(line)
            except orjson.JSONDecodeError:
                result = None
            if not _is_result(result):
                raise _no_result(path, number)
            yield result


def _no_result(path: Path, line: int) -> CommandError:
    return CommandError(f"Line {line} of {path} is no result of recoq submit. Choose another file.")


def _holds_results(path: Path) -> bool:
    """Tell whether a file is one of results, or of the torn beginning of one."""
    with path.open("rb") as file:
        first = file.readline(MAX_LINE_BYTES)
    try:
        return _is_result(orjson.loads(first))
    except orjson.JSONDecodeError:
        return not first.endswith(b"\n") and BEGINNING.startswith(first[: len(BEGINNING)])


def _is_result(value: object) -> bool:
    return isinstance(value, dict) and value.keys() >= {"path", "spec", "status", "outputs"}
