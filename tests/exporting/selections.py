"""Selections made by hand."""

import numpy as np
import pyarrow as pa

from curate.pruning.selection import Selection


def selection(ids, kept, labels=None, seed=0):
    """Keeps the positions ``kept``; the rows are in an order of their own."""
    count = len(ids)
    order = np.random.default_rng(seed).permutation(count)
    mask = np.isin(np.arange(count), kept)
    columns = {
        "example_id": pa.array(list(ids)).take(pa.array(order)),
        "kept": pa.array(mask[order]),
        "score": pa.array(order.astype(float)),
        "reason": pa.array(["hard" if keep else "easy" for keep in mask[order]]),
    }
    if labels is not None:
        columns["label"] = pa.array(np.asarray(labels)[order], pa.int64())
    settings = {
        "by": "forgetting",
        "strategy": "hardest",
        "keep": 0.5,
        "stratify": None,
        "never_learned": "keep",
        "seed": seed,
    }
    return Selection(pa.table(columns), settings)
