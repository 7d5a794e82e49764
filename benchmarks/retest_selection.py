"""Engstrom's estimators in simulated replications whose true gap is known.

    python benchmarks/retest.py selection [--quick]

As published for ImageNet-v2 (Engstrom et al., 2020): a gap of 11.7 ± 1.0 points, of which 3.6 ± 1.5
are left once selection frequencies are corrected for. The new set is drawn from a pool of more
doubtful images, so that votes of ten annotators are as frequent as on the original set; 40 others
vote afterwards.
"""

import time
from collections.abc import Iterator

import numpy as np
import torch
from measure import Row

from curate.retest import selection_corrected_gap

TRUE = 0.036


def world(seed: int, images: int, annotators: int) -> tuple[list[dict[str, np.ndarray]], list]:
    """Predictions of one model on both sets, and the votes."""
    rng = np.random.default_rng(seed)
    old, pool = rng.beta(2, 0.75, images), rng.beta(0.45, 1.8, 90 * images)
    first, others = rng.binomial(10, old), rng.binomial(10, pool)
    new = [pool[np.flatnonzero(others == k)[: (first == k).sum()]] for k in range(11)]
    tables, votes = [], []
    for s, drop in ((old, 0.0), (np.concatenate(new), TRUE)):
        right = rng.random(len(s)) < 0.04 + 0.91 * s**0.8 - drop
        labels = rng.integers(0, 10, len(s))
        tables.append({"label": labels, "model": np.where(right, labels, (labels + 1) % 10)})
        votes.append(rng.binomial(annotators, s))
    return tables, votes


def rows(quick: bool) -> Iterator[Row]:
    torch.set_num_threads(1)
    found = []
    start = time.process_time()
    worlds = 10 if quick else 60
    for seed in range(worlds):
        tables, votes = world(seed, 4000, 40)
        result = selection_corrected_gap(
            *tables, selected=votes, shown=(40, 40), resamples=100, seed=seed
        )
        found.append(result.mean.to_pylist()[0])
    seconds = (time.process_time() - start) / worlds
    for name, published in (
        ("gap", "11.7 ± 1.0"),
        ("naive", ""),
        ("jackknife", ""),
        ("mixture", ""),
    ):
        values = 100 * np.array([row[name] for row in found])
        held = np.mean([row[f"{name}_low"] <= TRUE <= row[f"{name}_high"] for row in found])
        yield (
            f"{worlds} replications, 3.6 points true: {name} (interval holds the true gap)",
            f"{values.mean():.1f} ± {1.96 * values.std():.1f} ({held:.0%})",
            published,
            "",
            "" if name in ("gap", "naive") else "3.6 ± 1.5 (95 %)",
        )
    yield "each, 4,000 images a set, 100 bootstraps", f"{seconds:.1f} s of CPU", "", "", ""
