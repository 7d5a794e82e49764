"""Ranks of many numbers, fast."""

import numpy as np
import torch


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, the smallest first, equal values at the mean of theirs: float64 (k,).

    Args:
        values: float32 or float64 (k,), without NaN.
    """
    order, ordered = _sorted32(values) if values.dtype == np.float32 else _sorted(values)
    ranks = np.empty(len(values))
    changes = ordered[1:] != ordered[:-1]
    if changes.all():
        ranks[order] = np.arange(1.0, len(values) + 1)
        return ranks
    starts = np.flatnonzero(changes) + 1
    edges = np.concatenate([[0], starts, [len(values)]])
    middles = (edges[:-1] + edges[1:] + 1) / 2
    ranks[order] = np.repeat(middles, np.diff(edges))
    return ranks


def _sorted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(values)
    return order, values[order]


def _sorted32(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By integers in the same order, which torch sorts by radix, five times as fast as floats."""
    bits = (values + np.float32(0)).view(np.int32)  # -0 becomes 0
    keys = torch.from_numpy(bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF)))
    ordered, order = torch.sort(keys)
    return order.numpy(), ordered.numpy()
