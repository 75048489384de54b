"""Writes wheels.txt: the files that pip takes for constraints.txt on every Python and platform that Recoq is for.

``make wheels`` runs it, with access to the package index. tests/unit/test_wheels.py then finds, without network, what
would have to be compiled where, so that no release is pinned that a machine without a compiler cannot install.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64", "aarch64")
GLIBC_MINORS = (5, 12, 17, 24, 26, 27, 28)  # 2.28 is what the bundled server needs
HEAD = "# The files that pip takes for constraints.txt, on all Pythons and Linux machines. Written by `make wheels`.\n"


def files_for(python: str, machine: str, folder: Path) -> set[str]:
    """Return the names of the files that pip would install on this Python and machine; an sdist where no wheel fits."""
    report = folder / f"{python}-{machine}.json"
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS]
    platforms += [f"{legacy}_{machine}" for legacy in ("manylinux1", "manylinux2010", "manylinux2014", "linux")]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps"]
    command += ["--prefer-binary", "--target", str(folder / "nowhere"), "--report", str(report)]
    command += ["--python-version", python, "--implementation", "cp"]
    command += [part for platform in platforms for part in ("--platform", platform)]
    subprocess.run([*command, "-r", str(ROOT / "constraints.txt")], check=True)
    urls = [each["download_info"]["url"] for each in json.loads(report.read_text())["install"]]
    return {url.rpartition("/")[2] for url in urls}


def main() -> None:
    """Ask pip and write the file."""
    with tempfile.TemporaryDirectory() as folder:
        found = {
            file for python in PYTHONS for machine in MACHINES for file in files_for(python, machine, Path(folder))
        }
    (ROOT / "wheels.txt").write_text(HEAD + "".join(f"{file}\n" for file in sorted(found, key=str.lower)))


if __name__ == "__main__":
    main()
