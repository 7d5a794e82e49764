"""The nearest among 1,000,000 rows: the approximate index beside exact search.

    python benchmarks/retest.py search [--quick]

Local frequencies of 20 crops of each of CIFAR-10's 50,000 training images, 512 numbers each; all
that is asked for is the ten nearest of 10,000 of them. Searches are timed in CPU seconds. Peak
memory is that of this process: the float32 rows are 1.9 GiB of it, and exact search holds them
a second time.
"""

import time
from collections.abc import Iterator

import numpy as np
import torch
from measure import DATA, Row, peak
from torch.nn.functional import affine_grid, grid_sample

import curate
from curate.features import local_dct
from curate.retest.duplicates.embedding import fit_embedding
from curate.retest.duplicates.search import build_index

WIDTH, QUERIES, AT_ONCE = 512, 10_000, 5000


def rows(quick: bool) -> Iterator[Row]:
    if not (DATA / "cifar10-jpeg").is_dir():
        yield "search", f"no CIFAR-10 at {DATA}", "", "", ""
        return
    rng = np.random.default_rng(0)
    whole = crops(2 if quick else 20, rng)
    asked = whole[np.sort(rng.permutation(len(whole))[:QUERIES])]
    start = time.process_time()
    rough = build_index(whole, rng, exact=0)
    building, held = time.process_time() - start, peak()
    start = time.process_time()
    near = rough.search(asked, 10)[1]
    fast = time.process_time() - start
    start = time.process_time()
    exact = build_index(whole, rng, exact=len(whole))
    true = exact.search(asked, 10)[1]
    slow = time.process_time() - start
    recall = np.mean([np.isin(one, other).mean() for one, other in zip(true, near, strict=True)])
    yield (
        f"{len(whole):,} × {WIDTH}, the ten nearest of {QUERIES:,}: {rough.method}",
        f"{fast:.1f} s of CPU, peak {held:.1f} GiB (built in {building:.0f} s of CPU)",
        f"exact: {slow:.0f} s of CPU, peak {peak():.1f} GiB",
        f"{slow / fast:.0f} × as fast",
        "≥ 10 ×",
    )
    yield "share of the ten nearest that it finds", f"{recall:.3f}", "1", "", "≥ 0.95"


def crops(each: int, rng: np.random.Generator) -> np.ndarray:
    """Local frequencies of windows of 75 to 100 % of the side: float32 (each · 50,000, 512)."""
    images = curate.features.pixels(curate.data.load("cifar10", "train"), 32)
    embedding = fit_embedding(local_dct, images, rng, width=WIDTH)
    found = np.empty((each * len(images), WIDTH), np.float32)
    for start in range(0, len(found), AT_ONCE):
        first = start % len(images)
        part = images[first : first + AT_ONCE]
        side = torch.from_numpy(rng.uniform(0.75, 1, len(part)).astype(np.float32))
        middle = torch.from_numpy(rng.uniform(-1, 1, (2, len(part))).astype(np.float32))
        zero = torch.zeros_like(side)
        across, down = middle * (1 - side)
        views = torch.stack([side, zero, across, zero, side, down], 1).view(-1, 2, 3)
        cut = grid_sample(
            part.float(), affine_grid(views, list(part.shape), False), "bilinear", "border", False
        )
        found[start : start + len(part)] = embedding(cut.round().byte())
    return found
