"""What tutorials build: Flask takes the image, Celery runs one task for each, the result backend keeps the answer.

gunicorn serves ``web`` and ``celery worker`` runs ``celery``, with ``BUILDER``, ``PRECISION``, ``FORM`` and
``REDIS_URL`` in the environment. ``POST /predict`` takes the file ``image`` and answers with a task's ID, ``GET
/result/<id>`` with its state and labels.
"""

import os
from base64 import b64decode, b64encode
from typing import Any

import torch
from celery import Celery
from celery.signals import worker_process_init
from flask import Flask, request

from benchmarks.tuned import TunedNetwork, best_labels

celery = Celery("tutorial", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
celery.conf.update(result_expires=3600)
web = Flask(__name__)
_networks: list[TunedNetwork] = []


@worker_process_init.connect
def load(**_: Any) -> None:
    """Load the network once in each worker process, each of which has a core."""
    torch.set_num_threads(1)
    _networks.append(TunedNetwork(os.environ["BUILDER"], os.environ["PRECISION"], os.environ["FORM"]))


@celery.task
def predict(image: str) -> list[dict[str, float]]:
    """Run one image, given in base64."""
    network = _networks[0]
    return best_labels(network.scores(network.stack([network.prepare(b64decode(image))]))[0])


@web.post("/predict")
def submit() -> dict[str, str]:
    """Queue an image."""
    return {"task_id": predict.delay(b64encode(request.files["image"].read()).decode()).id}


@web.get("/result/<task_id>")
def result(task_id: str) -> dict[str, Any]:
    """Tell what became of a task."""
    task = celery.AsyncResult(task_id)
    return {"status": task.state, "labels": task.result if task.state == "SUCCESS" else None}
