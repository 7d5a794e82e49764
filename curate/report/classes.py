"""How much the selection keeps of every class, and how often every class is forgotten."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curate.report.outcomes import Outcomes

_SHOWN = 100


@dataclass(frozen=True)
class ClassRow:
    """One class: counts of examples and the mean number of forgetting events."""

    name: str
    total: int
    kept: int | None
    mean_events: float
    unforgettable: int


def class_rows(
    table: pa.Table,
    outcomes: Outcomes,
    kept: np.ndarray | None,
    name_of: Callable[[object], str],
) -> tuple[list[ClassRow], int]:
    """At most 100 classes in the order of their labels, and how many there are.

    Of more than 100 classes, those with the most forgetting events per example are shown.
    Without labels there are none.
    """
    if "label" not in table.column_names or table["label"].null_count == len(table):
        return [], 0
    encoded = table["label"].combine_chunks().dictionary_encode("encode")
    labels = encoded.dictionary.to_pylist()
    groups = encoded.indices.to_numpy()
    size = len(labels)
    totals = np.bincount(groups, minlength=size)
    means = np.bincount(groups, outcomes.events, size) / totals
    unforgettable = np.bincount(groups[outcomes.unforgettable], minlength=size)
    kept_totals = None if kept is None else np.bincount(groups[kept], minlength=size)
    shown = sorted(range(size), key=lambda index: (-means[index], index))[:_SHOWN]
    shown.sort(key=lambda index: (labels[index] is None, labels[index]))
    rows = [
        ClassRow(
            name=name_of(labels[index]) or "no label",
            total=int(totals[index]),
            kept=None if kept_totals is None else int(kept_totals[index]),
            mean_events=float(means[index]),
            unforgettable=int(unforgettable[index]),
        )
        for index in shown
    ]
    return rows, size
