"""What a search for duplicates found."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.data.ids import Ids
from curate.retest.duplicates.clusters import connected, keepers
from curate.stats import clopper_pearson
from curate.table import describe


@dataclass(frozen=True, eq=False, repr=False)
class NearDuplicates:
    """Images of one set with their copies in another, or in the same set.

    Attributes:
        table: up to ten candidates of every example of ``a``, the likeliest copy first:
            ``example_id``, ``neighbour_id`` (in ``b``, or ``a`` itself), ``rank`` from 1,
            ``probability`` that the two are copies of one picture, ``exact`` (equal pixels), and
            the signals that it was made from, :data:`curate.retest.SIGNALS`.
        recall: of planted copies, one row per kind: ``kind``, ``planted``, ``nearest``,
            ``within_ten``, ``found`` (at the threshold; shares of 0..1), ``low`` and ``high``
            (Clopper–Pearson, 95 %, of ``found``).
        threshold: probability from which on a pair counts as a duplicate.
        within: whether one set was searched for copies inside it.
        share: estimated share of the examples of ``a`` that have a copy, in 0..1.
        method: how the nearest were searched.
        index_recall: measured share of the true nearest that this finds; 1 if exact.
        ids: of ``a`` and of ``b``.
    """

    table: pa.Table
    recall: pa.Table
    threshold: float
    within: bool
    share: float
    method: str
    index_recall: float
    ids: tuple[Ids, Ids]
    row_pairs: tuple[np.ndarray, np.ndarray]

    @cached_property
    def pairs(self) -> pa.Table:
        """The rows of :attr:`table` that are duplicates, most probable first.

        Within one set each pair is there once.
        """
        found = self.table.filter(pa.array(self._is_pair()))
        order = pc.sort_indices(
            found.select(["exact", "probability"]),
            sort_keys=[("exact", "descending"), ("probability", "descending")],
        )
        return found.take(order)

    @cached_property
    def clusters(self) -> pa.Table:
        """Copies of one picture together: ``cluster`` from 0, ``set`` ("a" or "b"), ``example_id``.

        Every cluster has two examples at least; the largest come first.
        """
        roots = self._roots()
        names, counts = np.unique(roots, return_counts=True)
        names, counts = names[counts > 1], counts[counts > 1]
        number = {int(n): i for i, n in enumerate(names[np.argsort(-counts, kind="stable")])}
        rows = [row for row in range(len(roots)) if int(roots[row]) in number]
        rows.sort(key=lambda row: (number[int(roots[row])], row))
        first = len(self.ids[0])
        ids = [self.ids[0][row] if row < first else self.ids[1][row - first] for row in rows]
        return pa.table(
            {
                "cluster": pa.array([number[int(roots[row])] for row in rows], pa.int64()),
                "set": pa.array(["a" if row < first else "b" for row in rows], pa.string()),
                "example_id": _ids(ids, self.ids[0]),
            }
        )

    def columns(self, of: str = "a", keep: Any = "first", *, seed: int = 0) -> pa.Table:
        """Columns for the example table, to be joined by ``example_id``.

        Args:
            of: "a" or "b": which set's examples.
            keep: which copy of a cluster within one set is the original: "first", "last",
                "random", or one number per example, of which the highest is kept.
            seed: for "random".

        Returns:
            One row per example: ``example_id``; within one set ``duplicate_of``, the id of the
            copy that is kept, null for that one and for those without copies; between two sets
            ``nearest_test``, the id of its likeliest copy in the other set, null if none is
            probable enough; and ``duplicate_probability``, of the likeliest pair that it is in
            (null: it was nobody's candidate).
        """
        one = 0 if of == "a" or self.within else 1
        own, other = self.ids[one], self.ids[1 - one]
        rows, probability = self._likeliest(one)
        if self.within:
            chosen = keepers(self._roots(), keep, seed)
            rows = np.where(chosen == np.arange(len(own)), -1, chosen)
            name, other = "duplicate_of", own
        else:
            rows = np.where(probability >= self.threshold, rows, -1)
            name = "nearest_test"
        unknown = np.isnan(probability)
        targets = [None if row < 0 else other[row] for row in rows.tolist()]
        return describe(
            pa.table(
                {
                    "example_id": _ids(own, own),
                    name: _ids(targets, other),
                    "duplicate_probability": pa.array(probability, mask=unknown),
                }
            )
        )

    def __repr__(self) -> str:
        """One line."""
        place = "within one set" if self.within else "between two sets"
        return (
            f"NearDuplicates({len(self.pairs):,} pairs {place}, {self.index_recall:.0%} searched)"
        )

    def __str__(self) -> str:
        """What was found and how much of what there is."""
        exact = int(pc.sum(self.pairs["exact"], min_count=0).as_py())
        row = self.recall.to_pylist()[-1]
        place = "within the set" if self.within else "in the other set"
        clusters = len(pc.unique(self.clusters["cluster"]))
        return (
            f"{len(self.pairs):,} pairs of {len(self.ids[0]):,} images and their copies {place}, "
            f"{exact:,} of them equal in every pixel, in {clusters:,} clusters, at a probability "
            f"of {self.threshold:g} or more.\n"
            f"Of {row['planted']:,} planted copies {row['found']:.1%} are found at it "
            f"({row['low']:.1%} to {row['high']:.1%}), {row['nearest']:.1%} come first and "
            f"{row['within_ten']:.1%} among the first ten.\n"
            f"An estimated {self.share:.2%} of the images have a copy. Search: {self.method}."
        )

    def _is_pair(self) -> np.ndarray:
        sure = self.table["probability"].to_numpy() >= self.threshold
        if self.within:  # from both ends, or from one
            low, high = np.minimum(*self.row_pairs), np.maximum(*self.row_pairs)
            keys = low * len(self.ids[0]) + high
            _, first = np.unique(np.where(sure, keys, -1 - np.arange(len(keys))), return_index=True)
            once = np.zeros(len(keys), bool)
            once[first] = True
            sure &= once
        return sure

    def _roots(self) -> np.ndarray:
        sure = self.table["probability"].to_numpy() >= self.threshold
        one, other = (rows[sure] for rows in self.row_pairs)
        first = len(self.ids[0])
        if self.within:
            return connected(np.stack([one, other], 1), first)
        return connected(np.stack([one, other + first], 1), first + len(self.ids[1]))

    def _likeliest(self, one: int) -> tuple[np.ndarray, np.ndarray]:
        """Of every example of a set: its likeliest copy's row or -1, and its probability or NaN."""
        probability = self.table["probability"].to_numpy()
        ends = [(self.row_pairs[one], self.row_pairs[1 - one])]
        if self.within:
            ends.append((self.row_pairs[1], self.row_pairs[0]))
        rows = np.full(len(self.ids[one]), -1)
        best = np.full(len(self.ids[one]), np.nan)
        order = np.argsort(probability, kind="stable")
        for mine, theirs in ends:
            better = ~(probability[order] < best[mine[order]])
            at = order[better]
            rows[mine[at]], best[mine[at]] = theirs[at], probability[at]
        return rows, best


def _ids(ids: Any, like: Ids) -> pa.Array:
    kind = pa.string() if len(like) and isinstance(like[0], str) else pa.int64()
    return pa.array(
        [value if value is None or isinstance(value, str) else int(value) for value in ids], kind
    )


def recall_table(kinds: Sequence[str], ranks: np.ndarray, found: np.ndarray) -> pa.Table:
    """The table :attr:`NearDuplicates.recall`: one row per kind, then "all".

    Args:
        kinds: p kinds of planted copies.
        ranks: int64 (p,) rank of the source among the candidates, from 0; -1: none of them.
        found: bool (p,), whether the pair's probability reached the threshold.
    """
    names = np.array(kinds)
    rows = []
    for kind in [*dict.fromkeys(kinds), "all"]:
        mask = (names == kind) | (kind == "all")
        low, high = clopper_pearson(int(found[mask].sum()), int(mask.sum()))
        rows.append(
            {
                "kind": kind,
                "planted": int(mask.sum()),
                "nearest": float((ranks[mask] == 0).mean()),
                "within_ten": float(((ranks[mask] >= 0) & (ranks[mask] < 10)).mean()),
                "found": float(found[mask].mean()),
                "low": float(low),
                "high": float(high),
            }
        )
    return pa.Table.from_pylist(rows)
