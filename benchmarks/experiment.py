"""Two processes of one thread against one, on the digits' certificate; the same bit for bit?

    python benchmarks/experiment.py [--repeats 3] [--epochs 20]

Both take turns; what importing costs in new processes is paid before the clock starts, as in a
search that lasts. On a machine that is shared the ratio says as much about the others.
"""

import argparse
import statistics
import time
from typing import Any

import joblib
import torch
from rich.console import Console
from rich.table import Table

import curate
from curate.experiment import SmallestSet

GOAL = 1.8


def search(train_set: Any, test_set: Any, epochs: int, processes: int) -> tuple[SmallestSet, float]:
    """The result, and the seconds that it took."""
    settings = curate.train.settings_for(train_set.shape, epochs=epochs, device="cpu")
    backend = (
        {"backend": "loky", "n_jobs": processes} if processes > 1 else {"backend": "sequential"}
    )
    begin = time.perf_counter()
    with joblib.parallel_config(**backend):
        result = curate.smallest_set(
            train_set, test_set, by="aum", sizes=[0.3], seeds=4, settings=settings
        )
    return result, time.perf_counter() - begin


def same(one: SmallestSet, other: SmallestSet) -> bool:
    """Whether all models answer the same, and all examples are recorded the same."""
    runs = zip(one.runs, other.runs, strict=True)
    answers = all((a.right == b.right).all() and a.arm == b.arm for a, b in runs)
    return answers and one.certified.table.equals(other.certified.table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    given = parser.parse_args()
    torch.set_num_threads(1)
    digits = curate.data.load("digits"), curate.data.load("digits", "test")
    search(*digits, 1, 2)  # starts the processes
    seconds: dict[int, list[float]] = {1: [], 2: []}
    equal = True
    for _ in range(given.repeats):
        results = {}
        for processes, times in seconds.items():
            results[processes], took = search(*digits, given.epochs, processes)
            times.append(took)
        equal &= same(results[1], results[2])
    medians = {processes: statistics.median(times) for processes, times in seconds.items()}
    ratios = [one / two for one, two in zip(*seconds.values(), strict=True)]
    table = Table(title=f"12 models of the digits certified, median of {given.repeats}")
    for head in ("processes", "seconds", "ratio", "goal", "the same bit for bit"):
        table.add_column(head, justify="right")
    table.add_row("1", f"{medians[1]:.1f}")
    table.add_row(
        "2", f"{medians[2]:.1f}", f"{statistics.median(ratios):.2f}", f">= {GOAL}", str(equal)
    )
    Console().print(table)


if __name__ == "__main__":
    main()
