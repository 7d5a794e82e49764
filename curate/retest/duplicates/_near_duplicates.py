"""Copies of images: within a set, or of a test set in its training set."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from curate.errors import CurateError
from curate.features import FEATURES, local_dct, middle
from curate.retest.duplicates.candidates import Found, Searched, prepare, shrunk
from curate.retest.duplicates.combination import learn, prevalence, probabilities
from curate.retest.duplicates.images import Images, as_view, natural_size, read_images
from curate.retest.duplicates.planted import KINDS, planted_copies
from curate.retest.duplicates.result import NearDuplicates, _ids, recall_table
from curate.retest.duplicates.signals import SIGNALS

_PLANTED = 1000
_TAUGHT = 2000  # examples of a whose candidates stand for pairs that are no copies
_SHOWN = 10


def near_duplicates(
    a: Any,
    b: Any = None,
    *,
    features: Any = "local_dct",
    threshold: float = 0.5,
    size: int | None = None,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> NearDuplicates:
    """Find exact and near duplicates of the images of ``a`` in ``b``, or within ``a``.

    The nearest images by features and by thumbnails, also of the mirrored image, are compared
    closely (:data:`curate.retest.SIGNALS`). How the signals make one probability is learned
    from copies of the set's own images that are planted and found again: so it knows how alike
    different images of this set are. The share of copies among the real pairs sets its prior
    (Saerens et al., 2002); images of equal pixels have probability 1.

    Args:
        a: n images: a test set, say. Anything that :func:`curate.data.with_ids` takes, a name or
            path for :func:`curate.data.load` (its training split), or uint8 (n, C, H, W).
        b: m images that are searched: the training set, say; None: ``a`` itself.
        features: "local_dct", which needs no network; a network, whose middle layer counts
            (:func:`curate.features.middle`; ImageNet's normalisation): one that was trained on
            such images finds most; any other name in ``curate.features.FEATURES``, or a function
            from uint8 images (N, 3, size, size) to numbers (N, d).
        threshold: probability from which on a pair counts as a duplicate.
        size: side of the images that features are computed from; None: 32 for small images, else
            64.
        seed: of the planted copies and the samples.
        on_progress: called with the images searched and n.

    Returns:
        The candidates with their probabilities, the pairs, clusters and columns.

    Raises:
        CurateError: sets without images, an image that does not decode, a threshold outside of
            0..1, or ``b`` that is the same object as ``a``.
    """
    if b is a and b is not None:
        raise CurateError("b: the same set as a; leave it out to search within one set")
    if not 0 < threshold <= 1:
        raise CurateError(f"threshold: {threshold!r}; give a probability above 0, at most 1")
    view = as_view("a", a)
    other = None if b is None else as_view("b", b)
    side = natural_size(view if other is None else other) if size is None else size
    queries = read_images("a", view, side)
    searched = queries if other is None else read_images("b", other, side)
    if other is None and len(queries) < 2:
        raise CurateError("a: it has 1 image; give at least 2 to search within it")
    rng = np.random.default_rng(seed)
    prepared = prepare(searched, feature_function(features), rng)

    def progress(done: int) -> None:
        if on_progress is not None:
            on_progress(done, len(queries))

    own = np.arange(len(queries)) if other is None else None
    found = prepared.find(queries.small, queries.sized, own, progress)
    sources, kinds, planted = _plant(prepared, searched, rng)
    return _result(
        queries, searched, found, (sources, kinds, planted), prepared, threshold, other is None, rng
    )


def feature_function(features: Any) -> Callable[[torch.Tensor], Any]:
    """The function behind a name, a network or a function.

    Raises:
        CurateError: none of these.
    """
    if isinstance(features, nn.Module):
        return middle(features)
    if isinstance(features, str) and features in FEATURES:
        return local_dct if features == "local_dct" else FEATURES[features].make()
    if callable(features):
        return features  # type: ignore[no-any-return]
    raise CurateError(
        f"features: {features!r}; give {', '.join(map(repr, FEATURES))}, a network or a function"
    )


def _plant(
    prepared: Searched, searched: Images, rng: np.random.Generator
) -> tuple[np.ndarray, list[str], Found]:
    """Copies of images of the searched set: their rows, their kinds, their candidates."""
    count = min(_PLANTED, 100 + 2 * len(searched))
    sources = np.resize(rng.permutation(len(searched)), count)
    kinds = [KINDS[(row // 2) % len(KINDS)] if row % 2 else "mixed" for row in range(count)]
    copies = planted_copies(searched.sized[torch.from_numpy(sources)], kinds, rng)
    return sources, kinds, prepared.find(shrunk(copies), copies, None)


def _result(
    queries: Images,
    searched: Images,
    found: Found,
    planted: tuple[np.ndarray, list[str], Found],
    prepared: Searched,
    threshold: float,
    within: bool,
    rng: np.random.Generator,
) -> NearDuplicates:
    sources, kinds, copies = planted
    rows, signals = found.rows, found.signals
    exact = (rows >= 0) & (searched.digests[np.maximum(rows, 0)] == queries.digests[:, None])
    rows, signals, exact = _with_equal(queries, searched, rows, signals, exact, within)
    taught = np.sort(rng.permutation(len(rows))[:_TAUGHT])
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
        recall=_recall(sources, kinds, copies, planted_odds, share, threshold),
        threshold=threshold,
        within=within,
        share=float(np.minimum(1, np.where(known, chance, 0).sum(1)).mean()),
        method=prepared.indexes[0].method,
        index_recall=min(index.recall for index in prepared.indexes),
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


def _recall(
    sources: np.ndarray,
    kinds: list[str],
    copies: Found,
    odds: np.ndarray,
    share: float,
    threshold: float,
) -> pa.Table:
    hits = copies.rows == sources[:, None]
    own = np.where(hits, odds, -np.inf).max(1)
    ranks = np.where(hits.any(1), (odds > own[:, None]).sum(1), -1)
    return recall_table(kinds, ranks, hits.any(1) & (probabilities(own, share) >= threshold))


def _take(ids: Any, rows: np.ndarray) -> pa.Array:
    return _ids([ids[row] for row in rows.tolist()], ids)
