"""What sources share: counted, listed, and marked so that a split keeps it on one side."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

_SHOWN = 3  # ids in a sentence


@dataclass(frozen=True, eq=False, repr=False)
class Overlap:
    """The examples of each source that are also in another one.

    Attributes:
        counts: one row per source and other source that share something: ``source``, ``other``,
            ``examples`` of the source, ``equal``: those that are in the other byte for byte (of
            features: number for number), ``near``: those without an equal one there that have a
            near copy.
        pairs: one row per such example and other source: ``source``, ``other``, ``example_id``,
            ``other_id`` (both as text), ``kind`` ("equal" or "near"), ``distance``: to the copy,
            in distances to unrelated neighbours; 0 for equal ones.
        marks: for each source int64 (n,): equal numbers mark copies and given groups, within and
            across sources; these must never stand on both sides of a split.
        note: where near copies were not looked for among all, or not at all, the reason; else "".
    """

    counts: pa.Table
    pairs: pa.Table
    marks: tuple[np.ndarray, ...]
    note: str

    @property
    def table(self) -> pa.Table:
        """The counts."""
        return self.counts

    @property
    def sentences(self) -> list[str]:
        """One for each source and other source that share something; at most one a pair."""
        said: set[frozenset[str]] = set()
        found = []
        rows = self.counts.to_pylist()
        for row in sorted(rows, key=lambda row: -(row["equal"] + row["near"]) / row["examples"]):
            both = frozenset((row["source"], row["other"]))
            if both in said:
                continue
            said.add(both)
            found.append(self.sentence(row))
        return found

    def sentence(self, row: dict[str, Any]) -> str:
        """A row of the counts in words, with the first ids."""
        parts = []
        if row["equal"]:
            parts.append(
                f"{row['equal']:,} of the {row['examples']:,} examples of "
                f"{row['source']!r} are also in {row['other']!r}, equal to the last byte"
            )
        if row["near"]:
            near = f"{row['near']:,}"
            if row["equal"]:
                parts.append(f"{near} more look alike")
            else:
                parts.append(
                    f"{near} of the {row['examples']:,} examples of {row['source']!r} "
                    f"have a near copy in {row['other']!r}"
                )
        own = [
            pair
            for pair in self.pairs.to_pylist()
            if (pair["source"], pair["other"]) == (row["source"], row["other"])
        ]
        ids = ", ".join(pair["example_id"] for pair in own[:_SHOWN])
        return f"{'; '.join(parts)} ({ids}{' …' if len(own) > _SHOWN else ''})."

    def __repr__(self) -> str:
        return f"Overlap({len(self.pairs):,} copies in {len(self.counts)} pairs of sources)"

    def __str__(self) -> str:
        """A sentence per pair of sources that share something."""
        if not len(self.counts):
            return " ".join(filter(None, ["The sources share no examples.", self.note]))
        return "\n".join([*self.sentences, *filter(None, [self.note])])


COUNTS = pa.schema(
    [
        ("source", pa.string()),
        ("other", pa.string()),
        ("examples", pa.int64()),
        ("equal", pa.int64()),
        ("near", pa.int64()),
    ]
)
PAIRS = pa.schema(
    [
        ("source", pa.string()),
        ("other", pa.string()),
        ("example_id", pa.string()),
        ("other_id", pa.string()),
        ("kind", pa.string()),
        ("distance", pa.float64()),
    ]
)
