"""Runs benchmarks, each of which writes its section of ``benchmarks/RESULTS.md``: all of them for ``make bench``."""

import argparse
from collections.abc import Callable

from benchmarks import (
    api_cost,
    bulk,
    costly_images,
    decoding,
    deep_queue,
    gpu,
    heavy_images,
    hostile_clients,
    ledger_server,
    many_networks,
    memory_at_rest,
    network_swaps,
    processes,
    speed,
    submit,
    task_cost,
    waits,
    worker_memory,
)
from benchmarks.workload import BUILDERS

Benchmark = Callable[[float, list[str]], str]

BENCHMARKS: dict[str, Benchmark] = {
    "speed": speed.run,
    "gpu": gpu.run,
    "api-cost": api_cost.run,
    "task-cost": task_cost.run,
    "waits": waits.run,
    "bulk": bulk.run,
    "decoding": decoding.run,
    "costly-images": costly_images.run,
    "submit": submit.run,
    "processes": processes.run,
    "deep-queue": deep_queue.run,
    "heavy-images": heavy_images.run,
    "hostile-clients": hostile_clients.run,
    "many-networks": many_networks.run,
    "worker-memory": worker_memory.run,
    "ledger-server": ledger_server.run,
    "memory-at-rest": memory_at_rest.run,
    "network-swaps": network_swaps.run,
}


def main() -> None:
    """Measure and write what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--seconds", type=float, default=10, help="length of each measurement")
    parser.add_argument("--network", choices=BUILDERS, action="append", help="this one only")
    arguments = parser.parse_args()
    for name in arguments.names or BENCHMARKS:
        print(f"# {name}\n\n{BENCHMARKS[name](arguments.seconds, arguments.network or list(BUILDERS))}\n", flush=True)


if __name__ == "__main__":
    main()
