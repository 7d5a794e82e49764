"""What the selection keeps of each class, and how often each class is forgotten."""

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
    found: Outcomes,
    kept: np.ndarray | None,
    name_of: Callable[[object], str],
) -> tuple[list[ClassRow], int]:
    """At most 100 classes in the order of their labels, and how many there are.

    Of more than 100 classes, those with the most forgetting events an example are shown. Without
    labels there are none.
    """
    if "label" not in table.column_names or table["label"].null_count == len(table):
        return [], 0
    encoded = table["label"].combine_chunks().dictionary_encode("encode")
    labels = encoded.dictionary.to_pylist()
    groups = encoded.indices.to_numpy()
    size = len(labels)
    totals = np.bincount(groups, minlength=size)
    means = np.bincount(groups, found.events, size) / totals
    unforgettable = np.bincount(groups[found.unforgettable], minlength=size)
    kept_totals = None if kept is None else np.bincount(groups[kept], minlength=size)
    shown = sorted(range(size), key=lambda place: (-means[place], place))[:_SHOWN]
    shown.sort(key=lambda place: (labels[place] is None, labels[place]))
    rows = [
        ClassRow(
            name=name_of(labels[place]) or "no label",
            total=int(totals[place]),
            kept=None if kept_totals is None else int(kept_totals[place]),
            mean_events=float(means[place]),
            unforgettable=int(unforgettable[place]),
        )
        for place in shown
    ]
    return rows, size
