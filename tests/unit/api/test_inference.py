"""Accepting images, in every form that a body may have."""

import base64
import time
from dataclasses import replace
from typing import Any

import orjson
import pytest
import redis

from api.app import create_app
from api.services import Services
from config.settings import Settings
from store.backlog import UNLIMITED
from store.records import Deployment
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_queue import TaskQueue
from store.turns import Taken
from tests.unit.api.callers import JPEG, PREPROCESSING, Caller

URL = "https://example.com/dog.jpg"


class Ledger:
    """What a worker would find."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def task(self, response: Any) -> tuple[dict[str, Any], list[bytes]]:
        assert response.status_code == 202, response.text
        answer = response.get_json()
        assert list(answer) == ["task_id"]
        assert answer["task_id"].isdecimal()
        claimed = self._services.ledger.claim(answer["task_id"], "test", 60.0, 3)
        assert claimed is not None
        return dict(claimed.request), list(claimed.inputs)


@pytest.fixture
def ledger(services: Services) -> Ledger:
    return Ledger(services)


@pytest.fixture
def path(version: dict[str, Any]) -> str:
    return f"/recognition/specs/{version['spec_id']}/inference"


WHOLE = {"bbox": None, "polygon": None, "crop_uniform_background": False}


def test_request_is_settled_to_the_version_with_its_defaults(
    reader: Caller, ledger: Ledger, version: dict[str, Any]
) -> None:
    body = {"inputs": [{"image": {"source": URL}}]}
    for address in (f"/recognition/specs/{version['spec_id']}", f"/recognition/versions/{version['id']}"):
        request, inputs = ledger.task(reader.post(f"{address}/inference", json=body))
        assert request == {
            "version_id": version["id"],
            "network_id": version["network_id"],
            "show_discarded": False,
            "max_predictions": 100,
            "inputs": [{"source": {"url": URL}, **WHOLE}],
        }
        assert inputs == []


def test_base64_with_raw_line_breaks_is_staged(admin: Caller, ledger: Ledger, path: str) -> None:
    lines = base64.encodebytes(JPEG).decode()
    body = f'{{"inputs":[{{"image": {{"source": "data:image/*;base64,{lines}"}}}}]}}'
    request, inputs = ledger.task(admin.post(path, data=body, content_type="application/json"))
    assert inputs == [JPEG]
    assert request["inputs"] == [{"source": {"staged": 0}, **WHOLE}]


def test_json_joined_with_form_fields_by_curl_is_read(admin: Caller, ledger: Ledger, path: str) -> None:
    body = f'{{"inputs":[{{"image": {{"source": "{URL}"}}}}]}}&show_discarded=True&max_predictions=5'
    request, _ = ledger.task(admin.post(path, data=body, content_type="application/json"))
    assert (request["show_discarded"], request["max_predictions"]) == (True, 5)


def test_json_and_its_tail_may_not_disagree(admin: Caller, path: str) -> None:
    body = f'{{"inputs":[{{"image": {{"source": "{URL}"}}}}], "max_predictions": 3}}&max_predictions=5'
    response = admin.post(path, data=body, content_type="application/json")
    assert response.get_json()["errors"] == {"max_predictions": ["It is given more than once."]}


def multipart(*parts: tuple[str, bytes], boundary: str = "XX") -> dict[str, Any]:
    """A body of (headers after the name, content) parts, written byte by byte."""
    lines = b"".join(
        b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (boundary.encode(), head.encode(), data)
        for head, data in parts
    )
    return {
        "data": lines + b"--%s--\r\n" % boundary.encode(),
        "content_type": f"multipart/form-data; boundary={boundary}",
    }


NAME = 'name="inputs[0]image.source"'


@pytest.mark.parametrize(
    ("head", "content"),
    [
        (f'{NAME}; filename="img.jpg"\r\nContent-Type: image/jpeg', JPEG),
        (f'{NAME}; filename=""', JPEG),
        (f'{NAME}; filename="inputs[0]image.source"', JPEG),
        (f"{NAME}\r\nContent-Type: image/jpeg", JPEG),
        (f"{NAME}\r\nContent-Type: application/octet-stream", JPEG),
        (NAME, JPEG),
        (NAME, b"data:image/jpeg;binary," + JPEG),
        (NAME, b"data:image/jpeg;base64," + base64.b64encode(JPEG)),
        ('name="inputs[0].image.source"; filename="x"', JPEG),
        ('name="inputs[0][image][source]"; filename="x"', b""),
    ],
)
def test_image_parts_arrive_byte_for_byte(admin: Caller, ledger: Ledger, path: str, head: str, content: bytes) -> None:
    response = admin.post(path, **multipart((head, content)))
    if not content:
        assert response.status_code == 400
        return
    _, inputs = ledger.task(response)
    assert inputs == [JPEG]


@pytest.mark.parametrize(
    "data", [b"\n" + JPEG, b"\r\n--X" + JPEG + b"\r\n", b"a--XX--\n\n--X", b"\r" * 300_000, JPEG + b"\n"]
)
def test_images_that_look_like_boundaries_arrive_whole(admin: Caller, ledger: Ledger, path: str, data: bytes) -> None:
    _, inputs = ledger.task(admin.post(path, **multipart((f'{NAME}; filename="x"', data))))
    assert inputs == [data]


@pytest.mark.parametrize("yes", ["True", "true", "1"])
@pytest.mark.parametrize("content_type", ["", "\r\nContent-Type: application/json", "\r\nContent-Type: text/plain"])
def test_booleans_and_numbers_of_forms_are_text(
    admin: Caller, ledger: Ledger, path: str, yes: str, content_type: str
) -> None:
    body = multipart(
        (f'{NAME}; filename="x"', JPEG),
        (f'name="inputs[0]image.crop_uniform_background"{content_type}', yes.encode()),
        (f'name="show_discarded"{content_type}', yes.encode()),
        (f'name="max_predictions"{content_type}', b"7"),
        (f'name="inputs[0]image.bbox.xmin"{content_type}', b"0"),
        (f'name="inputs[0]image.bbox.ymin"{content_type}', b"0.25"),
        (f'name="inputs[0]image.bbox.xmax"{content_type}', b"1"),
        (f'name="inputs[0]image.bbox.ymax"{content_type}', b"5e-1"),
    )
    request, _ = ledger.task(admin.post(path, **body))
    assert (request["show_discarded"], request["max_predictions"]) == (True, 7)
    (described,) = request["inputs"]
    assert described["crop_uniform_background"] is True
    assert described["bbox"] == {"xmin": 0.0, "ymin": 0.25, "xmax": 1.0, "ymax": 0.5}


def test_falsehood_that_is_not_json_is_still_false(admin: Caller, ledger: Ledger, path: str) -> None:
    flag = ('name="inputs[0]image.crop_uniform_background"\r\nContent-Type: application/json', b"False")
    request, _ = ledger.task(admin.post(path, **multipart((f'{NAME}; filename="x"', JPEG), flag)))
    assert request["inputs"][0]["crop_uniform_background"] is False


def test_url_typed_json_that_is_not_json_is_text(admin: Caller, ledger: Ledger, path: str) -> None:
    part = (f"{NAME}\r\nContent-Type: application/json", URL.encode())
    request, _ = ledger.task(admin.post(path, **multipart(part)))
    assert request["inputs"][0]["source"] == {"url": URL}


def test_inputs_of_a_form_may_be_json_text(admin: Caller, ledger: Ledger, path: str) -> None:
    inputs = orjson.dumps([{"image": {"source": URL}}]).decode()
    request, _ = ledger.task(admin.post(path, data={"inputs": inputs}))
    assert request["inputs"][0]["source"] == {"url": URL}


def test_urlencoded_binary_is_any_bytes(admin: Caller, ledger: Ledger, path: str) -> None:
    body = b"inputs[0]image.source=data:image/*;binary,%ff%d8%26+%2B"
    _, inputs = ledger.task(admin.post(path, data=body, content_type="application/x-www-form-urlencoded"))
    assert inputs == [b"\xff\xd8& +"]


def test_json_sent_as_a_form_by_mistake_is_explained(admin: Caller, path: str) -> None:
    body = b'{"inputs": [{"image": {"source": "https://example.com/a.jpg?a=b"}}]}'
    response = admin.post(path, data=body, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 400
    assert "Content-Type application/json" in response.get_json()["error"]


BOUNDARY_XX = "multipart/form-data; boundary=XX"


def image(**fields: Any) -> dict[str, Any]:
    return {"inputs": [{"image": {"source": URL, **fields}}]}


TRIANGLE = [{"x": 0, "y": 0}, {"x": 1, "y": 0}, {"x": 0.5, "y": 1}]
BOX = {"xmin": 0, "ymin": 0, "xmax": 1, "ymax": 1}
AT = "inputs.0.image"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "inputs"),
        ({"inputs": None}, "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": {}}, "inputs"),
        ({"inputs": [{}]}, AT),
        ({"inputs": [{"video": {"source": URL}}]}, "inputs.0.video"),
        ({"inputs": [{"image": {"source": URL}, "audio": {}}]}, "inputs.0.audio"),
        ({"inputs": [{"image": {}}]}, f"{AT}.source"),
        ({"inputs": [{"image": URL}]}, AT),
        ({"inputs": [{"image": {"source": URL}}] * 2}, "inputs"),
        (image(source="file:///etc/passwd"), f"{AT}.source"),
        (image(bbox={}), f"{AT}.bbox.xmin"),
        (image(bbox=[0, 0, 1, 1]), f"{AT}.bbox"),
        (image(bbox={**BOX, "xmin": 1}), f"{AT}.bbox.xmin"),
        (image(bbox={**BOX, "ymax": 1.5}), f"{AT}.bbox.ymax"),
        (image(bbox={**BOX, "xmin": "0"}), f"{AT}.bbox.xmin"),
        (image(bbox={**BOX, "zmin": 0}), f"{AT}.bbox.zmin"),
        (image(polygon=TRIANGLE[:2]), f"{AT}.polygon"),
        (image(polygon=[{"x": 0.5, "y": y} for y in (0, 0.5, 1)]), f"{AT}.polygon"),
        (image(polygon=[*TRIANGLE, {"x": 2, "y": 0}]), f"{AT}.polygon.3.x"),
        (image(polygon=TRIANGLE, bbox=BOX), f"{AT}.polygon"),
        (image(crop_uniform_background="yes"), f"{AT}.crop_uniform_background"),
        (image(rotate=90), f"{AT}.rotate"),
        ({**image(), "show_discarded": "True"}, "show_discarded"),
        ({**image(), "max_predictions": 0}, "max_predictions"),
        ({**image(), "max_predictions": 1.5}, "max_predictions"),
        ({**image(), "top_k": 5}, "top_k"),
    ],
)
def test_wrong_arguments_are_named(admin: Caller, path: str, body: dict[str, Any], error: str) -> None:
    response = admin.post(path, json=body)
    assert response.status_code == 400, response.text
    assert next(iter(response.get_json()["errors"])) == error


def test_videos_are_said_not_to_be_supported(admin: Caller, path: str) -> None:
    assert "not supported" in admin.post(path, json={"inputs": [{"video": {"source": URL}}]}).get_json()["error"]


@pytest.mark.parametrize("region", [{"bbox": BOX}, {"polygon": TRIANGLE}, {"bbox": None, "polygon": None}])
def test_regions_are_passed_on(admin: Caller, ledger: Ledger, path: str, region: dict[str, Any]) -> None:
    request, _ = ledger.task(admin.post(path, json=image(**region)))
    assert region.items() <= request["inputs"][0].items()


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"--XX\r\n", BOUNDARY_XX),
        (b"", BOUNDARY_XX),
        (b"--XX--", "multipart/form-data"),
        (b"--XX--", "multipart/form-data; boundary=\xc3\xa9"),
        (b"--XX\r\nX-Other: 1\r\n\r\nabc\r\n--XX--\r\n", BOUNDARY_XX),
        (b"--XX\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--XX--\r\n", BOUNDARY_XX),
        (b"--XX\r\nContent-Disposition: \xff\xfe\r\n\r\nabc\r\n--XX--\r\n", BOUNDARY_XX),
        (b"%ff=1", "application/x-www-form-urlencoded"),
        (b"&".join([b"a"] * 30_000), "application/x-www-form-urlencoded"),
        (
            multipart((f'{NAME}; filename="x"', JPEG), (f'{NAME}; filename="x"', JPEG))["data"],
            BOUNDARY_XX,
        ),
        (multipart(('name="inputs[1]image.source"', JPEG))["data"], BOUNDARY_XX),
        (multipart(('name="inputs[0]image.source.x"', JPEG))["data"], BOUNDARY_XX),
        (multipart((NAME, JPEG), ('name="show_discarded"', b"\xff"))["data"], BOUNDARY_XX),
        (multipart((NAME, JPEG), ('name="max_predictions"', b"1_0"))["data"], BOUNDARY_XX),
    ],
)
def test_broken_forms_are_refused(admin: Caller, path: str, data: bytes, content_type: str) -> None:
    response = admin.post(path, data=data, content_type=content_type)
    assert response.status_code == 400, response.text
    assert response.get_json()["error"]


def test_forms_of_too_many_parts_are_refused(admin: Caller, path: str) -> None:
    parts = [(f'name="a{index}"', b"") for index in range(20_001)]
    assert admin.post(path, **multipart(*parts)).status_code == 400


def test_large_text_parts_are_read(admin: Caller, ledger: Ledger, path: str) -> None:
    content = b"data:image/*;base64," + base64.b64encode(b"\xff" * 1_200_000)
    _, inputs = ledger.task(admin.post(path, **multipart((NAME, content))))
    assert inputs == [b"\xff" * 1_200_000]


def test_specification_without_a_version_cannot_run(admin: Caller) -> None:
    response = admin.post(f"/recognition/specs/{admin.spec()}/inference", json=image())
    assert response.status_code == 400
    assert "no current version" in response.get_json()["error"]


def test_public_specifications_run_for_everyone(stranger: Caller, ledger: Ledger, public_spec: str) -> None:
    request, _ = ledger.task(stranger.post(f"/recognition/public/{public_spec}/inference/", json=image()))
    assert request["version_id"] > 0


def test_several_inputs_are_staged_in_their_order(admin: Caller, ledger: Ledger) -> None:
    (one,) = PREPROCESSING["inputs"]
    two = {"inputs": [{**one, "tensor_name": name} for name in "ab"]}
    network_id = admin.network(preprocessing=orjson.dumps(two).decode())
    body = multipart(
        ('name="inputs[1]image.source"; filename="b"', b"second"),
        ('name="inputs[0]image.source"; filename="a"', b"first"),
    )
    request, inputs = ledger.task(admin.post(f"/networks/{network_id}/inference", **body))
    sources = [described["source"] for described in request["inputs"]]
    assert [inputs[source["staged"]] for source in sources] == [b"first", b"second"]


def test_raw_tensors_of_a_network_are_asked_by_name(
    reader: Caller, admin: Caller, services: Services, ledger: Ledger, public_network: str
) -> None:
    network_id = admin.network()
    for address in (f"/networks/{network_id}", f"/networks/public/{public_network}"):
        request, _ = ledger.task(reader.post(f"{address}/inference", json=image()))
        assert request["output_tensors"] is None
        request, _ = ledger.task(reader.post(f"{address}/inference", json={**image(), "output_tensors": ["a"]}))
        assert request["output_tensors"] == ["a"]
    report = {"inputs": [], "outputs": [{"name": "output", "shape": [2], "dtype": "float32"}], "max_batch_size": 1}
    services.networks.record_deployment(network_id, Deployment("success", report=report))
    body = {**image(), "output_tensors": ["output", "a"]}
    response = reader.post(f"/networks/{network_id}/inference", json=body)
    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == ["output_tensors.1"]


def test_accepted_task_is_announced_to_the_workers(admin: Caller, path: str, api_settings: Settings) -> None:
    task_id = admin.post(path, json=image()).get_json()["task_id"]
    with redis.Redis.from_url(api_settings.redis_url) as client:
        waiting = [element for line in client.smembers("recoq:lines") for element in client.lrange(line, 0, 0)]
    messages = [message for element in waiting for message in Taken("", 1, [element]).messages]
    newest = max((orjson.loads(message) for message in messages), key=lambda message: int(message["headers"]["id"]))
    assert f'"{task_id}"' in newest["body"]


def test_full_queue_is_429_and_says_when_to_come_back(
    api_settings: Settings, services: Services, admin: Caller, path: str
) -> None:
    full = TaskLedger(connect(api_settings.redis_url), 60, replace(UNLIMITED, account_tasks=0))
    queue = TaskQueue(connect(api_settings.redis_url), full)
    app = create_app(api_settings, replace(services, queue=queue))
    response = Caller(app.test_client(), admin.key).post(path, json=image())
    assert response.status_code == 429
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert "Your account has as many tasks" in response.get_json()["error"]


def test_priority_and_deadline_go_with_the_task(
    admin: Caller, path: str, services: Services, api_settings: Settings
) -> None:
    body = {**image(), "priority": "high", "deadline_seconds": 0.001}
    task_id = admin.post(path, json=body).get_json()["task_id"]
    with redis.Redis.from_url(api_settings.redis_url) as client:
        queue = client.hget(f"recoq:task:{task_id}", "queue")
    assert queue is not None
    assert queue.startswith(b"recoq.high:")
    time.sleep(0.002)
    services.ledger.end_overdue()
    task = admin.get(f"/tasks/{task_id}").get_json()
    assert (task["status"], task["error"]) == ("error", "Deadline exceeded before the task could start.")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("priority", "urgent"),
        ("priority", 1),
        ("deadline_seconds", 0),
        ("deadline_seconds", -1),
        ("deadline_seconds", "1"),
    ],
)
def test_wrong_priorities_and_deadlines_are_named(admin: Caller, path: str, argument: str, value: Any) -> None:
    response = admin.post(path, json={**image(), argument: value})
    assert (response.status_code, list(response.get_json()["errors"])) == (400, [argument])
