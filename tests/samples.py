"""Runs the samples of a document as a reader would paste them, and holds what they print against what it says.

A sample says what it prints in comments that begin with ``# →``, and in a JSON block right below it; one that says
nothing prints nothing. ``…`` stands for anything; IDs, dates and numbers with a fraction may be others; white space
does not count.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(
    r"^```(?P<language>sh|python)\n(?P<text>.*?)^```\n(?:\n```json\n(?P<answer>.*?)^```\n)?", re.M | re.S
)
PRINTED = re.compile(r"^# → (.*)$", re.M)
TOKEN = re.compile(
    r"(?P<anything>…)"
    r"|(?P<date>\d{4}-\d\d-\d\dT[\d:]+\.\d{6}Z)"
    r'|(?P<key>"(?:id|task_id|spec_id|network_id|current_version_id)":)(?P<quote>"?)\d+(?P=quote)'
    r"|(?P<number>\d+\.\d+)"
    r"|(?P<text>.)"
)
END = "--- end of the sample ---"

# Both read the paths of samples, one a line, and keep what a sample defines for those that follow.
SHELL = f'set -euo pipefail; while read -r path; do source "$path" < /dev/null; printf "\\n{END}\\n"; done'
INTERPRETER = f"""
import sys
kept = {{}}
for line in sys.stdin:
    with open(line.strip()) as file:
        exec(compile(file.read(), line.strip(), "exec"), kept)
    print("\\n{END}", flush=True)
"""


@dataclass(frozen=True)
class Sample:
    """A block of shell or Python code with the JSON block below it; ``line`` is where it starts in its document."""

    language: str
    text: str
    answer: str
    line: int

    @property
    def said(self) -> str:
        """What the sample is said to print."""
        return "\n".join([*PRINTED.findall(self.text), self.answer])


def samples_of(text: str) -> list[Sample]:
    """Return the samples of a Markdown text, in order."""
    return [
        Sample(match["language"], match["text"], match["answer"] or "", text.count("\n", 0, match.start()) + 1)
        for match in BLOCK.finditer(text)
    ]


def says(said: str, printed: str) -> bool:
    """Tell whether ``printed`` is what a document said."""
    pattern = "".join(map(_pattern_of, TOKEN.finditer(_without_space(said))))
    return re.fullmatch(pattern, _without_space(printed), re.S) is not None


def _without_space(text: str) -> str:
    return "".join(text.split())


def _pattern_of(token: re.Match[str]) -> str:
    if token["anything"]:
        return ".*"
    if token["date"]:
        return r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    if token["key"]:
        return f"{token['key']}{token['quote']}\\d+{token['quote']}"
    if token["number"]:
        return r"\d+(?:\.\d+)?(?:e-\d+)?"
    return re.escape(token["text"])


def run_samples(samples: list[Sample], folder: Path, scratch: Path, environment: Mapping[str, str]) -> None:
    """Run samples in order, with ``folder`` as the working folder; those of a language share their variables.

    Raises:
        AssertionError: if one fails or prints something else than its document says; it names the line.
    """
    with (
        _runner(["bash", "-c", SHELL], folder, scratch, environment) as shell,
        _runner([sys.executable, "-c", INTERPRETER], folder, scratch, environment) as interpreter,
    ):
        for sample in samples:
            path = scratch / f"line-{sample.line}"
            path.write_text(sample.text)
            printed = _run(interpreter if sample.language == "python" else shell, path)
            assert printed is not None, f"The sample in line {sample.line} fails:\n{(scratch / 'errors').read_text()}"
            assert says(sample.said, printed), f"The sample in line {sample.line} prints:\n{printed}"


@contextmanager
def _runner(
    command: list[str], folder: Path, scratch: Path, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[str]"]:
    with (scratch / "errors").open("a") as errors:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()


def _run(runner: "subprocess.Popen[str]", sample: Path) -> str | None:
    """Return what a sample prints, or None if it fails, which ends the runner."""
    assert runner.stdin is not None
    assert runner.stdout is not None
    print(sample, file=runner.stdin, flush=True)
    lines: list[str] = []
    for line in runner.stdout:
        if line.strip() == END:
            return "".join(lines)
        lines.append(line)
    return None
