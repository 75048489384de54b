"""What the benchmark of the GPU shows is what it has measured."""

from benchmarks.gpu_figures import GpuFigures, LoadFigures, table, together


def one(rate: float, median: float, p99: float) -> dict[str, object]:
    return {
        "images_per_second": rate,
        "median_milliseconds": median,
        "p99_milliseconds": p99,
        "stages": {"decode": median / 10},
    }


def test_loads_add_up() -> None:
    found = together([one(100.0, 20.0, 90.0), one(300.0, 40.0, 70.0)], {"API": 1.5})
    assert found == LoadFigures(400.0, 35.0, 90.0, {"API": 1.5}, {"decode": 3.5})


def test_table_compares_with_the_best_batch_size_of_the_pipeline() -> None:
    loads = {
        "waiting": LoadFigures(1000.0, 12.4, 40.0, {"API": 2.0, "workers": 4.25}, {}),
        "bulk": LoadFigures(1500.0, 80.0, 120.0, {"API": 1.0}, {}),
    }
    shown = table([GpuFigures("ResNet-50", "float16, graph", "EXACT", {32: 1800.0, 64: 2000.0}, loads)])
    assert shown.splitlines()[2:] == [
        "| ResNet-50, float16, graph | `EXACT` | bare pipeline, batches of 64 | 2000 | 1.00 | | |",
        "| | | one by one | **1000** | **0.50** | 12, 40 | API 2.0, workers 4.2 |",
        "| | | 64 in a request | **1500** | **0.75** | 80, 120 | API 1.0 |",
    ]
