"""The decision on each example, and its reason in words."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.pruning.policy import COPIES, Policy
from curate.pruning.registry import Strategy
from curate.scores.dynamics import never_learned
from curate.scores.registry import SCORES, name_of
from curate.table.column import mask_to_arrow, nulls

KEPT, REMOVED, REMOVED_HARDEST, NEVER_LEARNED, KEPT_UNKNOWN, REMOVED_UNKNOWN, COPY = range(7)
"""Fates, int8, one per example; they index the words of :func:`reasons`."""


def is_kept(fates: np.ndarray) -> np.ndarray:
    """Mask of the examples that are kept."""
    return (fates == KEPT) | (fates == KEPT_UNKNOWN)


def reasons(strategy: Strategy, options: Mapping[str, Any], duplicates: str = "keep") -> list[str]:
    """The words for every fate under a strategy."""
    share = options[strategy.cut] if strategy.cut else Fraction(0)
    return [
        strategy.kept,
        strategy.removed,
        f"removed: among the hardest {float(100 * share):g} %",
        "removed: never learned",
        "kept: no score",
        "removed: no score",
        *(["removed: a copy of another example"] if duplicates == "drop" else []),
    ]


def selection_rows(
    ids: pa.ChunkedArray | pa.Array,
    labels: pa.ChunkedArray | pa.Array | None,
    scores: np.ndarray,
    fates: np.ndarray,
    words: list[str],
) -> pa.Table:
    """The rows of a selection: example_id, label (if known), kept, score, reason."""
    unknown = np.isnan(scores)
    columns: dict[str, pa.ChunkedArray | pa.Array] = {
        "example_id": ids,
        "kept": mask_to_arrow(is_kept(fates)),
        "score": pa.array(scores, mask=unknown if unknown.any() else None),
        "reason": pa.DictionaryArray.from_arrays(pa.array(fates), pa.array(words), safe=False),
    }
    fields = [
        pa.field(name, column.type, nullable=name == "score") for name, column in columns.items()
    ]
    if labels is not None:
        columns["label"] = labels
        fields.insert(1, pa.field("label", labels.type))
    schema = pa.schema(fields)
    return pa.table([columns[name] for name in schema.names], schema=schema)


def decided_before(table: pa.Table, scores: np.ndarray, policy: Policy) -> np.ndarray:
    """The fates that do not depend on the strategy; REMOVED for all rows that it may still keep.

    Raises:
        CurateError: rows without a score when ``unknown="error"``.
    """
    fates = np.full(len(scores), REMOVED, np.int8)
    if policy.never_learned == "drop":
        fates[never_learned(table)] = NEVER_LEARNED
    if policy.duplicates == "drop":
        for name in COPIES:
            if name in table.column_names:
                fates[~nulls(table, name)] = COPY
    if policy.strategy != "random":
        unknown = np.isnan(scores)
        if unknown.any():
            unknown &= fates == REMOVED
            if policy.unknown == "error":
                raise unknown_scores(int(np.count_nonzero(unknown)), len(scores), policy)
            fates[unknown] = KEPT_UNKNOWN if policy.unknown == "keep" else REMOVED_UNKNOWN
    return fates


def unknown_scores(unknown: int, total: int, policy: Policy) -> CurateError:
    """The error for rows without a score."""
    by = name_of(policy.by)
    cause = "never presented, or never with finite logits" if by in SCORES else "null or NaN"
    return CurateError(
        f"unknown: {unknown:,} of {total:,} rows have no {by} score ({cause}); give "
        "unknown='keep' to keep them or 'drop' to remove them"
    )
