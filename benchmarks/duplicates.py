"""Near-duplicates: CIFAR-10's test set in its training set, a large search, and false alarms.

    python benchmarks/duplicates.py [--rows 1000000] [--sets 200]

Needs CURATE_DATA. Features are local frequencies, no network. Peak memory is that of
this process, data and torch included.
"""

import argparse
import resource
import time

import numpy as np
import torch

import curate
from curate.features import local_dct
from curate.retest import audit_split, near_duplicates
from curate.retest.duplicates.embedding import fit_embedding
from curate.retest.duplicates.planted import planted_copies
from curate.retest.duplicates.search import build_index


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def pixels(split):
    return curate.features.pixels(curate.data.load("cifar10", split), 32)


def cifar():
    train, test = pixels("train"), pixels("test")
    start, cpu = time.perf_counter(), time.process_time()
    found = near_duplicates(test, train)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(f"10,000 x 50,000: {wall:.0f} s, {cpu:.0f} s of CPU, peak {peak():.2f} GiB")
    print(found, f"{'kind':14} nearest  within ten  found", sep="\n")
    for row in found.recall.to_pylist():
        shares = "  ".join(f"{row[name]:9.1%}" for name in ("nearest", "within_ten", "found"))
        print(f"{row['kind']:14} {shares}   of {row['planted']}")


def large(rows):
    """Local frequencies of altered copies of CIFAR's images, 512 numbers each."""
    rng = np.random.default_rng(0)
    train = pixels("train")
    embedding = fit_embedding(local_dct, train, rng, width=512)
    whole = np.empty((rows, 512), np.float32)
    for start in range(0, rows, 4096):
        chosen = torch.from_numpy(rng.integers(0, len(train), min(4096, rows - start)))
        copies = planted_copies(train[chosen], ["crop"] * len(chosen), rng)
        whole[start : start + len(chosen)] = embedding(copies)
    queries = whole[rng.permutation(rows)[:10_000]]
    exact = build_index(whole, rng, exact=rows)
    began = time.process_time()
    true = exact.search(queries, 10)[1]
    slow = time.process_time() - began
    del exact
    rough = build_index(whole, rng, exact=0)
    began = time.process_time()
    near = rough.search(queries, 10)[1]
    fast = time.process_time() - began
    recall = np.mean([np.isin(one, other).mean() for one, other in zip(true, near, strict=True)])
    print(
        f"{rows:,} x 512, 10,000 queries: exact {slow:.0f} s, {rough.method} {fast:.1f} s "
        f"({slow / fast:.0f} x), recall {recall:.3f}, peak {peak():.2f} GiB"
    )


def false_alarms(sets):
    """Class prototypes plus noise, 200 training and 100 test images, no copies."""
    alarms = 0
    for seed in range(sets):
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.rand(10, 3, 8, 8, generator=generator)
        prototypes = torch.nn.functional.interpolate(coarse, 32, mode="bicubic")
        noise = 0.05 + 0.2 * float(torch.rand(1, generator=generator))
        made = []
        for count in (200, 100):
            labels = torch.arange(count) % 10
            images = prototypes[labels] + noise * torch.randn(count, 3, 32, 32, generator=generator)
            made.append((images.clamp(0, 1) * 255).byte())
        alarms += not audit_split(*made).passed
    low, high = curate.stats.clopper_pearson(alarms, sets)
    print(f"false alarms: {alarms} of {sets} made sets ({low:.1%} to {high:.1%}), goal 5 %")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sets", type=int, default=200)
    options = parser.parse_args()
    cifar()
    large(options.rows)
    false_alarms(options.sets)
