"""Sends images with some threads and collects their results with another, until all have ended or it is stopped."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from queue import Queue
from typing import Any

from cli.api_client import ApiClient, ServiceAway
from cli.patience import Answer, patiently
from cli.submit.bulk import LARGEST_BYTES, MOST_IMAGES, BulkRequest
from cli.submit.in_flight import InFlight
from cli.submit.outcome import Outcome, SentImage, outcome_of_task
from cli.submit.pace import Pace
from cli.submit.requests import (
    EndedTasks,
    ImageRefused,
    ImageRequest,
    Measure,
    Target,
    ended_tasks,
    lone_task,
    read_image,
)

MOST_SENDERS = 16  # sending is short: the service answers before it recognises
GRACE_SECONDS = 10.0  # after a stop, for what is under way
TASK_IS_GONE = "The service does not know this task any more."


@dataclass(frozen=True)
class Plan:
    """What to send, where, and how many at once; ``arguments`` go with each image.

    With ``measure``, images are also looked at here, and with ``keep_files`` their outcomes bring the files along.
    Where names may come slowly, ``one_by_one`` sends each at once.
    """

    target: Target
    arguments: Mapping[str, Any]
    concurrency: int
    patience_seconds: float
    measure: Measure | None = None
    keep_files: bool = False
    one_by_one: bool = False


class Submission:
    """One run over ``images``, which are taken as there is room for them."""

    def __init__(self, client: ApiClient, plan: Plan, images: Iterator[str]) -> None:
        self._client = client
        self._plan = plan
        self._images = images
        self._next_image = threading.Lock()
        self._sender_count = min(MOST_SENDERS, plan.concurrency)
        # So many that all senders have some.
        self._most_at_once = 1 if plan.one_by_one else min(MOST_IMAGES, plan.concurrency // self._sender_count)
        self._in_flight = InFlight(plan.concurrency, self._sender_count)
        self._outcomes: Queue[Outcome | Exception | None] = Queue(plan.concurrency)
        self._stop = threading.Event()  # send nothing more
        self._abandon = threading.Event()  # and wait for nothing either
        self._waiting_is_offered = True
        self.retries = 0
        self.trouble: str | None = None  # why the service is asked again now

    def outcomes(self) -> Iterator[Outcome]:
        """Yield how each image ended, as it does.

        Raises:
            CommandError: if the service takes no images at all, or stays away for longer than the plan's patience.
        """
        self._start("collector", self._collect)
        for number in range(self._sender_count):
            self._start(f"sender {number}", self._send_all)
        try:
            while (item := self._outcomes.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self._stop.set()
            self._give_up()

    def stop(self) -> None:
        """Send nothing more; what is under way has some seconds to end."""
        self._stop.set()
        self._in_flight.close()
        timer = threading.Timer(GRACE_SECONDS, self._give_up)
        timer.daemon = True
        timer.start()

    def _give_up(self) -> None:
        self._abandon.set()
        self._in_flight.abandon()

    def _start(self, name: str, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except Exception as error:  # it is raised again in the thread that waits
                self._outcomes.put(error)

        threading.Thread(target=guarded, name=name, daemon=True).start()

    def _send_all(self) -> None:
        while paths := self._next_paths():
            self._send(paths)
        self._in_flight.leave()

    def _next_paths(self) -> list[str]:
        """Take an image, and as many more as there is room for; none when there are no more, or no more are wanted.

        The first is waited for without a place, so that a run can end while names are still to come.
        """
        with self._next_image:
            first = None if self._stop.is_set() else next(self._images, None)
            places = 0 if first is None else self._in_flight.reserve(self._most_at_once)
            if first is None or not places:
                return []
            paths = [first, *islice(self._images, places - 1)]
            self._in_flight.release(places - len(paths))
            return paths

    def _send(self, paths: list[str]) -> None:
        """Send small images together, and large ones alone, so that only one of them is in memory."""
        small: list[ImageRequest] = []
        for path in paths:
            try:
                request = read_image(path, self._plan.measure)
            except ImageRefused as error:
                self._note_refused(path, error)
                continue
            if request.body is not None and len(request.body) > LARGEST_BYTES:
                self._send_alone(request)
            else:
                small.append(request)
        if len(small) > 1:
            self._send_together(small)
        else:
            for request in small:
                self._send_alone(request)

    def _send_together(self, requests: list[ImageRequest]) -> None:
        target, arguments = self._plan.target, self._plan.arguments
        bulk = BulkRequest(requests)
        try:
            task_ids = self._patiently(lambda: bulk.send(self._client, target, arguments), self._stop)
        except ServiceAway:
            if not self._stop.is_set():
                raise
            self._in_flight.release(len(requests))
            return
        if task_ids is None:
            self._most_at_once = 1
            task_ids = [None] * len(requests)
        for request, task_id in zip(requests, task_ids, strict=True):
            if task_id is None:
                self._send_alone(request)
            else:
                self._in_flight.add(task_id, request.sent(with_file=self._plan.keep_files))

    def _send_alone(self, request: ImageRequest) -> None:
        target, arguments = self._plan.target, self._plan.arguments
        try:
            task_id = self._patiently(lambda: request.send(self._client, target, arguments), self._stop)
        except ImageRefused as error:
            self._note_refused(request.path, error)
        except ServiceAway:
            if not self._stop.is_set():
                raise
            self._in_flight.release()
        else:
            self._in_flight.add(task_id, request.sent(with_file=self._plan.keep_files))

    def _note_refused(self, path: str, error: ImageRefused) -> None:
        self._outcomes.put(Outcome(SentImage(path), error=str(error)))
        self._in_flight.release()

    def _collect(self) -> None:
        pace = Pace()
        while (task_ids := self._in_flight.task_ids()) and not self._abandon.wait(pace.seconds):
            try:
                ended = self._ended(task_ids)
            except ServiceAway:
                if not self._abandon.is_set():
                    raise
                break
            pace.adapt(len(ended), len(task_ids))
            images = self._in_flight.end(ended.keys())
            for image, (task_id, task) in zip(images, ended.items(), strict=True):
                gone = Outcome(image, task_id, error=TASK_IS_GONE)
                self._outcomes.put(gone if task is None else outcome_of_task(image, task))
        self._outcomes.put(None)

    def _ended(self, task_ids: list[str]) -> EndedTasks:
        """Ask about several tasks at once, or wait for a lone one: to wait for one of several would let others lie."""
        if len(task_ids) > 1 or not self._waiting_is_offered:
            return self._patiently(lambda: ended_tasks(self._client, task_ids), self._abandon)
        ended, self._waiting_is_offered = self._patiently(lambda: lone_task(self._client, task_ids[0]), self._abandon)
        return ended

    def _patiently(self, call: Callable[[], Answer], stop: threading.Event) -> Answer:
        answer = patiently(call, self._plan.patience_seconds, stop, self._note_retry)
        self.trouble = None
        return answer

    def _note_retry(self, failure: ServiceAway) -> None:
        self.retries += 1
        self.trouble = str(failure)
