"""Scan a table on disk in parallel parts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from curate.pruning.fates import REMOVED, decided_before
from curate.pruning.on_disk.boundary import Ranked
from curate.pruning.policy import Policy, needed_columns
from curate.scores.registry import columns_of, score
from curate.table._hash_ids import hash_ids
from curate.table.jobs import run_jobs
from curate.table.row_groups import RowGroups

_PART = 1 << 22  # rows that one thread scans, and writes to one file
_MOST_PARTS = 500


class Rows(NamedTuple):
    """A batch of rows of a table, scored."""

    ids: pa.Array
    labels: pa.Array | None
    scores: np.ndarray
    fates: np.ndarray  # of those decided before; REMOVED for the others
    ranked: Ranked  # for the strategy; those decided before take no part


class Stream:
    """A table in parts, which do not depend on the machine, scanned as often as asked."""

    def __init__(self, row_groups: RowGroups, policy: Policy, executor: Any = None) -> None:
        self.policy, self.schema, self._executor = policy, row_groups.schema, executor
        self.total = sum(row_groups.rows)
        self.columns = needed_columns(policy, row_groups.schema)
        self.parts = _split(row_groups.rows, min(_MOST_PARTS, -(-self.total // _PART)))
        self._row_groups = row_groups

    def rows(self, visit: Callable[[int, Iterator[Rows]], Any]) -> list[Any]:
        """What ``visit(part, its rows)`` returns for each part, one job per part."""
        return self._map(visit, self.columns)

    def unlabelled(self, visit: Callable[[int, Iterator[Rows]], Any]) -> list[Any]:
        """The same without the labels, which the ranking does not need."""
        unused = {"label"} - set(columns_of(self.policy.by, self.columns))
        return self._map(visit, [name for name in self.columns if name not in unused])

    def _map(
        self, visit: Callable[[int, Iterator[Rows]], Any], columns: Sequence[str]
    ) -> list[Any]:
        scan = partial(self._visited, visit, columns)
        return run_jobs(scan, range(len(self.parts)), self._executor)

    def _visited(
        self, visit: Callable[[int, Iterator[Rows]], Any], columns: Sequence[str], part: int
    ) -> Any:
        return visit(part, self._read(part, columns))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_executor": None}  # a job starts none of its own

    def _read(self, part: int, columns: Sequence[str]) -> Iterator[Rows]:
        policy = self.policy
        if policy.unknown == "error":  # raised for all rows together, once they are counted
            policy = replace(policy, unknown="drop")
        for index in self.parts[part]:
            for batch in self._row_groups.read(index, columns):
                table = pa.Table.from_batches([batch])
                scores = score(table, policy.by, seed=policy.seed)
                fates = decided_before(table, scores, policy)
                ids = batch["example_id"]
                labels = batch["label"] if "label" in columns else None
                priority = _priority(scores, fates, policy.strategy)
                ranked = Ranked(priority, partial(_hashes, ids, policy))
                yield Rows(ids, labels, scores, fates, ranked)


def _priority(scores: np.ndarray, fates: np.ndarray, strategy: str) -> np.ndarray:
    if strategy == "random":
        priority = np.zeros(len(scores))
    else:
        priority = -scores if strategy == "easiest" else scores
    aside = fates != REMOVED
    return np.where(aside, np.nan, priority) if aside.any() else priority


def _hashes(ids: pa.Array, policy: Policy, rows: np.ndarray) -> np.ndarray:
    return hash_ids(ids.take(pa.array(rows)), seed=policy.seed, purpose=policy.purpose)


def _split(rows: Sequence[int], most: int) -> list[range]:
    """Consecutive row groups in at most so many parts of about the same number of rows."""
    ends = np.cumsum(rows)
    shares = np.linspace(0, ends[-1], min(most, len(rows)) + 1)[1:]
    cuts = [0, *(int(cut) + 1 for cut in np.searchsorted(ends, shares))]
    cuts[-1] = len(rows)
    return [range(a, b) for a, b in pairwise(cuts) if b > a]
