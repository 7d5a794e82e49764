"""The nearest neighbours of examples of two sets, among both; labels play no part."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from curate.features.pair import Pair, copies

_EXACT = 20_000  # different examples up to which the search is exact
_BYTES = 1 << 29  # of the index: one byte per number
_LISTS = 1024
_PROBES = 8
_TRAINING = 40  # examples per cell to fit its centre
_QUERIES = 4096  # that are looked up together


@dataclass(frozen=True)
class Neighbours:
    """Pairs of an example and one of its nearest neighbours, as rows of both sets together.

    Attributes:
        example: int64 (e,).
        neighbour: int64 (e,).
        method: the kind of search.
    """

    example: np.ndarray
    neighbour: np.ndarray
    method: str


def nearest(pair: Pair, k: int, queries: int, rng: np.random.Generator) -> Neighbours:
    """The k nearest others of ``queries`` random examples (or of all); fewer where fewer exist.

    Copies of an example come first, in a random order; among copies elsewhere random ones are
    taken. So a set with many equal rows has no example that is everyone's neighbour, and no set's
    copies come before the other's.
    """
    total = pair.n + pair.m
    order = rng.permutation(total)
    _, group = np.unique(copies(pair, rng)[order], return_inverse=True)
    by_group = np.argsort(group, kind="stable")  # positions in ``order``, group by group
    sizes = np.bincount(group)
    first = np.cumsum(sizes) - sizes
    rank = np.empty(total, np.int64)  # of a position, within its group
    rank[by_group] = np.arange(total) - np.repeat(first, sizes)
    # one of each group stands for it; which of them one looks at is drawn at random
    stands = order[by_group[first]]
    asked = np.arange(min(queries, total))
    group_asked = group[asked]
    distinct, asks = np.unique(group_asked, return_inverse=True)
    near, method = _search(pair, stands, distinct, k, rng)
    candidates = np.concatenate([group_asked[:, None], near[asks]], 1)
    room = np.where(candidates < 0, 0, sizes[candidates])
    room[:, 0] -= 1  # an example is not its own neighbour
    before = np.cumsum(room, 1) - room
    taken = np.clip(k - before, 0, room)
    start = rng.integers(0, 1 << 62, candidates.shape)
    start[:, 0] = rank[asked] + 1
    flat = taken.ravel()
    entry = np.repeat(np.arange(flat.size), flat)
    offset = np.arange(len(entry)) - np.repeat(np.cumsum(flat) - flat, flat)
    chosen = candidates.ravel()[entry]
    inside = (start.ravel()[entry] % sizes[chosen] + offset) % sizes[chosen]
    return Neighbours(
        example=order[entry // candidates.shape[1]],
        neighbour=order[by_group[first[chosen] + inside]],
        method=method,
    )


def _search(
    pair: Pair, rows: np.ndarray, asked: np.ndarray, k: int, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    """The k nearest of different examples ``rows`` to those ``rows[asked]``, without themselves.

    Returns:
        Indices into ``rows``, -1 where there are fewer; and the kind of search.
    """
    import faiss

    shown = rng.permutation(len(rows))  # the index sees them in an order that says nothing
    if len(rows) > _EXACT:
        shown = shown[: max(_EXACT, _BYTES // pair.d)]
        cells = min(_LISTS, len(shown) // _TRAINING)
        centres = faiss.IndexFlatL2(pair.d)
        index: Any = faiss.IndexIVFScalarQuantizer(
            centres, pair.d, cells, faiss.ScalarQuantizer.QT_8bit
        )
        index.train(pair.take(rows[shown[: cells * _TRAINING]]))
        index.nprobe = _PROBES
        method = f"approximate, among {len(shown):,} examples in {cells} cells, {_PROBES} looked at"
    else:
        index, method = faiss.IndexFlatL2(pair.d), "exact"
    for start in range(0, len(shown), pair.block):
        index.add(pair.take(rows[shown[start : start + pair.block]]))
    near = np.empty((len(asked), k), np.int64)
    for start in range(0, len(asked), _QUERIES):
        batch = asked[start : start + _QUERIES]
        hits = index.search(pair.take(rows[batch]), k + 1)[1]
        hits = np.where(hits < 0, -1, shown[hits])
        # itself is not always first, nor always there, where distances are equal or approximate
        itself = hits == batch[:, None]
        itself[~itself.any(1), -1] = True
        near[start : start + len(batch)] = hits[~itself].reshape(len(batch), k)
    return near, method
