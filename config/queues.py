"""The names under which the API and the workers meet: Celery queues and Celery tasks.

The API enqueues by name and never imports the workers, so the names live where both may look.
"""

from enum import StrEnum

INFERENCE_QUEUE = "recoq.inference"
DEPLOYMENT_QUEUE = "recoq.deployment"


class TaskKind(StrEnum):
    """What a task asks of a worker."""

    RECOGNITION = "recognition"  # images through a version: labels, with boxes if the spec has them
    TENSORS = "tensors"  # images through a network: its raw output tensors
    DEPLOYMENT = "deployment"  # load a new network and describe its outputs


CELERY_TASK_NAMES = {
    TaskKind.RECOGNITION: "recoq.recognise",
    TaskKind.TENSORS: "recoq.infer_tensors",
    TaskKind.DEPLOYMENT: "recoq.deploy",
}

QUEUE_OF_KIND = {
    TaskKind.RECOGNITION: INFERENCE_QUEUE,
    TaskKind.TENSORS: INFERENCE_QUEUE,
    TaskKind.DEPLOYMENT: DEPLOYMENT_QUEUE,
}
