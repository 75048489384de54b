"""``python -m tests.unit.workers.sandbox.unguarded``: loads and runs networks whose guards have been switched off.

Standard input names the profile that it is confined by, and the folder with the networks' folders; standard output says
how each of them went.
"""

# ruff: noqa: PLC0415 - torch is imported once the process is confined

import json
import sys
from pathlib import Path

from config.sandbox_mode import SandboxMode
from tests.unit.workers.sandbox.attempts import confinement
from workers.sandbox.confinement import confine


def main() -> None:
    order = json.load(sys.stdin)
    confine(confinement(order), SandboxMode(order["mode"]))
    from inference import loader
    from inference.guards.exported import program
    from workers.trial import reason_against

    loader.check_script = lambda path: None
    program.check_program_json = lambda description: None
    for folder in sorted(Path(order["weights"]).iterdir()):
        print(f"{folder.name}: {reason_against(folder, order['preprocessing'], [], 'cpu') or 'It ran.'}", flush=True)


if __name__ == "__main__":
    main()
