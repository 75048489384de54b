"""Sends images with some threads and collects their results with another, until all have ended or it is stopped."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from queue import Queue
from typing import Any

from cli.api_client import ApiClient, ServiceAway
from cli.patience import Answer, patiently
from cli.submit.in_flight import InFlight
from cli.submit.outcome import Outcome, SentImage, outcome_of_task
from cli.submit.pace import Pace
from cli.submit.requests import EndedTasks, ImageRefused, Measure, Target, ended_tasks, lone_task, read_image

MOST_SENDERS = 16  # sending is short: the service answers before it recognises
GRACE_SECONDS = 10.0  # after a stop, for what is under way
TASK_IS_GONE = "The service does not know this task any more."


@dataclass(frozen=True)
class Plan:
    """What to send, where, and how many at once; ``arguments`` go with each image.

    With ``measure``, images are also looked at here, and with ``keep_files`` their outcomes bring the files along.
    """

    target: Target
    arguments: Mapping[str, Any]
    concurrency: int
    patience_seconds: float
    measure: Measure | None = None
    keep_files: bool = False


class Submission:
    """One run over ``images``, which are taken as there is room for them."""

    def __init__(self, client: ApiClient, plan: Plan, images: Iterator[str]) -> None:
        self._client = client
        self._plan = plan
        self._images = images
        self._next_image = threading.Lock()
        self._sender_count = min(MOST_SENDERS, plan.concurrency)
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
            self._abandon.set()
            self._in_flight.close()

    def stop(self) -> None:
        """Send nothing more; what is under way has some seconds to end."""
        self._stop.set()
        self._in_flight.close()
        timer = threading.Timer(GRACE_SECONDS, self._abandon.set)
        timer.daemon = True
        timer.start()

    def _start(self, name: str, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except Exception as error:  # it is raised again in the thread that waits
                self._outcomes.put(error)

        threading.Thread(target=guarded, name=name, daemon=True).start()

    def _send_all(self) -> None:
        while (path := self._next_path()) is not None and self._in_flight.reserve():
            self._send(path)
        self._in_flight.leave()

    def _next_path(self) -> str | None:
        with self._next_image:
            return None if self._stop.is_set() else next(self._images, None)

    def _send(self, path: str) -> None:
        try:
            request = read_image(path, self._plan.measure)
            target, arguments = self._plan.target, self._plan.arguments
            task_id = self._patiently(lambda: request.send(self._client, target, arguments), self._stop)
        except ImageRefused as error:
            self._outcomes.put(Outcome(SentImage(path), error=str(error)))
            self._in_flight.release()
        except ServiceAway:
            if not self._stop.is_set():
                raise
            self._in_flight.release()
        else:
            self._in_flight.add(task_id, request.sent(with_file=self._plan.keep_files))

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
            for task_id, task in ended.items():
                image = self._in_flight.end(task_id)
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
