"""What the scaling figures make of the readings of their benchmarks."""

from benchmarks.mixed_images import mixed_images
from benchmarks.scaling_figures import (
    MEBIBYTE,
    DeepQueue,
    ManyNetworks,
    Processes,
    Turns,
    WorkerMemory,
    deep_queue_table,
    memory_table,
    networks_table,
    processes_table,
)


def test_depth_is_held_against_few_that_wait() -> None:
    found = DeepQueue(100, 100_000, shallow=200.0, deep=190.0)
    assert "| 200 | 190 | **0.95** |" in deep_queue_table(found)


def test_growth_leaves_single_readings_out() -> None:
    readings = [megabytes * MEBIBYTE for megabytes in [190, 200, 200, 200, 230, *[220] * 40, 900, *[210] * 4]]
    found = WorkerMemory(50_000, readings)
    assert round(found.growth, 3) == 0.05
    assert "| 50,000 | 200 | 210 | 900 | **5.0%** | < 3% |" in memory_table(found)


def test_rates_are_compared_with_the_hot_network_alone_and_with_one_process() -> None:
    turns = Turns(hot=50, hot_p99_milliseconds=400, others=5, longest_seconds=7, loads_per_minute=90)
    found = ManyNetworks(16, 20, 5, alone=100, in_memory=turns, in_turns=turns)
    assert "room for 5 | 50.0 | **0.50** | 400 | 5.0 | 7.0 | 90 |" in networks_table(found)
    assert "| A | 10.0 | 15.0 | **1.50** |" in processes_table([Processes("A", {1: 10.0, 2: 15.0})], 64)


def test_images_of_the_long_run_are_mixed() -> None:
    images = mixed_images(10)
    assert {image[:4] for image in images} >= {b"\xff\xd8\xff\xe0", b"\x89PNG", b"RIFF"}
    assert max(map(len, images)) > 20 * min(map(len, images))
