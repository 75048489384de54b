"""Each benchmark writes its own section of the results and leaves the others as they are."""

from pathlib import Path

from benchmarks.results import write_section


def test_section_is_replaced_in_its_place(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    write_section("first", "One", "old figures", results)
    write_section("second", "Two", r"figures with \1 and \g<0>", results)
    write_section("first", "One, again", "new figures", results)
    text = results.read_text()
    assert "old figures" not in text
    assert text.index("## One, again") < text.index("new figures") < text.index("## Two")
    assert r"\1 and \g<0>" in text
    assert text.count("<!-- first -->") == text.count("<!-- second -->") == 1


def test_what_stands_outside_of_sections_stays(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    results.write_text("# Results\n\nBy hand.\n")
    write_section("first", "One", "figures", results)
    write_section("first", "One", "other figures", results)
    text = results.read_text()
    assert text.startswith("# Results\n\nBy hand.\n\n<!-- first -->\n## One\n")
    assert text.endswith("other figures\n<!-- end of first -->\n")
