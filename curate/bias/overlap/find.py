"""Examples that several sources share, and groups that a split must not part."""

import os
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from curate.bias.identification.splits import duplicate_groups
from curate.bias.overlap.near import looks, looks_alike, near_pairs
from curate.bias.overlap.result import COUNTS, PAIRS, Overlap
from curate.bias.sources.source import Source
from curate.data.on_ray import Engine
from curate.features import extract
from curate.stats.seeds import generator

_MOST = 20_000
_CHANCE = 0.01


def find_overlap(
    sources: Sequence[Source],
    features: Sequence[Any],
    *,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
    engine: Engine | None = None,
) -> Overlap:
    """Count and list what sources share.

    Equal are images of equal bytes (files or pixels) and equal rows of features; equal rows of
    few numbers that have few values happen by chance and do not count. Near copies are found among
    20,000 examples of all sources, drawn at random: their distance is a small part of that to
    neighbours that are no copies (:func:`curate.bias.overlap.near.near_pairs`).

    Args:
        sources: of images or of features; their groups belong together.
        features: of every source, (n, d); used where there are no images.
        seed: of the draw.
        cache: a folder to keep features of images in.
        engine: what computes these, as for :func:`curate.features.extract`.
    """
    images = all(source.has_images for source in sources)
    sizes = [len(source) for source in sources]
    owner = np.repeat(np.arange(len(sources)), sizes)
    note = ""
    if images:
        exact = np.concatenate(duplicate_groups(sources))
    elif any(source.has_images for source in sources):
        exact, note = np.arange(len(owner)), "Images and features cannot be compared for copies."
    else:
        marked = _equal_rows(np.concatenate([np.asarray(part) for part in features]))
        exact = np.arange(len(owner)) if marked is None else marked
        if marked is None:
            note = "Rows have too few different values for equal ones to be copies."
    pairs, distances = np.empty((0, 2), np.int64), np.empty(0)
    if not note:
        pairs, distances, note = _near(sources, features, exact, images, seed, cache, engine)
    marks = _joined(exact, pairs, _given(sources))
    starts = np.cumsum(sizes) - sizes
    counts, listed = _tables(sources, owner, starts, exact, pairs, distances)
    return Overlap(counts, listed, tuple(np.split(marks, starts[1:])), note)


def _equal_rows(rows: np.ndarray) -> np.ndarray | None:
    """Equal numbers for equal rows; None where rows may be equal by chance."""
    rows = np.ascontiguousarray(rows, np.float32) + np.float32(0)  # -0 is 0
    whole = rows.view(np.dtype((np.void, rows.shape[1] * 4))).ravel()
    _, first, marks = np.unique(whole, return_index=True, return_inverse=True)
    if len(first) == len(rows):
        return marks
    log_chance = 2 * np.log(len(first))
    for column in rows[first].T:
        repeated = np.unique(column, return_counts=True)[1].astype(np.float64)
        agreeing = (repeated * (repeated - 1)).sum() / (len(column) * max(1, len(column) - 1))
        if not agreeing:
            return marks
        log_chance += np.log(agreeing)
        if log_chance < np.log(_CHANCE):
            return marks
    return None


def _near(
    sources: Sequence[Source],
    features: Sequence[Any],
    exact: np.ndarray,
    images: bool,
    seed: int,
    cache: str | os.PathLike[str] | None,
    engine: Engine | None,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Pairs of positions among all examples, their distances, and what was left out."""
    # in the order of the examples: marks of equal rows may be numbered in any
    different = np.sort(np.unique(exact, return_index=True)[1])
    note = ""
    if len(different) > _MOST:
        different = np.sort(generator(seed, 8).permutation(different)[:_MOST])
        note = f"Near copies were looked for among {_MOST:,} of {len(exact):,} examples."
    bounds = np.cumsum([0, *map(len, sources)])
    parts = []
    for position, (source, part) in enumerate(zip(sources, features, strict=True)):
        low, high = bounds[position : position + 2]
        rows = different[(different >= low) & (different < high)] - low
        if not len(rows):
            continue
        if images:
            own = source if len(rows) == len(source) else source.take(rows)
            parts.append(extract(own, looks, cache=cache, engine=engine))
        else:
            parts.append(np.asarray(part)[rows].astype(np.float32))
    values = np.concatenate(parts)
    if images:
        pairs, distances = looks_alike(values, len(sources))
    else:
        spread = values.std(0)
        pairs, distances = near_pairs(
            (values - values.mean(0)) / np.where(spread > 0, spread, 1), len(sources)
        )
    return different[pairs], distances, note


def _given(sources: Sequence[Source]) -> list[np.ndarray]:
    """Positions among all examples of every group."""
    members: defaultdict[Hashable, list[int]] = defaultdict(list)
    start = 0
    for source in sources:
        for row, mark in enumerate(() if source.groups is None else source.groups.tolist()):
            if mark is not None:
                members[mark].append(start + row)
        start += len(source)
    return [np.array(rows) for rows in members.values()]


def _joined(exact: np.ndarray, pairs: np.ndarray, given: list[np.ndarray]) -> np.ndarray:
    """One number for all that is equal, near or in one group, and for what these bring along."""
    links = [exact[pairs], *(np.stack([exact[rows[:-1]], exact[rows[1:]]], 1) for rows in given)]
    ends = np.concatenate(links)
    if not len(ends):
        return exact
    size = int(exact.max()) + 1
    graph = coo_matrix((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), (size, size))
    return connected_components(graph, directed=False)[1][exact].astype(np.int64)


def _tables(
    sources: Sequence[Source],
    owner: np.ndarray,
    starts: np.ndarray,
    exact: np.ndarray,
    pairs: np.ndarray,
    distances: np.ndarray,
) -> tuple[pa.Table, pa.Table]:
    best: dict[tuple[int, int], tuple[float, int]] = {}  # example, other source: nearest copy there

    def note(one: int, other: int, distance: float) -> None:
        place = (one, int(owner[other]))
        if owner[one] != owner[other] and distance < best.get(place, (np.inf, 0))[0]:
            best[place] = (distance, other)

    order = np.argsort(exact, kind="stable")
    edges = np.flatnonzero(np.diff(exact[order])) + 1
    members: dict[int, np.ndarray] = {}
    for same in np.split(order, edges):
        members[int(exact[same[0]])] = same
        firsts = same[np.unique(owner[same], return_index=True)[1]]
        for one in same.tolist() if len(firsts) > 1 else ():
            for other in firsts.tolist():
                note(one, other, -1.0)
    for (one, other), distance in zip(pairs.tolist(), distances.tolist(), strict=True):
        ones, others = members[int(exact[one])], members[int(exact[other])]
        for left, right in ((ones, others), (others, ones)):
            firsts = right[np.unique(owner[right], return_index=True)[1]]
            for each in left.tolist():
                for copy in firsts.tolist():
                    note(each, copy, distance)
    listed: list[dict[str, Any]] = []
    counts: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    for (one, place), (distance, other) in sorted(
        best.items(), key=lambda item: (owner[item[0][0]], item[0][1], item[1][0], item[0][0])
    ):
        source, target = sources[owner[one]], sources[place]
        equal = distance < 0
        counts[int(owner[one]), place][0 if equal else 1] += 1
        listed.append(
            {
                "source": source.name,
                "other": target.name,
                "example_id": str(source.ids[one - starts[owner[one]]]),
                "other_id": str(target.ids[other - starts[place]]),
                "kind": "equal" if equal else "near",
                "distance": max(0.0, distance),
            }
        )
    rows = [
        {
            "source": sources[one].name,
            "other": sources[other].name,
            "examples": len(sources[one]),
            "equal": equal,
            "near": near,
        }
        for (one, other), (equal, near) in counts.items()
    ]
    return pa.Table.from_pylist(rows, COUNTS), pa.Table.from_pylist(listed, PAIRS)
