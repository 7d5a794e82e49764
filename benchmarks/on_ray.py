"""Features of images: one process against a Ray cluster of two workers on this machine.

    python benchmarks/on_ray.py [--images N] [--turns N]

Both read the same JPEG files of 64×64 pixels from one Parquet file (CURATE_DATA), taken again and
again until there are N, and take turns. Wall-clock time: the workers' CPU time is not this
process's. A job of two batches tells how long workers take to start, which a longer job pays once.
"""

import argparse
import time
from dataclasses import replace
from statistics import median

import numpy as np
import ray
import torch
from measure import DATA
from rich.console import Console
from rich.table import Table

from curate.bias import Source, as_sources
from curate.features import extract
from curate.features._pixels import BATCH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    source = images(options.images)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    here, there, starts = [], [], []
    for _ in range(options.turns):
        seconds, alone = timed(source)
        here.append(seconds)
        seconds, features = timed(source, engine="ray")
        there.append(seconds)
        assert features.tobytes() == alone.tobytes(), "other bytes"
        starts.append(timed(images(2 * BATCH), engine="ray")[0])
    ray.shutdown()
    whole, start = median(there), median(starts)
    table = Table("what", "seconds", "images/s", "against one process", title="HOG, 64×64 JPEG")
    for what, seconds in (
        ("one process, one thread", median(here)),
        ("Ray, two workers", whole),
        ("… less a job of two batches", whole - start),
    ):
        ratio = f"{median(here) / seconds:.2f}×"
        table.add_row(what, f"{seconds:.1f}", f"{options.images / seconds:,.0f}", ratio)
    Console(width=100).print(table)
    print(f"{options.images:,} images, the same bytes; a job of two batches takes {start:.1f} s")


def images(count: int) -> Source:
    source = as_sources([DATA / "natural-images/caltech101_64.parquet"])[0]
    return replace(source.take(np.arange(count) % len(source)), ids=np.arange(count))


def timed(source: Source, **options: str) -> tuple[float, np.ndarray]:
    """Seconds, and the features."""
    start = time.perf_counter()
    features = extract(source, **options)
    return time.perf_counter() - start, features


if __name__ == "__main__":
    main()
