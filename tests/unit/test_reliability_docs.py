"""The page about reliability promises nothing without a test that is there."""

from pathlib import Path

from tests.named_tests import missing_tests, named_tests

PAGE = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text()


def test_every_promise_names_tests_that_are_there() -> None:
    table = PAGE.split("## What is promised, and what tests it")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 15
    assert [row for row in rows if not named_tests(row)] == []
    assert missing_tests(PAGE) == []
