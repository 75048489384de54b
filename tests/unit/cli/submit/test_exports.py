"""Results as CSV and as COCO annotations."""

import csv
import json
from pathlib import Path

import orjson
import pytest

from cli.errors import CommandError
from cli.submit.exports import Format, check_format, export, journal_of
from tests.unit.cli.submit.samples import Json, box, failure, output, spec_output, success, tag

SPEC = [spec_output("BBOX", (1, "dog"), (4, "cat")), spec_output("NONE", (0, "day")), spec_output("BBOX", (0, "sign"))]
DOG = box(1, "dog", 0.9, (0.1, 0.2, 0.5, 0.6))
CAT = box(4, "cat", 0.3, (0.0, 0.0, 1.0, 0.5), region=2)
SIGN = box(0, "sign", 0.8, (0.25, 0.25, 0.5, 0.5))
RESULTS = [
    success("a.jpg", output(DOG, discarded=(CAT,)), output(tag(0, "day", 0.7)), output(SIGN), size=(200, 100)),
    failure("b, c.jpg", 'He said "no".'),
    success("d.jpg", output(), output(), output(), size=(10, 20)),
]


def exported(path: Path, wanted: Format, results: list[Json], spec: list[Json] = SPEC) -> Path:
    journal_of(wanted, path).write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in results))
    export(wanted, path, spec)
    return path


def test_csv_has_a_row_for_each_prediction_and_one_for_an_image_without(tmp_path: Path) -> None:
    with exported(tmp_path / "out.csv", Format.CSV, RESULTS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["output"], row["label_name"], row["predicted"]) for row in rows] == [
        ("a.jpg", "0", "dog", "1"),
        ("a.jpg", "0", "cat", "0"),
        ("a.jpg", "1", "day", "1"),
        ("a.jpg", "2", "sign", "1"),
        ("b, c.jpg", "", "", ""),
        ("d.jpg", "", "", ""),
    ]
    assert rows[1] == {
        "path": "a.jpg",
        "status": "success",
        "error": "",
        "output": "0",
        "label_id": "4",
        "label_name": "cat",
        "score": "0.3",
        "threshold": "0.5",
        "predicted": "0",
        "region_id": "2",
        "xmin": "0.0",
        "ymin": "0.0",
        "xmax": "1.0",
        "ymax": "0.5",
    }
    assert (rows[2]["region_id"], rows[2]["xmin"]) == ("", "")
    assert (rows[4]["status"], rows[4]["error"]) == ("error", 'He said "no".')


def test_coco_has_boxes_in_pixels_and_categories_that_are_apart(tmp_path: Path) -> None:
    coco = json.loads(exported(tmp_path / "out.json", Format.COCO, RESULTS).read_text())
    assert coco["images"] == [
        {"id": 1, "file_name": "a.jpg", "width": 200, "height": 100},
        {"id": 2, "file_name": "d.jpg", "width": 10, "height": 20},
    ]
    dog, sign = coco["annotations"]
    assert (dog["id"], dog["image_id"], dog["category_id"], dog["score"], dog["iscrowd"]) == (1, 1, 1, 0.9, 0)
    assert dog["bbox"] == pytest.approx([20, 20, 80, 40])
    assert dog["area"] == pytest.approx(3200)
    assert (sign["id"], sign["category_id"], sign["bbox"]) == (2, 5, [50.0, 25.0, 50.0, 25.0])
    names = {category["id"]: category["name"] for category in coco["categories"]}
    assert names == {1: "dog", 4: "cat", 5: "sign"}


def test_coco_of_nothing_is_valid(tmp_path: Path) -> None:
    coco = json.loads(exported(tmp_path / "out.json", Format.COCO, []).read_text())
    assert (coco["images"], coco["annotations"]) == ([], [])


def test_coco_needs_sizes_and_boxes(tmp_path: Path) -> None:
    without_size = success("a.jpg", output(DOG), output(), output())
    with pytest.raises(CommandError, match=r"no size of a\.jpg"):
        exported(tmp_path / "out.json", Format.COCO, [without_size])
    with pytest.raises(CommandError, match="has no boxes"):
        check_format(Format.COCO, tmp_path, [spec_output("NONE", (0, "day"))])


def test_lines_of_json_are_the_output_itself(tmp_path: Path) -> None:
    assert journal_of(Format.JSONL, tmp_path / "out.jsonl") == tmp_path / "out.jsonl"
    exported(tmp_path / "out.jsonl", Format.JSONL, RESULTS)
    assert [each.name for each in tmp_path.iterdir()] == ["out.jsonl"]


def test_formats_that_are_made_at_the_end_need_a_file() -> None:
    check_format(Format.JSONL, Path("-"), SPEC)
    with pytest.raises(CommandError, match="--format csv needs a file"):
        check_format(Format.CSV, Path("-"), SPEC)


@pytest.mark.parametrize("wanted", [Format.CSV, Format.COCO])
def test_output_takes_the_place_of_nothing_but_its_like(tmp_path: Path, wanted: Format) -> None:
    path = tmp_path / "out"
    check_format(wanted, path, SPEC)
    path.touch()
    check_format(wanted, path, SPEC)
    exported(path, wanted, RESULTS)
    check_format(wanted, path, SPEC)
    whole = path.read_bytes()
    journal_of(wanted, path).unlink()
    with pytest.raises(CommandError, match=r"out holds results, but .*out\.jsonl, which they were made from, is gone"):
        check_format(wanted, path, SPEC)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("wanted", [Format.CSV, Format.COCO])
def test_output_that_holds_something_else_is_refused(tmp_path: Path, wanted: Format) -> None:
    path = tmp_path / "out"
    other = Format.COCO if wanted is Format.CSV else Format.CSV
    exported(path, other, RESULTS)
    for content in (path.read_bytes(), orjson.dumps(RESULTS[0]) + b"\n", b"\xff\xd8\xff", b"x"):
        path.write_bytes(content)
        with pytest.raises(CommandError, match=f"out holds something else than results as {wanted}"):
            check_format(wanted, path, SPEC)
        assert path.read_bytes() == content


@pytest.mark.parametrize("wanted", list(Format))
def test_output_that_is_called_like_an_image_is_refused(wanted: Format) -> None:
    with pytest.raises(CommandError, match=r"a\.JPG is called like an image"):
        check_format(wanted, Path("a.JPG"), SPEC)
