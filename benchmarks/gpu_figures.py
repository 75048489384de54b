"""What the benchmark of the GPU has measured, and how it is shown."""

from dataclasses import dataclass
from typing import Any

from benchmarks.photos import IMAGE_COUNT

LARGEST_BATCH = 64
TARGET_RATE = 6127
TARGET_RATIO = 0.8


@dataclass(frozen=True)
class LoadFigures:
    """Of all load generators together; ``cores`` is the CPU time of a second, by kind of process."""

    images_per_second: float
    median_milliseconds: float
    p99_milliseconds: float
    cores: dict[str, float]
    stages: dict[str, float]


@dataclass(frozen=True)
class GpuFigures:
    """Of one network: how it is run, the bare pipeline by batch size, and the loads by protocol."""

    network: str
    execution: str
    decoding: str
    pipeline: dict[int, float]
    loads: dict[str, LoadFigures]

    @property
    def best_of_pipeline(self) -> float:
        """Images per second with the best batch size."""
        return max(self.pipeline.values())


def together(loads: list[dict[str, Any]], cores: dict[str, float]) -> LoadFigures:
    """Add up what several load generators have printed."""
    rates = [each["images_per_second"] for each in loads]

    def mean(values: list[float]) -> float:
        return sum(value * rate for value, rate in zip(values, rates, strict=True)) / sum(rates)

    return LoadFigures(
        sum(rates),
        mean([each["median_milliseconds"] for each in loads]),
        max(each["p99_milliseconds"] for each in loads),
        cores,
        {stage: mean([each["stages"][stage] for each in loads]) for stage in loads[0]["stages"]},
    )


def table(figures: list[GpuFigures]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "| network | `decoding` | how images come | images/s | over the bare pipeline | median, p99 ms | busy cores |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in figures:
        best = each.best_of_pipeline
        size = max(each.pipeline, key=each.pipeline.__getitem__)
        lines.append(
            f"| {each.network}, {each.execution} | `{each.decoding}` | bare pipeline, batches of {size} | {best:.0f} "
            "| 1.00 | | |"
        )
        for protocol, load_ in each.loads.items():
            cores = ", ".join(f"{kind} {value:.1f}" for kind, value in load_.cores.items())
            how = "one by one" if protocol == "waiting" else f"{IMAGE_COUNT} in a request"
            lines.append(
                f"| | | {how} | **{load_.images_per_second:.0f}** | **{load_.images_per_second / best:.2f}** "
                f"| {load_.median_milliseconds:.0f}, {load_.p99_milliseconds:.0f} | {cores} |"
            )
    return "\n".join(lines)


NOTES = f"""
Targets for ResNet-50 on an H200 beside 16 cores: {TARGET_RATE:,} images/s, and {TARGET_RATIO} of the bare pipeline.

- *bare pipeline*: `benchmarks/pipeline.py`: the same network in the same precision and form, recorded; images decoded
  by a thread for each core (`EXACT`), or by the GPU (`DEVICE`); no service around it.
- *busy cores*: CPU time of a second, by kind of process.
- Settings: batches of up to {LARGEST_BATCH}, `RECOQ_WORKER_PROCESSES=auto`, an API process for each three cores.
"""
