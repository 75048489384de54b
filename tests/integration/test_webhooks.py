"""Webhooks of the whole service, as ``recoq up`` runs it."""

import json

import httpx
from standardwebhooks.webhooks import Webhook as Verifier

from demo import IMAGES_FOLDER
from tests.integration.tasks import TIMEOUT_SECONDS
from tests.receiver import receiving


def test_task_of_a_running_service_is_sent_to_its_receiver(http: httpx.Client) -> None:
    secret = http.post("/accounts/me/webhook-secret").raise_for_status().json()["secret"]
    with receiving() as receiver:
        image = (IMAGES_FOLDER / "star.jpg").read_bytes()
        answer = http.post(
            "/recognition/public/shapes-v1/inference",
            files={"inputs[0]image.source": ("star.jpg", image)},
            data={"webhook": json.dumps({"url": receiver.url})},
        )
        task_id = answer.raise_for_status().json()["task_id"]
        [message] = receiver.wait_for(1, TIMEOUT_SECONDS)
    Verifier(secret).verify(message.body, {name.lower(): value for name, value in message.headers.items()})
    task = json.loads(message.body)
    assert (task["id"], task["status"]) == (task_id, "success")
    assert task["data"]["outputs"][0]["labels"]["predicted"][0]["label_name"] == "star"
