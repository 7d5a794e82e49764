"""Which score, and about what size: a search on validation examples by successive halving."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curate.experiment.search.candidates import Candidate

SEEDS = 3
"""Models per candidate that is taken."""

SIZES = (0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05)
_START = 0.3

Evaluate = Callable[[Sequence[tuple[Candidate, float]], int], "list[float | None]"]
"""Candidates at sizes, and the number of a seed -> the accuracy that each loses on validation
examples, against a model of that seed trained on all; None where time ran out."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What the search chose.

    Attributes:
        candidate: the score and strategy; None where nothing could be tried in time.
        size: the smallest share whose mean loss is within the tolerance, or the largest tried.
        table: one row per candidate and size tried: candidate, share, seeds, loss (0..1).
    """

    candidate: Candidate | None
    size: float
    table: pa.Table


def middle(sizes: Sequence[float]) -> float:
    """The size that is nearest to 30 %, where most candidates can be told apart."""
    return min(sizes, key=lambda size: abs(math.log(size / _START)))


class Search:
    """Tries candidates at sizes, remembers what each lost, and minds the budget.

    Args:
        evaluate: see :data:`Evaluate`.
        cost: of training at a share, where a training on the whole set is 1.
        spent: what recording has cost already.
    """

    def __init__(self, evaluate: Evaluate, cost: Callable[[float], float], spent: float) -> None:
        self._evaluate = evaluate
        self._cost = cost
        self.spent = spent
        self.losses: dict[tuple[Candidate, float], list[float]] = {}

    @staticmethod
    def nothing() -> "Search":
        """One that tries nothing."""
        return Search(lambda tries, seed: [None] * len(tries), lambda size: 0.0, 0.0)

    def try_at(self, candidates: Sequence[Candidate], size: float, seed: int) -> None:
        """One more model for each of these candidates, with the seed of this number."""
        new = [one for one in candidates if len(self.losses.get((one, size), ())) <= seed]
        losses = self._evaluate([(one, size) for one in new], seed)
        for one, loss in zip(new, losses, strict=True):
            if loss is not None:
                self.losses.setdefault((one, size), []).append(loss)
                self.spent += self._cost(size)

    def finish(self, candidates: Sequence[Candidate], size: float) -> None:
        """All seeds for each of these candidates."""
        for seed in range(SEEDS):
            self.try_at(candidates, size, seed)

    def price(self, candidates: Sequence[Candidate], size: float) -> float:
        """What :meth:`finish` will cost."""
        done = sum(len(self.losses.get((one, size), ())) for one in candidates)
        return (SEEDS * len(candidates) - done) * self._cost(size)

    def affordable(self, size: float, budget: float) -> int:
        """How many more models of this size the budget allows."""
        left, each = budget - self.spent, self._cost(size)
        return max(0, math.floor(left / each + 1e-9))

    def best(self, candidates: Sequence[Candidate], size: float) -> list[Candidate]:
        """Those that were tried at this size, the smallest mean loss first."""
        tried = [one for one in candidates if self.losses.get((one, size))]
        return sorted(tried, key=lambda one: self.loss(one, size))

    def loss(self, candidate: Candidate, size: float) -> float:
        """The mean loss so far."""
        return float(np.mean(self.losses[candidate, size]))

    @property
    def table(self) -> pa.Table:
        """See :class:`Choice`."""
        rows: list[dict[str, Any]] = [
            {
                "candidate": one.name,
                "share": size,
                "seeds": len(losses),
                "loss": self.loss(one, size),
            }
            for (one, size), losses in self.losses.items()
        ]
        kinds = [("candidate", pa.string()), ("share", pa.float64()), ("seeds", pa.int64())]
        return pa.Table.from_pylist(rows, schema=pa.schema([*kinds, ("loss", pa.float64())]))


def choose(
    candidates: Sequence[Candidate],
    sizes: Sequence[float],
    tolerance: float,
    search: Search,
    budget: Callable[[float], float],
) -> Choice:
    """Find the candidate and the smallest size whose mean loss is within the tolerance.

    All candidates are tried at a middle size with one seed, the better half with a second, the
    better half of those with a third (successive halving: Jamieson and Talwalkar, AISTATS 2016).
    The best two go on to smaller sizes while they stay within the tolerance, or to larger ones
    until one does.

    Args:
        candidates: the most promising first.
        sizes: shares to choose from, from large to small.
        tolerance: accuracy (0..1) that the chosen set may lose on the validation examples.
        search: tries candidates.
        budget: how much may be spent in all to choose this size; where it allows no model at all,
            the first candidate is taken.
    """
    start = sizes.index(middle(sizes))
    survivors = list(candidates)
    for seed in range(SEEDS):
        tried = survivors[: search.affordable(sizes[start], budget(sizes[start]))]
        if not tried:
            break
        search.try_at(tried, sizes[start], seed)
        ranked = search.best(tried, sizes[start])
        survivors = ranked[: math.ceil(len(ranked) / 2)] if seed < SEEDS - 1 else ranked
    if not survivors:
        return Choice(None, sizes[start], search.table)
    if not search.losses:  # nothing could be afforded
        return Choice(survivors[0], sizes[start], search.table)
    survivors = [one for one in survivors if len(search.losses[one, sizes[start]]) > 1] or survivors
    chosen, size = survivors[0], sizes[start]
    finalists = survivors[:2]
    within = search.loss(chosen, size) <= tolerance
    rest = sizes[start + 1 :] if within else sizes[:start][::-1]
    for other in rest:
        affordable = [
            finalists[:count]
            for count in (2, 1)
            if search.spent + search.price(finalists[:count], other) <= budget(other)
        ]
        if not affordable:
            break
        search.finish(affordable[0], other)
        ranked = search.best(finalists, other)
        if not ranked:
            break
        fits = search.loss(ranked[0], other) <= tolerance
        if within and not fits:
            break
        chosen, size = ranked[0], other
        if fits and not within:
            break
    return Choice(chosen, size, search.table)
