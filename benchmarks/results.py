"""``benchmarks/RESULTS.md``: one section for each benchmark, which writes its own and leaves the others as they are."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = """# Results

Client, API, Redis and worker share the machine with each other. Absolute figures depend on the machine, so ratios
within one run are what counts. `make bench` writes all sections, `python -m benchmarks NAME` the one of that name.
"""


def machine() -> str:
    """Return when and on what something was measured."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), {device}, "
        f"torch {torch.__version__}, Python {platform.python_version()}."
    )


def write_section(name: str, title: str, body: str, results: Path = RESULTS) -> None:
    """Write the section ``name``, in the place of what it was before, or at the end."""
    text = results.read_text() if results.exists() else HEAD
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{begin}\n## {title}\n\n{machine()}\n\n{body.strip()}\n{end}"
    existing = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not existing.search(text):
        text = f"{text.rstrip()}\n\n{begin}{end}\n"
    results.write_text(existing.sub(lambda _: section, text))
