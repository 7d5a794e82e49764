"""What a search for the smallest set tries: scores and strategies."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from curate.data import ExampleSet
from curate.errors import CurateError
from curate.pruning import STRATEGIES, Selection, prune
from curate.pruning.fates import decided_before
from curate.pruning.policy import Policy, make_policy, needed_columns
from curate.record import Recorder
from curate.scores import SCORES, score
from curate.scores.registry import By, name_of
from curate.table import merge


@dataclass(frozen=True, eq=False)
class Candidate:
    """One way to choose examples: the arguments of :func:`curate.prune`, but for how many.

    Attributes:
        by: a score, a column, an array with a number per example, or a function.
        strategy: a name in ``curate.pruning.STRATEGIES`` or a function.
        options: of the strategy, and ``ties``, ``stratify`` and the like of ``prune``.
    """

    by: By
    strategy: str | Callable[..., Any] = "hardest"
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The score's name, and the strategy's where it is not "hardest": "aum-window"."""
        strategy = self.strategy if isinstance(self.strategy, str) else self.strategy.__qualname__
        parts = [name_of(self.by), *([] if strategy == "hardest" else [strategy])]
        return "-".join(parts)

    @property
    def facts(self) -> tuple[Any, ...]:
        """Everything that decides what it chooses, for a hash; of functions only the names."""
        ranked = self.name if callable(self.by) else self.by
        scores = ranked if isinstance(ranked, str) else np.asarray(ranked).tobytes()
        return (self.name, scores, sorted(self.options.items()))

    def arm(self, size: int) -> str:
        """The name of its runs at a size, which is also the name of their files."""
        return f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', self.name)}-{size}"

    def __repr__(self) -> str:
        return f"Candidate({self.name})"

    def at(self, rows: np.ndarray) -> "Candidate":
        """The same for some rows of the data set: of an array, their numbers."""
        if isinstance(self.by, str) or callable(self.by):
            return self
        values = self.by.to_numpy() if isinstance(self.by, pa.ChunkedArray) else self.by
        return replace(self, by=np.asarray(values)[rows])

    def select(self, table: pa.Table, keep: Any, stratify: Any) -> Selection:
        """The selection that it makes of a table."""
        chosen = {"stratify": stratify, **self.options}
        return prune(table, keep, self.by, self.strategy, **chosen)


_COUNTING = ("forgetting", "first_learned")
"""Scores that are small whole numbers: most examples tie, and the margin tells them apart."""

_FIRST = ("aum", "forgetting", "el2n", "dual", "variability", "confidence", "dyn_unc", "tdds")
"""The order in which scores are tried where not all can be; others follow in theirs."""

_RANGE_KEEPING = {
    "aum": ("window", "ccs", "moderate", "beta"),
    "el2n": ("ccs", "window"),
    "forgetting": ("ccs",),
    "dual": ("beta",),
}
"""Strategies that leave out the very hardest or sample the whole range: at small sizes the hardest
alone are too hard to learn from (Zheng et al., ICLR 2023; Sorscher et al., NeurIPS 2022)."""


def candidates_for(table: pa.Table, by: Any) -> list[Candidate]:
    """The candidates that a search tries on a recorded table, the most promising first.

    Args:
        table: an example table.
        by: "auto" for every score whose columns the table has, alone and with the strategies
            that suit it; or a score, column, array, function or :class:`Candidate`, or a list of
            these.

    Raises:
        CurateError: an empty list, or a score that the table cannot give.
    """
    if not (isinstance(by, str) and by == "auto"):
        listed = isinstance(by, list) and not all(isinstance(one, int | float) for one in by)
        given = by if listed or (isinstance(by, list) and not by) else [by]
        if not given:
            raise CurateError("by: an empty list; give a score, a Candidate, or 'auto'")
        chosen = [one if isinstance(one, Candidate) else _candidate(one) for one in given]
        names = [one.name for one in chosen]
        if "random" in names:
            raise CurateError("by: 'random' is the arm that every size has anyway; give a score")
        if len(set(names)) < len(names):
            raise CurateError(f"by: {names} are called the same; give each another name or once")
        return chosen
    columns = set(table.column_names)
    merged = "runs" in columns
    usable = [
        name
        for name, entry in SCORES.items()
        if name != "random"
        and columns.issuperset(entry.columns + (entry.columns_if_merged if merged else ()))
    ]
    usable.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    alone = [_candidate(name) for name in usable]
    mixed = [
        Candidate(name, strategy, _ties(name) if STRATEGIES[strategy].ranks else {})
        for name in usable
        for strategy in _RANGE_KEEPING.get(name, ())
        if strategy in STRATEGIES
    ]
    return _interleaved(alone, mixed)


def _candidate(by: By) -> Candidate:
    return Candidate(by, options=_ties(by))


def _ties(by: By) -> dict[str, Any]:
    return {"ties": "margin"} if isinstance(by, str) and by in _COUNTING else {}


def _interleaved(alone: Sequence[Candidate], mixed: Sequence[Candidate]) -> list[Candidate]:
    """Two scores, then a mixture, and so on: a short search shall see both kinds."""
    result, rest = list(alone), list(mixed)
    for position in range(2, 3 * len(rest), 3):
        if rest and position < len(result):
            result.insert(position, rest.pop(0))
    return result + rest


def distinct(
    candidates: Sequence[Candidate], table: pa.Table, keep: Any, stratify: Any, most: int
) -> list[Candidate]:
    """The first ``most`` candidates that keep different examples.

    One that shares 95 % of its examples with one before it would be trained for nothing. One
    that cannot rank this table is left out.
    """
    chosen: list[Candidate] = []
    masks: list[np.ndarray] = []
    for candidate in candidates:
        if len(chosen) == most:
            break
        try:
            mask = candidate.select(table, keep, stratify).table["kept"].to_numpy()
        except CurateError:
            if len(candidates) == 1:
                raise
            continue
        if all(np.count_nonzero(mask & other) < 0.95 * mask.sum() for other in masks):
            chosen.append(candidate)
            masks.append(mask)
    return chosen


def check_candidate(candidate: Candidate, keep: Any, stratify: Any, train_set: ExampleSet) -> None:
    """Raise a CurateError for one that cannot rank this set, before anything is trained."""
    choices = {
        name: candidate.options.get(name, default)
        for name, default in (
            ("never_learned", "keep"),
            ("unknown", "error"),
            ("ties", "hash"),
            ("min_per_class", None),
        )
    }
    options = {name: value for name, value in candidate.options.items() if name not in choices}
    policy = make_policy(
        keep, candidate.by, candidate.strategy, options, seed=0, stratify=stratify, **choices
    )
    check_by(policy, train_set, 2)


def check_by(policy: Policy, train_set: ExampleSet, seeds: int) -> None:
    """Rank the table as it is before the first presentation, to see that it can be ranked.

    A function is not called: it may need the values that only training brings.
    """
    table = merge([Recorder(train_set.ids, history=True).table()] * seeds)
    needed_columns(policy, table.schema)
    if callable(policy.by):
        return
    scores = score(table, policy.by)
    if not isinstance(policy.by, str) and policy.never_learned == "keep":
        decided_before(table, scores, policy)  # an array lacks the same scores after training
