"""Coresets: examples that stand for all others in the space of their features, picked greedily.

Each function gives a score: how early an example is picked. A greedy method's first k picks are its
coreset of size k, so that a cut of the ranking at any size is the coreset of that size.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.table._hash_ids import hash_ids

_AT_ONCE = 32  # candidates of facility location whose gains are brought up to date together
_BLOCK = 1 << 23  # distances held at a time: 64 MiB


def k_centre(
    features: Any, labels: Any = None, *, keep: float = 1.0, ids: Any = None, seed: int = 0
) -> np.ndarray:
    """Picks what is farthest from all picked before (Gonzalez, 1985; Sener & Savarese, ICLR 2018).

    The first pick is nearest to the mean; each further one has the largest Euclidean distance to
    its nearest pick (Sener & Savarese, Algorithm 1, 'k-Center-Greedy'). The largest distance of any
    example to the first k picks is at most twice what the best k examples could reach. Outliers
    are picked early.

    Args:
        features: (n, d) numbers, of :func:`curate.features.extract` or any network; or an Arrow
            column of lists.
        labels: (n,) classes: the method is applied within each, for ``stratify="label"``; None:
            to all examples together.
        keep: the largest share that will be kept: picking stops there, which saves time.
        ids: (n,) unique ids, so that the picks do not depend on the order of the rows;
            0..n-1 where None.
        seed: of equal candidates, that with the smaller hash of (seed, id) is picked.

    Returns:
        float64 of shape (n,): of m examples (of a class), 1 for the first pick, 1 - 1/m for the
        second, and so on; 0 for those that ``keep`` leaves. High = keep.

    Raises:
        CurateError: shapes that do not fit, features that are not finite, or ``keep`` outside of
            0 to 1.
    """
    return _scored(_farthest_first, features, labels, keep, ids, seed)


def herding(
    features: Any, labels: Any = None, *, keep: float = 1.0, ids: Any = None, seed: int = 0
) -> np.ndarray:
    """Picks what keeps the mean of the picks nearest to the mean of all (Welling, ICML 2009).

    As Rebuffi et al. (CVPR 2017, 'iCaRL', Algorithm 4) pick exemplars of a class: with mean mu, the
    t-th pick x makes ``|mu - (x + sum of picks before) / t|`` least. No example is picked twice.

    Args:
        features, labels, keep, ids, seed: as for :func:`k_centre`.

    Returns:
        float64 of shape (n,), as there.

    Raises:
        CurateError: as there.
    """
    return _scored(_herded, features, labels, keep, ids, seed)


def facility_location(
    features: Any, labels: Any = None, *, keep: float = 1.0, ids: Any = None, seed: int = 0
) -> np.ndarray:
    """Picks what brings every example nearer to its nearest pick, by the most in sum.

    The objective is the sum over all examples of the distance to the nearest pick, as in CRAIG
    (Mirzasoleiman et al., ICML 2020, Equation 7, of gradients there): the first pick is the medoid.
    It is submodular, so that k greedy picks come within 1 - 1/e of the best k, and gains that were
    computed before are bounds of today's (lazy greedy: Minoux, 1978). Distances are computed when
    they are needed; m examples (of a class) take m² of them at least twice.

    Args:
        features, labels, keep, ids, seed: as for :func:`k_centre`.

    Returns:
        float64 of shape (n,), as there.

    Raises:
        CurateError: as there.
    """
    return _scored(_lazy_greedy, features, labels, keep, ids, seed)


def _farthest_first(x: np.ndarray, count: int) -> np.ndarray:
    norms = np.square(x).sum(1)
    mean = x.mean(0)
    picks = np.empty(count, np.int64)
    picks[0] = (norms - 2 * (x @ mean)).argmin()
    nearest = np.full(len(x), np.inf)
    for step in range(count):
        if step:
            picks[step] = nearest.argmax()
        last = picks[step]
        np.minimum(nearest, norms - 2 * (x @ x[last]) + norms[last], out=nearest)
        nearest[last] = -np.inf
    return picks


def _herded(x: np.ndarray, count: int) -> np.ndarray:
    norms, total = len(x) * np.square(x).sum(1), x.sum(0)
    left = np.zeros(len(x))  # -inf for what was picked
    picked = np.zeros(x.shape[1])
    picks = np.empty(count, np.int64)
    for step in range(count):
        # n t² times the square, less what is the same for all: whole numbers stay whole
        wanted = 2 * ((step + 1) * total - len(x) * picked)
        picks[step] = (x @ wanted - norms + left).argmax()
        picked += x[picks[step]]
        left[picks[step]] = -np.inf
    return picks


def _lazy_greedy(x: np.ndarray, count: int) -> np.ndarray:
    norms = np.square(x).sum(1)

    def distances(to: np.ndarray) -> np.ndarray:
        squares = norms[:, None] - 2 * (x @ x[to].T) + norms[to]
        squares[to, np.arange(len(to))] = 0
        return np.sqrt(np.maximum(squares, 0, out=squares), out=squares)

    def by_blocks(of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        step = max(1, _BLOCK // len(x))
        rows = np.arange(len(x))
        blocks = [rows[start : start + step] for start in range(0, len(x), step)]
        return np.concatenate([of(distances(block)) for block in blocks])

    picks = np.empty(count, np.int64)
    picks[0] = by_blocks(lambda block: block.sum(0)).argmin()
    nearest = distances(picks[:1])[:, 0]

    def gains(block: np.ndarray) -> np.ndarray:
        return np.maximum(nearest[:, None] - block, 0).sum(0)

    if count > 1:
        bounds = by_blocks(gains).tolist()
        heap = [(-bound, row) for row, bound in enumerate(bounds) if row != picks[0]]
        heapify(heap)
        known = np.ones(len(x), np.int64)  # the step that a gain is of
    for step in range(1, count):
        while known[heap[0][1]] < step:
            stale: list[int] = []
            while heap and known[heap[0][1]] < step and len(stale) < _AT_ONCE:
                stale.append(heappop(heap)[1])
            for row, gain in zip(stale, gains(distances(np.array(stale))).tolist(), strict=True):
                heappush(heap, (-gain, row))
            known[stale] = step
        picks[step] = heappop(heap)[1]
        np.minimum(nearest, distances(picks[step : step + 1])[:, 0], out=nearest)
    return picks


def _scored(
    method: Callable[[np.ndarray, int], np.ndarray],
    features: Any,
    labels: Any,
    keep: float,
    ids: Any,
    seed: int,
) -> np.ndarray:
    """The score, by a method (float64 (m, d), how many) -> row numbers in the order of the picks.

    Rows reach the method in the order of their hashes: the first of equal ones is then the one to
    pick, and no sum depends on the order that the rows were given in.
    """
    values = _matrix(features)
    if isinstance(keep, bool) or not isinstance(keep, int | float) or not 0 < keep <= 1:
        raise CurateError(f"keep: {keep!r}; give the share that is kept at most, above 0 to 1")
    example_id = pa.array(np.arange(len(values)) if ids is None else ids)
    classes = np.zeros(len(values), np.int64) if labels is None else np.asarray(labels)
    for name, given in (("ids", example_id), ("labels", classes)):
        if len(given) != len(values):
            raise CurateError(f"{name}: {len(given):,} for {len(values):,} rows of features")
    order = np.argsort(hash_ids(example_id, seed=seed), kind="stable")
    scores = np.zeros(len(values))
    for name in np.unique(classes):
        rows = order[classes[order] == name]
        count = min(len(rows), int(keep * len(rows)) + 1)  # a share is rounded up or down
        picks = method(values[rows].astype(np.float64), count)
        scores[rows[picks]] = 1 - np.arange(count) / len(rows)
    return scores


def _matrix(features: Any) -> np.ndarray:
    if isinstance(features, pa.ChunkedArray | pa.Array):
        features = np.array(features.to_pylist())
    values = features.detach().cpu().numpy() if hasattr(features, "detach") else features
    values = np.asarray(values)
    if values.ndim != 2 or 0 in values.shape or values.dtype.kind not in "fiub":
        raise CurateError(
            f"features: {values.dtype} of shape {values.shape}; give numbers of shape (n, d)"
        )
    if not np.isfinite(values).all():
        row = int((~np.isfinite(values).all(1)).argmax())
        raise CurateError(f"features: row {row} holds NaN or infinity; give finite numbers")
    return values
