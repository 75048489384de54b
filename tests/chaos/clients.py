"""Clients as applications are: they post, take note of what was accepted, and try again when they are told to.

Each post has an idempotency key, so that trying again makes no second task; some name their image by URL, some wait for
their answer, some cancel, some have a webhook.
"""

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field

import httpx

from tests.chaos.fleet import IMAGE_FILES, IMAGES, INFERENCE, Fleet

PAUSE_SECONDS = 0.5
SHORTEST_SECONDS = 15.0  # a short run is stretched, so that there is time for faults
MANY = 2000
FIELD = "inputs[0]image.source"
WAITING = 3  # one in so many posts waits for its answer
TELLING = 4  # one in so many tasks has a webhook
FETCHED = 5  # one in so many images is fetched by a worker
CANCELLING = 10  # one in so many tasks is cancelled at once, if the service can be reached


@dataclass
class Clients:
    """Several clients in threads, which share the work of posting ``count`` images."""

    fleet: Fleet
    count: int
    webhook_url: str
    images_url: str  # of the folder of all images
    threads: int = 12
    accepted: dict[str, int] = field(default_factory=dict)  # task ID to the index of its image
    cancelled: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)  # those with a webhook
    refused: int = 0
    longest_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for number in range(self.threads):
            share = range(number, self.count, self.threads)
            thread = threading.Thread(target=self._post_all, args=(share,), daemon=True)
            thread.start()
            self._running.append(thread)

    def wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for thread in self._running:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), "the clients could not post all images in time"

    @property
    def posting(self) -> bool:
        return any(thread.is_alive() for thread in self._running)

    def _post_all(self, share: range) -> None:
        with self.fleet.http() as http:
            for number in share:
                index = number % len(IMAGES)
                task_id = self._post(http, number)
                if number % CANCELLING == 0:
                    self._cancel(http, task_id)
                time.sleep(SHORTEST_SECONDS * self.threads / self.count if self.count < MANY else 0.0)
                with self._lock:
                    self.accepted[task_id] = index
                    if number % TELLING == 0:
                        self.told.add(task_id)

    def _cancel(self, http: httpx.Client, task_id: str) -> None:
        with self._lock:
            self.cancelled.add(task_id)
        with contextlib.suppress(httpx.TransportError):
            assert http.delete(f"/tasks/{task_id}").status_code in {204, 503}

    def _post(self, http: httpx.Client, number: int) -> str:
        headers = {"Idempotency-Key": f"image {number}"}
        if number % WAITING == 0:
            headers["Prefer"] = "wait=1"
        data = {"webhook": json.dumps({"url": self.webhook_url})} if number % TELLING == 0 else {}
        files, index = {}, number % len(IMAGES)
        if number % FETCHED == 0:
            data[FIELD] = f"{self.images_url}/{IMAGE_FILES[index].name}"
        else:
            files[FIELD] = ("image.jpg", IMAGES[index])
        while True:
            start = time.monotonic()
            try:
                response = http.post(INFERENCE, files=files, data=data, headers=headers)
            except httpx.TransportError:
                time.sleep(PAUSE_SECONDS)
                continue
            with self._lock:
                self.longest_seconds = max(self.longest_seconds, time.monotonic() - start)
            if response.status_code in {200, 202}:
                task_id: str = response.json()["task_id"]
                return task_id
            assert response.status_code in {429, 503}, response.text
            assert int(response.headers["Retry-After"]) > 0
            with self._lock:
                self.refused += 1
            time.sleep(PAUSE_SECONDS)
