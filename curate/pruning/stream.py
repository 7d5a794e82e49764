"""The rows of a table on disk, gone through part by part in threads."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from curate.pruning.boundary import Ranked
from curate.pruning.fates import REMOVED, set_aside
from curate.pruning.policy import Policy, needed_columns
from curate.scores.hash_ids import hash_ids
from curate.scores.score import score
from curate.table.pieces import Pieces
from curate.table.spill import Spill

_PART = 1 << 22  # rows that one thread goes through, and writes to one file
_MOST_PARTS = 500


class Rows(NamedTuple):
    """Some rows of a table, scored."""

    ids: pa.Array
    labels: pa.Array | None
    scores: np.ndarray
    fates: np.ndarray  # of those set aside; REMOVED for the others
    ranked: Ranked  # for the strategy; those set aside take no part


class Stream:
    """A table in parts, which do not depend on the machine.

    It is read once; what a selection needs of each row is spilled, and gone through again from
    there: decoding Parquet takes several times as long.
    """

    def __init__(self, pieces: Pieces, policy: Policy, spill: Spill) -> None:
        self.policy, self.schema = policy, pieces.schema
        self.total = sum(pieces.rows)
        self.columns = needed_columns(policy, pieces.schema)
        self.parts = _split(pieces.rows, min(_MOST_PARTS, -(-self.total // _PART)))
        self._pieces, self._spill = pieces, spill
        fields = [pieces.schema.field("example_id"), ("score", pa.float64()), ("fate", pa.int8())]
        if "label" in self.columns:
            fields.append(pieces.schema.field("label"))
        self._schema = pa.schema(fields)

    def first(self, visit: Callable[[int, Iterator[Rows]], Any]) -> list[Any]:
        """What ``visit(part, its rows)`` returns for each part, from the table itself."""
        return self._map(lambda part: visit(part, self._read(part)))

    def again(self, visit: Callable[[int, Iterator[Rows]], Any]) -> list[Any]:
        """The same, once all parts have been gone through a first time."""
        return self._map(lambda part: visit(part, self._reread(part, self._schema.names)))

    def scan(self, visit: Callable[[Iterator[Ranked]], Any], hashes: bool) -> list[Any]:
        """The same of the ranking alone; ids are read only if hashes are asked for."""
        columns = ["score", "fate", "example_id"] if hashes else ["score", "fate"]
        return self._map(lambda part: visit(rows.ranked for rows in self._reread(part, columns)))

    def _map(self, visit: Callable[[int], Any]) -> list[Any]:
        with ThreadPoolExecutor(max(1, min(len(self.parts), pa.cpu_count()))) as pool:
            jobs = [pool.submit(visit, part) for part in range(len(self.parts))]
            try:
                return [job.result() for job in jobs]
            finally:
                pool.shutdown(cancel_futures=True)  # after an error the rest need not run

    def _read(self, part: int) -> Iterator[Rows]:
        policy = self.policy
        if policy.unknown == "error":  # raised for all rows together, once they are counted
            policy = replace(policy, unknown="drop")
        with self._spill.write(part, self._schema) as writer:
            for piece in self.parts[part]:
                for batch in self._pieces.read(piece, self.columns):
                    table = pa.Table.from_batches([batch])
                    scores = score(table, policy.by, seed=policy.seed)
                    fates = set_aside(table, scores, policy)
                    found = {"score": pa.array(scores), "fate": pa.array(fates)}
                    columns = [
                        found[name] if name in found else batch[name] for name in self._schema.names
                    ]
                    spilled = pa.record_batch(columns, schema=self._schema)
                    writer.write_batch(spilled)
                    yield self._rows(spilled)

    def _reread(self, part: int, columns: Sequence[str]) -> Iterator[Rows]:
        for batch in self._spill.read(part, columns):
            yield self._rows(batch)

    def _rows(self, batch: pa.RecordBatch) -> Rows:
        policy, names = self.policy, batch.schema.names
        ids, labels = (batch[name] if name in names else None for name in ("example_id", "label"))
        scores, fates = batch["score"].to_numpy(), batch["fate"].to_numpy()
        ranked = Ranked(_priority(scores, fates, policy.strategy), partial(_hashes, ids, policy))
        return Rows(ids, labels, scores, fates, ranked)


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
    """Consecutive pieces in at most so many parts of about the same number of rows."""
    ends = np.cumsum(rows)
    shares = np.linspace(0, ends[-1], min(most, len(rows)) + 1)[1:]
    cuts = [0, *(int(cut) + 1 for cut in np.searchsorted(ends, shares))]
    cuts[-1] = len(rows)
    return [range(a, b) for a, b in pairwise(cuts) if b > a]
