"""Side by side, or alone: never both, and who wants to be alone gets there."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

from workers.gate import Gate

WAIT_SECONDS = 20


def test_tasks_run_side_by_side() -> None:
    gate, meeting = Gate(), threading.Barrier(5)

    def run() -> None:
        with gate.side_by_side():
            meeting.wait(WAIT_SECONDS)

    with ThreadPoolExecutor(5) as pool:
        for future in [pool.submit(run) for _ in range(5)]:
            future.result(WAIT_SECONDS)


def test_who_waits_to_be_alone_comes_before_those_that_arrive_later() -> None:
    gate, order = Gate(), []

    def alone() -> None:
        with gate.alone():
            order.append("alone")

    def late() -> None:
        with gate.side_by_side():
            order.append("late")

    with ThreadPoolExecutor(2) as pool:
        with gate.side_by_side():
            first = pool.submit(alone)
            while not gate._waiting_for_alone:
                pass
            second = pool.submit(late)
        first.result(WAIT_SECONDS)
        second.result(WAIT_SECONDS)
    assert order == ["alone", "late"]


def test_alone_means_alone_in_any_mixture() -> None:
    gate, lock, inside, seen = Gate(), threading.Lock(), [0, 0], set()

    def run(seed: int) -> None:
        generator = random.Random(seed)
        for _ in range(200):
            kind = generator.randrange(2)
            with gate.alone() if kind else gate.side_by_side():
                with lock:
                    inside[kind] += 1
                    seen.add(tuple(inside))
                with lock:
                    inside[kind] -= 1

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(run, seed) for seed in range(8)]:
            future.result(WAIT_SECONDS)
    assert {(side, alone) for side, alone in seen if alone} == {(0, 1)}


def test_failing_block_lets_the_others_in() -> None:
    gate = Gate()
    for enter in (gate.alone, gate.side_by_side):
        try:
            with enter():
                raise KeyError
        except KeyError:
            pass
    with gate.alone():
        pass
