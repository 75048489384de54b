"""The table of threats names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)`")


def test_every_test_that_the_table_of_threats_names_is_there() -> None:
    named = set(NAMED.findall((ROOT / "docs" / "security.md").read_text()))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_every_threat_has_a_defence() -> None:
    table = (ROOT / "docs" / "security.md").read_text().split("## Threats, defences, tests")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 20
    for threat, defence, *_ in rows:
        assert threat.strip()
        assert defence.strip(), threat
