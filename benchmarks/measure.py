"""Timing by turns, and where real data lies: what the benchmarks share."""

import os
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

DATA = Path(
    os.environ.setdefault("CURATE_DATA", str(Path(__file__).resolve().parents[2] / "shared/data"))
)
"""Real data: the folder CURATE_DATA, else ../shared/data beside the project."""

Row = tuple[str, str, str, str, str]
"""What, ours, the peer's or a floor, ratio, goal."""


def medians(
    contestants: dict[str, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of each, taking turns after one warm-up each."""
    seconds = defaultdict(list)
    for turn in range(repeats + 1):
        for name, run in contestants.items():
            start = clock()
            run()
            if turn:
                seconds[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def cpu_medians(contestants: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The same in CPU time: a thread that waits for a busy machine is not charged for waiting."""
    return medians(contestants, repeats, time.process_time)


def peak() -> float:
    """The most memory that this process has had at once, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def resident(what: str) -> float:
    """GiB that this process holds, or held at most (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(what))) / 2**20
