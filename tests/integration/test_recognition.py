"""The whole path with the demo models: drawn images in, right labels and boxes out, over real HTTP."""

import base64
import io
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageDraw

from tests.integration.tasks import ended_task, result

CLASSIFIER = "/recognition/public/shapes-v1/inference"
DETECTOR = "/recognition/public/shapes-detector-v1/inference"
FILE_FIELD = "inputs[0]image.source"


def drawing(draw_on: str = "white", image_format: str = "PNG") -> bytes:
    """A red circle left of the centre and a blue square at the right, drawn by hand."""
    image = Image.new("RGB", (600, 400), draw_on)
    draw = ImageDraw.Draw(image)
    draw.ellipse((60, 100, 240, 280), fill="red")
    draw.rectangle((380, 140, 540, 300), fill="blue")
    buffer = io.BytesIO()
    image.save(buffer, image_format)
    return buffer.getvalue()


def circle() -> bytes:
    """One red circle on white."""
    image = Image.new("RGB", (320, 320), "white")
    ImageDraw.Draw(image).ellipse((60, 60, 260, 260), fill="red")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def image_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("images")
    (folder / "circle.jpg").write_bytes(circle())
    (folder / "text.jpg").write_text("this is no image")

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, directory=str(folder), **kwargs)

        def log_message(self, *_args) -> None:
            """Keep the test output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def top_label(data: dict) -> str:
    return data["outputs"][0]["labels"]["predicted"][0]["label_name"]


def test_multipart_file_is_recognised(http: httpx.Client) -> None:
    data = result(http, http.post(CLASSIFIER, files={FILE_FIELD: ("a.jpg", circle())}))
    assert top_label(data) == "circle"
    assert data["outputs"][0]["labels"]["discarded"] == []


def test_base64_in_json_is_recognised(http: httpx.Client) -> None:
    source = "data:image/*;base64," + base64.b64encode(circle()).decode()
    data = result(http, http.post(CLASSIFIER, json={"inputs": [{"image": {"source": source}}]}))
    assert top_label(data) == "circle"


def test_image_url_is_fetched_and_recognised(http: httpx.Client, image_server: str) -> None:
    body = {"inputs": [{"image": {"source": f"{image_server}/circle.jpg"}}]}
    assert top_label(result(http, http.post(CLASSIFIER, json=body))) == "circle"


def test_file_url_and_base64_give_the_same_scores(http: httpx.Client, image_server: str) -> None:
    source = "data:image/jpeg;base64," + base64.b64encode(circle()).decode()
    answers = [
        result(http, http.post(CLASSIFIER, files={FILE_FIELD: circle()})),
        result(http, http.post(CLASSIFIER, json={"inputs": [{"image": {"source": source}}]})),
        result(http, http.post(CLASSIFIER, json={"inputs": [{"image": {"source": f"{image_server}/circle.jpg"}}]})),
    ]
    scores = [answer["outputs"][0]["labels"]["predicted"][0]["score"] for answer in answers]
    assert max(scores) - min(scores) < 1e-5


def test_discarded_labels_are_shown_on_demand(http: httpx.Client) -> None:
    data = result(http, http.post(CLASSIFIER, files={FILE_FIELD: circle()}, data={"show_discarded": "True"}))
    labels = data["outputs"][0]["labels"]
    names = [each["label_name"] for each in labels["predicted"] + labels["discarded"]]
    assert sorted(names) == ["circle", "square", "star", "triangle"]
    scores = [each["score"] for each in labels["discarded"]]
    assert scores == sorted(scores, reverse=True)
    assert all(each["score"] <= each["threshold"] for each in labels["discarded"])


def test_predictions_are_bounded_in_number(http: httpx.Client) -> None:
    fields = {"show_discarded": "1", "max_predictions": "2"}
    labels = result(http, http.post(CLASSIFIER, files={FILE_FIELD: circle()}, data=fields))["outputs"][0]["labels"]
    assert (len(labels["predicted"]), len(labels["discarded"])) == (1, 1)


def test_boxes_are_where_the_shapes_were_drawn(http: httpx.Client) -> None:
    data = result(http, http.post(DETECTOR, files={FILE_FIELD: drawing()}))
    found = {each["label_name"]: each["roi"] for each in data["outputs"][0]["labels"]["predicted"]}
    assert set(found) == {"circle", "square"}
    expected = {
        "circle": (60 / 600, 100 / 400, 240 / 600, 280 / 400),
        "square": (380 / 600, 140 / 400, 540 / 600, 300 / 400),
    }
    for name, corners in expected.items():
        bbox = found[name]["bbox"]
        measured = (bbox["xmin"], bbox["ymin"], bbox["xmax"], bbox["ymax"])
        assert measured == pytest.approx(corners, abs=0.04), name
    assert {roi["region_id"] for roi in found.values()} == {1, 2}


def test_boxes_in_a_crop_are_those_of_the_whole_image(http: httpx.Client) -> None:
    fields = {f"inputs[0]image.bbox.{side}": str(value) for side, value in
              {"xmin": 0.5, "ymin": 0.0, "xmax": 1.0, "ymax": 1.0}.items()}  # fmt: skip
    data = result(http, http.post(DETECTOR, files={FILE_FIELD: drawing()}, data=fields))
    [only] = data["outputs"][0]["labels"]["predicted"]
    assert only["label_name"] == "square"
    assert only["roi"]["bbox"]["xmin"] == pytest.approx(380 / 600, abs=0.04)
    assert only["roi"]["bbox"]["ymax"] == pytest.approx(300 / 400, abs=0.04)


def test_many_images_at_once_each_get_their_own_answer(http: httpx.Client) -> None:
    files = [circle() if turn % 2 else drawing() for turn in range(24)]
    responses = [http.post(DETECTOR, files={FILE_FIELD: file}) for file in files]
    for turn, response in enumerate(responses):
        predicted = result(http, response)["outputs"][0]["labels"]["predicted"]
        assert len(predicted) == (1 if turn % 2 else 2)


BAD_IMAGES = {
    "not an image": b"this is no image",
    "truncated": drawing(image_format="JPEG")[:3000],
    "empty picture data": b"\x89PNG\r\n\x1a\n" + b"\x00" * 20,
}


@pytest.mark.parametrize("image", BAD_IMAGES.values(), ids=BAD_IMAGES.keys())
def test_bad_image_ends_its_own_task_with_a_sentence(http: httpx.Client, image: bytes) -> None:
    task = ended_task(http, http.post(CLASSIFIER, files={FILE_FIELD: image}))
    assert (task["status"], task["data"]) == ("error", None)
    assert task["error"].startswith("inputs.0.image: ")
    assert top_label(result(http, http.post(CLASSIFIER, files={FILE_FIELD: circle()}))) == "circle"


def test_url_without_an_image_is_an_error_that_says_so(http: httpx.Client, image_server: str) -> None:
    for path, word in (("text.jpg", "image"), ("missing.jpg", "404")):
        body = {"inputs": [{"image": {"source": f"{image_server}/{path}"}}]}
        task = ended_task(http, http.post(CLASSIFIER, json=body))
        assert task["status"] == "error"
        assert word in task["error"]


def test_url_of_a_private_address_is_refused(http: httpx.Client) -> None:
    body = {"inputs": [{"image": {"source": "http://169.254.169.254/latest/meta-data"}}]}
    task = ended_task(http, http.post(CLASSIFIER, json=body))
    assert task["status"] == "error"
    assert "has no public address" in task["error"]
