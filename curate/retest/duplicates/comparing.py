"""Two sets of images compared, candidate by candidate: signals, probabilities, recall."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from curate.data.on_ray import Blocks, blocks_here
from curate.retest.duplicates.candidates import Found, Searched, prepare, shrunk
from curate.retest.duplicates.combination import learn, prevalence, probabilities
from curate.retest.duplicates.embedding import Function
from curate.retest.duplicates.images import Images
from curate.retest.duplicates.planted import KINDS, planted_copies
from curate.retest.duplicates.result import NearDuplicates, _ids, recall_table
from curate.retest.duplicates.signals import SIGNALS

_PLANTED = 1000
_TAUGHT = 2000  # queries whose candidates stand for pairs that are no copies
_SHOWN = 10


@dataclass(frozen=True, eq=False)
class Ready:
    """A set that can be searched, and copies of its images that were planted and looked for.

    Attributes:
        images: of the set.
        prepared: embedded, indexed and described.
        sources: int64 (p,), the row that each planted copy was made of.
        kinds: p, what was done to it.
        copies: candidates of the copies.
    """

    images: Images
    prepared: Searched
    sources: np.ndarray
    kinds: list[str]
    copies: Found


def make_ready(
    images: Images, function: Function, seed: int, blocks: Blocks = blocks_here
) -> Ready:
    """Prepare a set once, for any number of searches."""
    rng = np.random.default_rng(seed)
    prepared = prepare(images, function, rng, blocks=blocks)
    count = min(_PLANTED, 100 + 2 * len(images))
    sources = np.resize(rng.permutation(len(images)), count)
    kinds = [KINDS[(row // 2) % len(KINDS)] if row % 2 else "mixed" for row in range(count)]
    copies = planted_copies(images.sized[torch.from_numpy(sources)], kinds, rng)
    return Ready(images, prepared, sources, kinds, prepared.find(shrunk(copies), copies, None))


def compare(
    queries: Images,
    ready: Ready,
    threshold: float,
    within: bool,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
    blocks: Blocks = blocks_here,
) -> NearDuplicates:
    """Look for the queries in a set; ``within``: they are that set itself."""

    def progress(done: int) -> None:
        if on_progress is not None:
            on_progress(done, len(queries))

    own = np.arange(len(queries)) if within else None
    found = ready.prepared.find(queries.small, queries.sized, own, progress, blocks)
    searched, sources, copies = ready.images, ready.sources, ready.copies
    rows, signals = found.rows, found.signals
    exact = (rows >= 0) & (searched.digests[np.maximum(rows, 0)] == queries.digests[:, None])
    rows, signals, exact = _with_equal(queries, searched, rows, signals, exact, within)
    taught = np.sort(np.random.default_rng(seed).permutation(len(rows))[:_TAUGHT])
    others = signals[taught][np.isfinite(signals[taught]).all(2) & ~exact[taught]]
    hits = copies.rows == sources[:, None]
    if len(others) and hits.any():
        combination = learn(copies.signals[hits], others)
        odds = combination.log_odds(signals)
        planted_odds = combination.log_odds(copies.signals)
    else:  # every pair is exact, or there is one image
        odds = np.where(rows >= 0, 0.0, -np.inf)
        planted_odds = np.where(copies.rows >= 0, 0.0, -np.inf)
    share = prevalence(np.where(exact, -np.inf, odds))
    chance = np.where(exact, 1.0, probabilities(odds, share))
    chance = np.where(rows >= 0, chance, np.nan)
    order = np.lexsort((rows, -odds, ~exact, rows < 0), axis=1)[:, :_SHOWN]
    rows, signals, exact, chance = (
        np.take_along_axis(values, order if values.ndim == 2 else order[..., None], 1)
        for values in (rows, signals, exact, chance)
    )
    known = rows >= 0
    mine = np.repeat(np.arange(len(rows)), known.sum(1))
    theirs = rows[known]
    ids = queries.ids, searched.ids
    columns = {
        "example_id": _take(queries.ids, mine),
        "neighbour_id": _take(searched.ids, theirs),
        "rank": pa.array((np.nonzero(known)[1] + 1).astype(np.int32)),
        "probability": pa.array(chance[known]),
        "exact": pa.array(exact[known]),
    }
    columns |= {
        name: pa.array(signals[..., column][known], from_pandas=True)
        for column, name in enumerate(SIGNALS)
    }
    return NearDuplicates(
        table=pa.table(columns),
        recall=_recall(ready, planted_odds, share, threshold),
        threshold=threshold,
        within=within,
        share=float(np.minimum(1, np.where(known, chance, 0).sum(1)).mean()),
        method=ready.prepared.indexes[0].method,
        index_recall=min(index.recall for index in ready.prepared.indexes),
        ids=ids,
        row_pairs=(mine, theirs),
    )


def _with_equal(
    queries: Images,
    searched: Images,
    rows: np.ndarray,
    signals: np.ndarray,
    exact: np.ndarray,
    within: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The candidates, with an equal image that the search left out: among many it may."""
    first: dict[bytes, list[int]] = {}
    wanted = set(queries.digests[~exact.any(1)].tolist())
    for row, digest in enumerate(searched.digests.tolist()):
        if digest in wanted:
            first.setdefault(digest, []).append(row)
    for row in np.flatnonzero(~exact.any(1)).tolist():
        equal = [
            place for place in first.get(queries.digests[row], []) if not (within and place == row)
        ]
        if equal:
            rows[row, -1], exact[row, -1], signals[row, -1] = equal[0], True, np.nan
    return rows, signals, exact


def _recall(ready: Ready, odds: np.ndarray, share: float, threshold: float) -> pa.Table:
    hits = ready.copies.rows == ready.sources[:, None]
    own = np.where(hits, odds, -np.inf).max(1)
    ranks = np.where(hits.any(1), (odds > own[:, None]).sum(1), -1)
    return recall_table(ready.kinds, ranks, hits.any(1) & (probabilities(own, share) >= threshold))


def _take(ids: Any, rows: np.ndarray) -> pa.Array:
    return _ids([ids[row] for row in rows.tolist()], ids)
