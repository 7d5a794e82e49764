"""Features of images: one process against a Ray cluster of two workers on this machine.

    python benchmarks/on_ray.py [--images N] [--turns N]

Both read the same JPEG files of 64×64 pixels from one Parquet file (CURATE_DATA), taken again and
again until there are N, and take turns. A job of two batches before all says how long a cluster
takes until its workers are there; they stay for the jobs that follow. CPU time is told beside the
clock's, of this process, of the workers and of the rest of Ray: where other programs hold the
cores, only that can be compared. On two idle cores a job takes at least half of all its CPU time;
what Ray takes while it waits, as it does in the turns of the one process, is taken off.
Ray's workers run at a low priority unless RAY_worker_niceness says otherwise, as it does here.
The floor is what two processes that are there already take for half of the images each, with
nothing sent back: two cores that share their memory are not twice as fast as one.
"""

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from measure import DATA
from rich.console import Console
from rich.table import Table

from curate.bias import Source, as_sources
from curate.features import extract
from curate.features._pixels import BATCH

os.environ.setdefault("RAY_worker_niceness", "0")  # else they give way to every other program
import ray

TICKS = os.sysconf("SC_CLK_TCK")


class Took(NamedTuple):
    """Seconds of a job: by the clock, and of CPU."""

    clock: float
    here: float
    workers: float
    ray: float

    def of_ray(self, idle: "Took") -> float:
        """CPU seconds of all processes, without what Ray took in as much time while it waited."""
        waiting = (idle.workers + idle.ray) * self.clock / idle.clock
        return self.here + self.workers + self.ray - waiting


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    source = images(options.images)
    start = time.perf_counter()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    extract(images(2 * BATCH), engine="ray")
    start = time.perf_counter() - start
    here, there, floor = [], [], []
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        list(processes.map(half, [2 * BATCH] * 2))
        for _ in range(options.turns):
            took, alone = timed(source)
            here.append(took)
            took, features = timed(source, engine="ray")
            there.append(took)
            assert features.tobytes() == alone.tobytes(), "other bytes"
            clock = time.perf_counter()
            list(processes.map(half, [options.images] * 2))
            floor.append(time.perf_counter() - clock)
    ray.shutdown()
    columns = ("what", "seconds", "CPU: here", "workers", "rest of Ray")
    table = Table(*columns, title="HOG, 64×64 JPEG")
    one, two = (Took(*map(median, zip(*jobs, strict=True))) for jobs in (here, there))
    for what, took in (("one process, one thread", one), ("Ray, two workers", two)):
        table.add_row(what, *(f"{seconds:.1f}" for seconds in took))
    table.add_row("floor: two processes, half each", f"{median(floor):.1f}")
    Console(width=100).print(table)
    clock = median(a.clock / b.clock for a, b in zip(here, there, strict=True))
    most = median(a.clock / b for a, b in zip(here, floor, strict=True))
    cpu = median(a.here / (b.of_ray(a) / 2) for a, b in zip(here, there, strict=True))
    print(
        f"{options.images:,} images, {options.turns} turns, the same bytes; cluster and workers "
        f"are there after {start:.1f} s\n"
        f"against one process: {clock:.2f}× by the clock (the floor: {most:.2f}×); by CPU time at "
        f"most {cpu:.2f}× on two idle cores"
    )


def half(count: int) -> None:
    torch.set_num_threads(1)
    extract(images(count // 2))


def images(count: int) -> Source:
    source = as_sources([DATA / "natural-images/caltech101_64.parquet"])[0]
    return replace(source.take(np.arange(count) % len(source)), ids=np.arange(count))


def timed(source: Source, **options: str) -> tuple[Took, np.ndarray]:
    """What it took, and the features."""
    workers, rest = ray_seconds()
    clock, here = time.perf_counter(), time.process_time()
    features = extract(source, **options)
    here = time.process_time() - here
    clock = time.perf_counter() - clock
    after = ray_seconds()
    return Took(clock, here, after[0] - workers, after[1] - rest), features


def ray_seconds() -> tuple[float, float]:
    """CPU seconds of the processes that this one started: Ray's workers, and the others."""
    parents, seconds, names = {}, {}, {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            facts = (place / "stat").read_text().rpartition(")")[2].split()
            names[int(place.name)] = (place / "cmdline").read_text()
        except OSError:  # it has ended
            continue
        parents[int(place.name)] = int(facts[1])
        seconds[int(place.name)] = sum(map(int, facts[11:13])) / TICKS
    found = [0.0, 0.0]
    for process in seconds:
        above = process
        while above in parents and above != os.getpid():
            above = parents[above]
        if above == os.getpid() and process != above:
            is_worker = names[process].startswith(("ray::IDLE", "ray::_work"))
            found[0 if is_worker else 1] += seconds[process]
    return found[0], found[1]


if __name__ == "__main__":
    main()
