"""``recoq submit`` as a process against a running service: what is written, gone on with, and tried again."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from cli.submit.bulk import LARGEST_BYTES
from demo import IMAGES_FOLDER
from tests.integration.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from tests.integration.file_server import served
from tests.service import Service, service_environment

TIMEOUT_SECONDS = 120.0
SPEC = "shapes-v1"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with twelve images of shapes."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        shutil.copy(IMAGES_FOLDER / ("star.jpg" if number % 2 else "circle.jpg"), folder / f"{number:02}.jpg")
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


@pytest.fixture
def proxy(service: Service) -> Iterator[FaultyProxy]:
    with faulty_proxy(service.url) as proxy:
        yield proxy


def command(service: Service, *arguments: object, url: str | None = None, spec: str = SPEC) -> list[str]:
    options = ["--url", url or service.url, "--key", service.key]
    return [sys.executable, "-m", "cli", "submit", spec, *map(str, arguments), *options]


def submit(
    service: Service, *arguments: object, url: str | None = None, spec: str = SPEC, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(service, *arguments, url=url, spec=spec),
        env=service_environment(service.data_folder),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def results_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def label(result: dict[str, Any]) -> str:
    best: str = result["outputs"][0]["labels"]["predicted"][0]["label_name"]
    return best


def test_each_image_of_a_folder_gets_a_line_with_what_is_on_it(service: Service, images: Path, output: Path) -> None:
    ended = submit(service, images, "-o", output, "--json")
    assert ended.returncode == 0, ended.stderr
    results = results_in(output)
    assert {result["path"] for result in results} == {str(path) for path in images.iterdir()}
    assert len({result["version_id"] for result in results} - {None}) == 1
    for result in results:
        assert label(result) == ("star" if int(Path(result["path"]).stem) % 2 else "circle")
    summary = json.loads(ended.stdout)
    assert (summary["succeeded"], summary["failed"], summary["output"]) == (12, 0, str(output))


def test_next_run_sends_only_what_is_missing(service: Service, images: Path, output: Path, proxy: FaultyProxy) -> None:
    some = sorted(images.iterdir())[:5]
    assert submit(service, *some, "-o", output).returncode == 0
    first = output.read_text()
    ended = submit(service, images, *some, "-o", output, "--json", url=proxy.url)
    assert json.loads(ended.stdout)["already_done"] == 5
    assert len(proxy.task_ids) == 7
    assert output.read_text().startswith(first)
    assert len({result["path"] for result in results_in(output)}) == len(results_in(output)) == 12


def test_bad_images_get_their_error_and_the_exit_status_tells(service: Service, images: Path, output: Path) -> None:
    (images / "text.jpg").write_text("this is no image")
    (images / "empty.jpg").touch()
    (images / "gone.jpg").symlink_to(images / "nowhere")
    ended = submit(service, images, "-o", output)
    assert ended.returncode == 3
    errors = {Path(result["path"]).name: result["error"] for result in results_in(output) if result["error"]}
    assert errors.keys() == {"text.jpg", "empty.jpg", "gone.jpg"}
    assert "is empty" in errors["empty.jpg"]
    assert errors["gone.jpg"] == "The file cannot be read: No such file or directory."
    assert f"1 × {errors['text.jpg']}" in " ".join(ended.stderr.split())
    # They are done, unless they are asked for again, and the exit status goes on telling.
    shutil.copy(IMAGES_FOLDER / "star.jpg", images / "empty.jpg")
    ended = submit(service, images, "-o", output, "--json")
    assert ended.returncode == 3
    summary = json.loads(ended.stdout)
    assert (summary["already_done"], summary["failed_already"], summary["failed"]) == (15, 3, 0)
    assert submit(service, images / "00.jpg", "-o", output).returncode == 0
    ended = submit(service, images, "-o", output, "--retry-errors", "--json")
    summary = json.loads(ended.stdout)
    assert (summary["already_done"], summary["succeeded"], summary["failed"]) == (12, 1, 2)
    assert len(results_in(output)) == 15


def test_lists_and_urls_are_taken_and_results_go_to_a_pipe(service: Service, images: Path, tmp_path: Path) -> None:
    with served(IMAGES_FOLDER) as files:
        (tmp_path / "list.txt").write_text(f"{files}/star.jpg\n{images / '00.jpg'}\n")
        ended = submit(service, tmp_path / "list.txt", "-", stdin=f"{images / '01.jpg'}\n{files}/missing.jpg\n")
    assert ended.returncode == 3
    results = {result["path"]: result for result in map(json.loads, ended.stdout.splitlines())}
    assert label(results[f"{files}/star.jpg"]) == "star"
    assert label(results[str(images / "00.jpg")]) == "circle"
    assert label(results[str(images / "01.jpg")]) == "star"
    assert "404" in results[f"{files}/missing.jpg"]["error"]


def test_names_from_find_are_taken_whatever_is_in_them(service: Service, images: Path, output: Path) -> None:
    odd = images / " two\nlines.jpg"
    (images / "00.jpg").rename(odd)
    ended = submit(service, "-", "--null", "-o", output, stdin=f"{odd}\0{images / '01.jpg'}\0")
    assert ended.returncode == 0, ended.stderr
    assert {result["path"] for result in results_in(output)} == {str(odd), str(images / "01.jpg")}
    ended = submit(service, "-", stdin=f"{odd}\0{images / '01.jpg'}\0{images / '02.jpg'}\n{images / '03.jpg'}")
    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr
    results = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [result["error"] for result in results if "\0" in result["path"]] == [
        "The name holds a NUL byte. Lists from `find -print0` need --null."
    ]
    assert [result["path"] for result in results if result["status"] == "success"] == [str(images / "03.jpg")]


def test_pipe_among_the_images_is_left_out_and_counted(service: Service, images: Path, output: Path) -> None:
    os.mkfifo(images / "pipe.jpg")
    (images / "notes.md").touch()
    (images / "folder").mkdir()
    ended = submit(service, images, images / "00.jpg", "-o", output, "--json")
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert summary["succeeded"] == 12
    assert summary["skipped"] == {
        "a pipe, socket or device": 1,
        "not called like an image": 1,
        "a folder, which --recursive looks into": 1,
        "named twice": 1,
    }
    ended = submit(service, images / "pipe.jpg", images / "00.jpg", "-o", output)
    assert ended.returncode == 3
    assert "1 × This is a named pipe, not a file." in ended.stderr
    assert "already done" in ended.stderr


@pytest.mark.parametrize("wanted", ["jsonl", "csv", "coco"])
def test_output_that_is_something_else_is_left_as_it_is(
    service: Service, images: Path, tmp_path: Path, wanted: str
) -> None:
    photo, results = images / "00.jpg", tmp_path / "results"
    whole = photo.read_bytes()
    options = ["--format", wanted]
    spec = "shapes-detector-v1"
    for content in (whole, b"a,b\n1,2", b'{"a": 1}'):
        results.write_bytes(content)
        ended = submit(service, images, "-o", results, *options, spec=spec)
        assert ended.returncode == 1
        assert "Choose another file." in ended.stderr
        assert results.read_bytes() == content
    ended = submit(service, "-o", *sorted(images.iterdir()), *options, spec=spec)  # as a shell makes it of -o *.jpg
    assert ended.returncode == 1
    assert "is called like an image" in ended.stderr
    assert photo.read_bytes() == whole


def test_results_of_another_format_are_not_replaced(service: Service, images: Path, output: Path) -> None:
    assert submit(service, images / "00.jpg", "-o", output).returncode == 0
    whole = output.read_bytes()
    ended = submit(service, images, "-o", output, "--format", "csv")
    assert ended.returncode == 1
    assert "holds something else than results as csv" in ended.stderr
    assert output.read_bytes() == whole


def test_nothing_to_send_is_an_error(service: Service, tmp_path: Path) -> None:
    for arguments, sentence in (
        ([tmp_path / "*.jpg"], f"No images matched '{tmp_path}/*.jpg'."),
        ([tmp_path], f"No images matched '{tmp_path}'."),
        (["-"], "Standard input named no images."),
    ):
        ended = submit(service, *arguments)
        assert ended.returncode == 1
        assert sentence in ended.stderr


def test_standard_output_that_takes_nothing_is_a_sentence(service: Service, images: Path) -> None:
    run = command(service, images)
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(run, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "Error: Standard output cannot be written: No space left on device."
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == 1
    assert told.splitlines()[-1] == "Error: Nobody reads standard output any more."
    for closed, sentence in ((0, "Standard input is closed"), (1, "Standard output is closed")):
        ended = subprocess.run(
            ["sh", "-c", f'exec "$@" {closed}>&-', "sh", *command(service, "-" if closed == 0 else images)],
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 1
        assert sentence in ended.stderr
        assert "Traceback" not in ended.stderr


def test_options_reach_the_service(service: Service, images: Path) -> None:
    ended = submit(service, images / "00.jpg", "--show-discarded", "--max-predictions", "2", "--priority", "low")
    labels = json.loads(ended.stdout)["outputs"][0]["labels"]
    assert len(labels["predicted"]) == 1
    assert len(labels["discarded"]) == 1


def test_trouble_is_tried_again_as_late_as_the_service_asks(
    service: Service, images: Path, output: Path, proxy: FaultyProxy
) -> None:
    proxy.faults.extend([Fault.BUSY, Fault.AWAY, Fault.LOST])
    start = time.monotonic()
    ended = submit(service, images, "-o", output, "--json", url=proxy.url)
    assert ended.returncode == 0, ended.stderr
    assert time.monotonic() - start > 1
    assert json.loads(ended.stdout)["retries"] == 3
    assert len(results_in(output)) == 12
    posts = [request for request in proxy.requests if request.startswith("POST")]
    assert len(posts) == 6
    assert len(set(proxy.keys)) == 3


def test_image_whose_answer_was_lost_is_not_recognised_twice(
    service: Service, images: Path, output: Path, proxy: FaultyProxy
) -> None:
    proxy.faults.extend([Fault.LOST] * 3)
    assert submit(service, images, "-o", output, url=proxy.url).returncode == 0
    assert len(proxy.task_ids) == 24
    assert set(proxy.task_ids) == {result["task_id"] for result in results_in(output)}
    assert len(results_in(output)) == 12


def test_small_images_share_requests(service: Service, images: Path, output: Path, proxy: FaultyProxy) -> None:
    assert submit(service, images, "-o", output, url=proxy.url).returncode == 0
    assert [request for request in proxy.requests if request.startswith("POST")] == [
        f"POST /v0.7/recognition/public/{SPEC}/inference/bulk"
    ] * 3
    assert len({result["task_id"] for result in results_in(output)}) == 12


def test_large_images_are_sent_alone(service: Service, images: Path, output: Path, proxy: FaultyProxy) -> None:
    for image in images.iterdir():
        image.write_bytes(image.read_bytes() + bytes(LARGEST_BYTES))
    assert submit(service, images, "-o", output, url=proxy.url).returncode == 0
    assert proxy.requests.count(f"POST /v0.7/recognition/public/{SPEC}/inference") == 12
    assert [label(result) for result in results_in(output)].count("star") == 6


def test_service_that_takes_one_image_at_a_time_is_given_that(
    service: Service, images: Path, output: Path, proxy: FaultyProxy
) -> None:
    proxy.unknown = "/bulk"
    ended = submit(service, images, "-o", output, url=proxy.url)
    assert ended.returncode == 0, ended.stderr
    assert len(proxy.task_ids) == len(results_in(output)) == 12


def test_few_requests_ask_for_the_results_of_many(service: Service, tmp_path: Path, proxy: FaultyProxy) -> None:
    for number in range(200):
        (tmp_path / f"{number}.jpg").symlink_to(IMAGES_FOLDER / "star.jpg")
    ended = submit(service, tmp_path, "-o", tmp_path / "results.jsonl", url=proxy.url)
    assert ended.returncode == 0, ended.stderr
    gets = [request for request in proxy.requests if request.startswith("GET")]
    assert len(gets) < 100


def test_lone_image_is_waited_for(service: Service, proxy: FaultyProxy) -> None:
    ended = submit(service, IMAGES_FOLDER / "star.jpg", url=proxy.url)
    assert ended.returncode == 0
    assert [request.partition(" ")[0] for request in proxy.requests] == ["GET", "POST", "GET"]


def test_boxes_become_coco_annotations_and_drawings(service: Service, tmp_path: Path) -> None:
    output, drawings = tmp_path / "coco.json", tmp_path / "drawn"
    with served(IMAGES_FOLDER) as files:
        arguments = (IMAGES_FOLDER, f"{files}/shapes.jpg", "-o", output, "--format", "coco", "--draw", drawings)
        ended = submit(service, *arguments, spec="shapes-detector-v1")
    assert ended.returncode == 0, ended.stderr
    coco = json.loads(output.read_text())
    assert len(coco["images"]) == len(list(IMAGES_FOLDER.iterdir())) + 1
    names = {category["id"]: category["name"] for category in coco["categories"]}
    [star] = [image for image in coco["images"] if image["file_name"] == str(IMAGES_FOLDER / "star.jpg")]
    [found] = [each for each in coco["annotations"] if each["image_id"] == star["id"]]
    assert names[found["category_id"]] == "star"
    left, top, width, height = found["bbox"]
    assert 0 <= left < left + width <= star["width"]
    assert 0 <= top < top + height <= star["height"]
    with Image.open(IMAGES_FOLDER / "star.jpg") as original:
        assert original.size == (star["width"], star["height"])
    assert len(list(drawings.rglob("*.jpg"))) == len(coco["images"])


def test_table_is_made_of_all_runs(service: Service, images: Path, tmp_path: Path) -> None:
    output = tmp_path / "table.csv"
    some = sorted(images.iterdir())[:3]
    assert submit(service, *some, "-o", output, "--format", "csv").returncode == 0
    assert len(output.read_text().splitlines()) == 1 + 3
    assert submit(service, images, "-o", output, "--format", "csv").returncode == 0
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["path"] for row in rows} == {str(path) for path in images.iterdir()}
    assert {row["label_name"] for row in rows} == {"star", "circle"}


def test_interrupt_leaves_whole_lines_and_the_next_run_does_the_rest(
    service: Service, tmp_path: Path, output: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(2000):
        (folder / f"{number}.jpg").symlink_to(IMAGES_FOLDER / "star.jpg")
    with subprocess.Popen(
        command(service, folder, "-o", output, "--concurrency", "16", "--json"),
        env=service_environment(service.data_folder),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not output.exists() or not output.stat().st_size:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 130
    summary = json.loads(printed)
    assert summary["interrupted"]
    done = len(results_in(output))
    assert 0 < done == summary["succeeded"] < 2000
    for path in sorted(folder.iterdir())[20:]:
        path.unlink()
    assert submit(service, folder, "-o", output).returncode == 0
    paths = [result["path"] for result in results_in(output)]
    assert len(paths) == len(set(paths))
    assert {str(path) for path in folder.iterdir()} <= set(paths)


def test_images_are_sent_as_their_names_come_and_waiting_for_names_can_be_interrupted(
    service: Service, images: Path, output: Path
) -> None:
    with subprocess.Popen(
        command(service, "-", "-o", output),
        env=service_environment(service.data_folder),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        print(images / "00.jpg", file=process.stdin, flush=True)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not output.exists() or not output.stat().st_size:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_SECONDS) == 130
        assert process.stderr is not None
        assert "run the same command again to go on" in process.stderr.read()
    assert len(results_in(output)) == 1


def test_killed_run_is_gone_on_with(service: Service, images: Path, output: Path) -> None:
    with subprocess.Popen(
        command(service, images, "-o", output, "--concurrency", "1"), env=service_environment(service.data_folder)
    ) as process:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not output.exists() or not output.stat().st_size:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
    output.write_bytes(output.read_bytes()[:-5])
    assert submit(service, images, "-o", output).returncode == 0
    assert len({result["path"] for result in results_in(output)}) == len(results_in(output)) == 12


@pytest.mark.parametrize(
    ("arguments", "spec", "sentence"),
    [
        (["nowhere.jpg"], SPEC, "There is no file or folder nowhere.jpg."),
        ([IMAGES_FOLDER], "no-such-spec", "There is no specification no-such-spec."),
        ([IMAGES_FOLDER, "--key", "rq_wrong"], SPEC, "refused the key"),
    ],
)
def test_what_cannot_work_is_one_sentence_at_once(
    service: Service, arguments: list[object], spec: str, sentence: str
) -> None:
    run = [*command(service, spec=spec), *map(str, arguments)]
    ended = subprocess.run(run, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


def test_service_that_stays_away_ends_the_run_in_a_sentence(
    service: Service, images: Path, output: Path, proxy: FaultyProxy
) -> None:
    proxy.faults.extend([Fault.AWAY] * 1000)
    ended = submit(service, images, "-o", output, "--patience", "1", "--json", url=proxy.url)
    assert ended.returncode == 1
    assert "is busy or a part of it is away" in ended.stderr.splitlines()[-1]
    summary = json.loads(ended.stdout)
    assert (summary["succeeded"], summary["failed"]) == (0, 0)
    assert "is busy" in summary["error"]
    assert results_in(output) == []


def test_memory_stays_flat_for_very_many_paths(service: Service, tmp_path: Path, output: Path) -> None:
    def peak_mebibytes(count: int) -> float:
        listed = tmp_path / f"{count}.txt"
        folder = "/none/" + 100 * "x"
        listed.write_text("".join(f"{folder}/{number}.jpg\n" for number in range(count)))
        run = command(service, listed, "-o", output.with_suffix(f".{count}"))
        with psutil.Popen(run, stderr=subprocess.DEVNULL) as process:
            peak = 0
            while process.poll() is None:
                try:
                    peak = max(peak, process.memory_info().rss)
                except psutil.Error:
                    break
                time.sleep(0.01)
        assert process.returncode == 3
        return peak / 2**20

    assert peak_mebibytes(100_000) < peak_mebibytes(1_000) + 12
