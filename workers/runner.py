"""Runs tasks of any kind from claim to outcome: several together in one thread, if they came in one message."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from config.queues import TaskKind
from config.settings import Settings
from store.availability.outages import note
from store.errors import Unavailable
from store.task_ledger import AttemptsExhausted, LastAttempt, TaskLedger
from store.task_records import ClaimedTask, Ending, Outcome
from workers.fetch_ahead import FetchAhead, Fetched
from workers.gate import Gate
from workers.handlers import TaskHandler
from workers.in_hand import InHand
from workers.leases import Leases
from workers.set_aside import SetAside
from workers.stopwatch import Stage, Stopwatch
from workers.task_run import TaskRun
from workers.turns.heavy_images import HeavyImages
from workers.vital_signs import VitalSigns

AWAY_SECONDS = 60.0
PAUSE_SECONDS = 0.5

_once_redis_is_there = Retrying(
    retry=retry_if_exception_type(Unavailable),
    wait=wait_fixed(PAUSE_SECONDS),
    stop=stop_after_delay(AWAY_SECONDS),
    reraise=True,
)


class TaskRunner:
    """Claims tasks of this worker, has them answered, and writes their outcome."""

    def __init__(
        self,
        settings: Settings,
        worker: str,
        ledger: TaskLedger,
        leases: Leases,
        handlers: Mapping[TaskKind, TaskHandler],
        *,
        signs: VitalSigns,
        in_hand: InHand,
        heavy: HeavyImages,
        set_aside: SetAside,
        fetches: FetchAhead,
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._ledger = ledger
        self._leases = leases
        self._handlers = handlers
        self._signs = signs
        self._in_hand = in_hand
        self._heavy = heavy
        self._set_aside = set_aside
        self._fetches = fetches
        self._gate = Gate()

    def run(self, *task_ids: str) -> None:
        """Run those of the tasks that still wait.

        If a backing service is away, a task stays pending and is enqueued again when its lease has run out.
        """
        self._in_hand.begin(len(task_ids))
        try:
            with self._gate.side_by_side():
                suspects = self._run(task_ids, alone=False)
            for task_id in suspects:
                with self._gate.alone():
                    self._run([task_id], alone=True)
        except Unavailable as error:
            note(error)
            for task_id in task_ids:
                self._heavy.let_go(task_id)
        finally:
            self._in_hand.end(len(task_ids))

    def held_back(self) -> set[int]:
        """Return the accounts of whose tasks the worker should take no more for now: theirs wait for too much."""
        return self._set_aside.crowded().union(self._fetches.held_back())

    def give_up_waiting(self) -> list[ClaimedTask]:
        """Return the tasks that were set aside, to be handed back."""
        return self._set_aside.give_up()

    def stop(self) -> list[ClaimedTask]:
        """Finish what has begun, and return the tasks that were set aside since, to be handed back."""
        return self._set_aside.close()

    def _run(self, task_ids: Sequence[str], *, alone: bool) -> list[str]:
        """Run tasks and return the IDs of those that may be run alone only."""
        lease_seconds, max_attempts = self._settings.lease_seconds, self._settings.max_attempts
        # To go on without an answer would be to take message after message, all in vain.
        claims = _once_redis_is_there(
            self._ledger.claim_many, task_ids, self._worker, lease_seconds, max_attempts, alone=alone
        )
        runs = deque[TaskRun]()
        suspects = []
        for task_id, claim in zip(task_ids, claims, strict=True):
            if isinstance(claim, ClaimedTask):
                run = TaskRun(claim, self._handlers[claim.kind], is_alone=alone)
                if not self._must_wait(run):
                    runs.append(run)
                continue
            self._heavy.let_go(task_id)
            if isinstance(claim, LastAttempt):
                suspects.append(task_id)
            elif isinstance(claim, AttemptsExhausted):
                self._give_up(claim)
        with self._leases.held(*(run.task for run in runs)):
            self._answer(runs)
        return suspects

    def _must_wait(self, run: TaskRun) -> bool:
        """Tell whether a task has to wait for its network, its images or a place; it takes no thread meanwhile.

        Where there is no room for more that wait, the thread is to wait for the network. But no thread waits for image
        servers: a task that names some is put off.
        """
        if run.is_alone:
            return self._fetches_before_last_attempt(run)
        loading = self._handlers[run.task.kind].loading(run.task)
        if loading is not None:
            waits = self._set_aside.take(run.task, run.nbytes, loading, partial(self._network_is_there, run))
        elif run.has_to_fetch:
            waits = self._has_begun_to_fetch(run)
        elif run.needs_place:
            waits = self._waits_for_place(run)
        else:
            return False
        if not waits and run.task.image_urls:
            self._heavy.let_go(run.task.id)
            with suppress(Unavailable):  # then the attempt counts
                self._ledger.postpone(run.task)
            return True
        return waits

    def _waits_for_place(self, run: TaskRun) -> bool:
        place = Future[None]()
        waits = self._set_aside.take(run.task, run.nbytes, place, partial(self._place_is_there, run))
        if waits:
            self._heavy.take_place(run.task.account_id, partial(place.set_result, None))
        return waits

    def _place_is_there(self, run: TaskRun) -> bool:
        run.has_place = True
        run.stopwatch.lap(Stage.DECODE)
        return self._go_on(run)

    def _leave_place(self, run: TaskRun) -> None:
        """Let other heavy images follow."""
        if run.cost.is_heavy or run.task.cost.is_heavy:
            self._heavy.let_go(run.task.id)
        if run.has_place:
            run.has_place = False
            self._heavy.give_place_back(run.task.account_id)

    def _fetches_before_last_attempt(self, run: TaskRun) -> bool:
        """Tell whether the last attempt of a task has to wait for its images.

        Until they are there it does not count: others run meanwhile, and may bring the process down.
        """
        if not run.has_to_fetch:
            return False
        self._ledger.postpone(run.task)
        self._has_begun_to_fetch(run)  # or it stays put off, for want of room
        return True

    def _has_begun_to_fetch(self, run: TaskRun) -> bool:
        fetched = Future[Fetched]()
        go_on = partial(self._images_are_there, run, fetched)
        begins = self._fetches.has_room(run.task) and self._set_aside.take(run.task, run.nbytes, fetched, go_on)
        if begins:
            self._fetches.begin(run.task, fetched)
        return begins

    def _network_is_there(self, run: TaskRun) -> bool:
        run.stopwatch.lap(Stage.LOAD)
        return self._go_on(run)

    def _images_are_there(self, run: TaskRun, fetched: "Future[Fetched]") -> bool:
        self._fetches.end(run.task)
        run.stopwatch.lap(Stage.FETCH)
        run.found(fetched.result())
        return self._go_on(run)

    def _go_on(self, run: TaskRun) -> bool:
        """Answer a task that was set aside, unless it has to wait again; then return true."""
        waits = False
        try:
            waits = self._must_wait(run)
            if not waits:
                self._answer_one(run)
        except Unavailable as error:
            note(error)
        finally:
            if not waits:
                self._leave_place(run)
        return waits

    def _answer_one(self, run: TaskRun) -> None:
        with self._gate.alone() if run.is_alone else self._gate.side_by_side():
            if not run.is_alone or self._ledger.count_attempt(run.task):
                self._answer(deque([run]))

    def _answer(self, runs: deque[TaskRun]) -> None:
        """Go on with all runs to their ends; those whose batch has run go on together."""
        for run in runs:
            run.go_on()
            if not run.is_decoding:
                self._leave_place(run)
        while runs:
            first = runs.popleft()
            if first.batch is not None:
                wait([first.batch])  # before the others are looked at: most are in the same batch
            went_on = [first, *(run for run in runs if _is_ready(run))]
            for run in went_on:
                if run.batch is not None:
                    run.go_on()
                    self._leave_place(run)
            self._finish([run for run in went_on if run.outcome is not None])
            self._postpone([run for run in went_on if run.postponed is not None])
            waiting = [run for run in (*runs, first) if run.outcome is None and run.postponed is None]
            runs = deque(waiting)

    def _postpone(self, runs: Sequence[TaskRun]) -> None:
        for run in runs:
            if run.postponed is not None:
                note(run.postponed)
            with suppress(Unavailable):  # then the attempt counts, and others of the message go on
                self._ledger.postpone(run.task)

    def _give_up(self, exhausted: AttemptsExhausted) -> None:
        task, reason = exhausted.task, str(exhausted)
        self._handlers[task.kind].gave_up(task.request, reason)
        outcome = Outcome(error=reason)
        [ended] = self._written([Ending(task.id, None, outcome)])
        if ended:
            self._signs.task_ended(task, outcome, Stopwatch(), 0.0)

    def _finish(self, runs: Sequence[TaskRun]) -> None:
        started = time.monotonic()
        ended = self._written([ending for run in runs if (ending := run.ending) is not None])
        seconds = time.monotonic() - started
        for run, has_ended in zip(runs, ended, strict=True):
            if has_ended and run.outcome is not None:
                self._signs.task_ended(run.task, run.outcome, run.stopwatch, seconds)

    def _written(self, endings: Sequence[Ending]) -> list[bool]:
        """Write outcomes: work that is done should not be lost."""
        return _once_redis_is_there(self._ledger.finish_many, endings) if endings else []


def _is_ready(run: TaskRun) -> bool:
    return run.batch is None or run.batch.done()
