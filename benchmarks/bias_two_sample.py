"""Two-sample tests of two sets mapped from files: time, and peak of memory.

    python benchmarks/bias.py two_sample [--quick]

Each set has 1,000,000 × 512 float32 features (2 GB; 50,000 with --quick), in a temporary folder
that is removed at the end. Each test runs in a process of its own; memory is the peak of what is
not the mapped files' (RssAnon). The sets are made of 20 hidden normal variables and noise; the
second is shifted along one hidden variable by a twentieth of its deviation.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measure import Row

RUN = """
import importlib, json, re, sys, threading, time
import numpy as np
tests = importlib.import_module("curate.bias")
name, x, y = sys.argv[1:4]
arrays = [np.load(path, mmap_mode="r") for path in (x, y)]
peak, done = [0], threading.Event()
def watch():
    while not done.wait(0.02):
        status = open("/proc/self/status").read()
        peak[0] = max(peak[0], int(re.search(r"RssAnon:\\s+(\\d+)", status)[1]))
thread = threading.Thread(target=watch)
thread.start()
wall, cpu = time.perf_counter(), time.process_time()
result = getattr(tests, name)(*arrays)
seconds = time.perf_counter() - wall, time.process_time() - cpu
done.set()
thread.join()
print(json.dumps([*seconds, peak[0] / 2**20, result.p_value, str(result)]))
"""
TESTS = {
    "mmd": "minutes, bounded",
    "nearest_neighbour": "minutes, bounded",
    "classifier_two_sample": "",
    "kolmogorov_smirnov": "",
}


def make(path: Path, rows: int, shift: float, rng: np.random.Generator) -> None:
    mixing = np.random.default_rng(0).standard_normal((20, 512), np.float32)
    mapped = np.lib.format.open_memmap(path, "w+", np.float32, (rows, 512))
    for start in range(0, rows, 1 << 14):
        count = min(1 << 14, rows - start)
        hidden = rng.standard_normal((count, 20), np.float32)
        hidden[:, 0] += shift
        mapped[start : start + count] = hidden @ mixing
        mapped[start : start + count] += rng.standard_normal((count, 512), np.float32)
    mapped.flush()


def without_ties(features: int = 32, size: int = 2000) -> Row:
    """Exact p-values of untied features: through scipy, and by our own count of relabellings."""
    from curate.bias import kolmogorov_smirnov
    from curate.bias.shift.ks_p_values import exact_p_values

    x, y = np.random.default_rng(0).normal(size=(2, size, features))
    kolmogorov_smirnov(x, y)  # its power, once
    spent = {"ours": 0.0, "counted": 0.0}
    for _ in range(3):  # interleaved
        start = time.process_time()
        table = kolmogorov_smirnov(x, y).features
        assert table is not None
        spent["ours"] += time.process_time() - start
        reached = np.round(table["statistic"].to_numpy() * size * size).astype(np.int64)
        start = time.process_time()
        counted = exact_p_values(reached, np.ones((features, 2 * size), bool), size, size)
        spent["counted"] += time.process_time() - start
    apart = float(np.abs(counted / table["p_value"].to_numpy() - 1).max())
    return (
        f"kolmogorov_smirnov without ties, 2 × {size:,} × {features}",
        f"{spent['ours'] / 3:.2f} s of CPU",
        f"counting relabellings: {spent['counted'] / 3:.2f} s; p-values within {apart:.0e}",
        f"{spent['ours'] / spent['counted']:.2f} ×",
        "0.1 ×",
    )


def rows(quick: bool) -> Iterator[Row]:
    yield without_ties()
    size = 50_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("x.npy", "y.npy")]
        rng = np.random.default_rng(1)
        for path, shift in zip(paths, (0.0, 0.05), strict=True):
            make(path, size, shift, rng)
        start = time.perf_counter()
        for path in paths:
            np.load(path, mmap_mode="r").sum(0)
        floor = time.perf_counter() - start
        for name, goal in TESTS.items():
            done = subprocess.run(
                [sys.executable, "-c", RUN, name, *map(str, paths)], stdout=subprocess.PIPE
            )
            if done.returncode:
                yield f"{name}, 2 × {size:,} × 512", "failed", "", "", goal
                continue
            wall, cpu, peak, p_value, text = json.loads(done.stdout)
            print(text, file=sys.stderr)
            yield (
                f"{name}, 2 × {size:,} × 512 float32, p = {p_value:.2g}",
                f"{wall:.0f} s ({cpu:.0f} s of CPU), {peak:.2f} GiB",
                f"reading both files once: {floor:.1f} s",
                f"{wall / floor:.0f} ×",
                goal,
            )
