"""From pairs of copies to clusters, and which of a cluster's images to keep."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from curate.errors import CurateError

POLICIES = ("first", "last", "random")
"""Which copy to keep, by name; an array of numbers keeps the copy with the highest one."""


def connected(pairs: np.ndarray, count: int) -> np.ndarray:
    """Connected components: int64 (count,), the smallest row that each row is connected with.

    Args:
        pairs: int64 (p, 2), rows 0..count-1.
        count: of rows.
    """
    root = np.arange(count)

    def find(row: int) -> int:
        while root[row] != row:
            root[row] = root[root[row]]
            row = int(root[row])
        return row

    for one, other in pairs.tolist():
        first, second = find(one), find(other)
        root[max(first, second)] = min(first, second)
    return np.array([find(row) for row in range(count)], np.int64)


def keepers(clusters: np.ndarray, keep: str | Sequence[float] | np.ndarray, seed: int) -> Any:
    """The row that each row's cluster keeps: int64 (n,).

    Args:
        clusters: int64 (n,), equal for the rows of one cluster.
        keep: a name in :data:`POLICIES`, or numbers (n,), of which the highest is kept (the first
            of equal ones).
        seed: for ``"random"``.

    Raises:
        CurateError: another name, or numbers of another length.
    """
    count = len(clusters)
    if isinstance(keep, str):
        if keep not in POLICIES:
            raise CurateError(
                f"keep: {keep!r}; give {', '.join(map(repr, POLICIES))} or one number per example, "
                "of which the highest is kept"
            )
        priority = np.arange(count, dtype=float)
        if keep == "first":
            priority = -priority
        elif keep == "random":
            priority = np.random.default_rng(seed).random(count)
    else:
        priority = np.asarray(keep, float)
        if priority.shape != (count,) or np.isnan(priority).any():
            raise CurateError(
                f"keep: numbers of shape {priority.shape}; give one for each of the {count:,} "
                "examples, none of them NaN"
            )
    order = np.lexsort((np.arange(count), -priority, clusters))
    first = np.r_[True, clusters[order][1:] != clusters[order][:-1]] if count else np.empty(0, bool)
    chosen = np.empty(count, np.int64)
    chosen[order] = order[first][np.cumsum(first) - 1]
    return chosen
