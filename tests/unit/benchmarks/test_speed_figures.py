"""What the comparison of speeds makes of its turns: ratios within turns, then their medians."""

from typing import Any

from benchmarks.speed_figures import (
    CLIENTS,
    LITSERVE,
    RECOQ,
    TUTORIAL,
    BareLoop,
    Comparison,
    Deployment,
    Turn,
    contenders_table,
    targets_table,
)

DEPLOYED = Deployment(
    {
        "precision": "float32",
        "frozen": True,
        "channels_last": True,
        "side_by_side": True,
        "threads": 2,
        "max_batch_size": 8,
    }
)
SWEEPS = {"graph": BareLoop(70, {1: 9.0, 8: 12.0}), "modules": BareLoop(80, {1: 8.0, 4: 9.0})}


def load(rate: float, milliseconds: float = 100.0) -> dict[str, Any]:
    times = {"median_milliseconds": milliseconds, "p99_milliseconds": 2 * milliseconds}
    return {"images_per_second": rate, **times, "stages": {"device": milliseconds / 2}}


def turn(speed: float, recoq: float) -> Turn:
    """A turn in which the machine is ``speed`` times as fast, and Recoq gets ``recoq`` times the bare loop's rate."""
    bare_loops = {"graph": BareLoop(70 / speed, {8: 10 * speed}), "modules": BareLoop(80 / speed, {4: 8 * speed})}
    rates = {RECOQ: 10 * speed * recoq, LITSERVE: 8 * speed, TUTORIAL: 5 * speed}
    loads = {
        contender: dict.fromkeys(CLIENTS, load(rate, 77 / speed if contender == RECOQ else 100))
        for contender, rate in rates.items()
    }
    return Turn(bare_loops, loads)


def test_turns_of_a_machine_that_changes_its_speed_give_the_same_ratios() -> None:
    comparison = Comparison("A", DEPLOYED, SWEEPS, [turn(1, 1.0), turn(0.5, 1.2), turn(2, 0.9)])
    targets = targets_table([comparison]).splitlines()[-1]
    assert targets.startswith(
        "| A | **1.25** (1.12 to 1.50) | **1.00** (0.90 to 1.20), graph | **1.25** (1.12 to 1.50)"
    )
    assert targets.endswith("| **7.0** (3.5 to 14.0) |")
    assert comparison.stages == {clients: {"device": 77 / 2} for clients in CLIENTS}


def test_contenders_stand_beside_the_bare_loops() -> None:
    lines = contenders_table([Comparison("A", DEPLOYED, SWEEPS, [turn(1, 1.0)])]).splitlines()
    assert lines[2] == "| A, float32 | bare loop of graph, batches of 8 | lone: 70.0 ms | | 10.0 · **1.00** |"
    assert lines[3] == "| A, float32 | bare loop of modules, batches of 4 | lone: 80.0 ms | | 8.0 · **0.80** |"
    assert lines[4].startswith("| | Recoq | 10.0 · **1.00** · 77, 154 |")


def test_what_was_deployed_is_told() -> None:
    assert str(DEPLOYED) == (
        "graph in float32, weights in NHWC order, batches of up to 8 side by side, 2 cores for a lone image"
    )
    plain = {"frozen": False, "channels_last": False, "side_by_side": False, "threads": None}
    assert str(Deployment({**DEPLOYED.report, **plain})) == (
        "modules in float32, weights in NCHW order, batches of up to 8 one at a time, all cores for a lone image"
    )
    assert str(Deployment({**DEPLOYED.report, "threads": 1})).endswith(", 1 core for a lone image")
