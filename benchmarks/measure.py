"""Timing by turns: what the benchmarks share."""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable


def medians(contestants: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each, taking turns after one warm-up each."""
    seconds = defaultdict(list)
    for turn in range(repeats + 1):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
