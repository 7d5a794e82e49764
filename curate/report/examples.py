"""The sortable table of the report: a sample of the examples with all statistics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curate.report.outcomes import Outcomes, most_forgotten
from curate.report.text import clean, count, percent

_HARDEST, _OTHERS = 100, 200
_LAST = 1e300
"""Sorts infinite values (never learned) after every number; JSON has no infinity."""


@dataclass(frozen=True)
class Column:
    """A column of the sample: one text to show and one number to sort by for each row."""

    key: str
    heading: str
    explanation: str
    numeric: bool
    cells: list[str]
    sort_keys: list[float | None]


@dataclass(frozen=True)
class Sample:
    """Rows to show, column by column, and how they were drawn."""

    columns: list[Column]
    rows: int
    drawn: str

    @property
    def sort_keys(self) -> list[list[float | None]]:
        """For each row the keys of its columns; None sorts last."""
        return [list(row) for row in zip(*(c.sort_keys for c in self.columns), strict=True)]


_NUMBERS = (
    ("margin_mean", "AUM", "mean margin of the label's logit", "{:.2f}"),
    ("confidence_mean", "Confidence", "mean probability of the label", "{:.3f}"),
    ("confidence_std", "Variability", "standard deviation of that probability", "{:.3f}"),
)


def sample(
    table: pa.Table,
    outcomes: Outcomes,
    chosen: pa.Table | None,
    name_of: Callable[[object], str],
) -> Sample:
    """The 100 most forgotten examples and 200 of the others, the same ones at every call.

    Args:
        table: the example table.
        outcomes: the outcomes of its rows.
        chosen: the selection's rows in the same order, or None.
        name_of: a label or None -> its class name.
    """
    rows = np.arange(len(table))
    drawn = "all examples"
    if len(table) > _HARDEST + _OTHERS:
        hardest = most_forgotten(outcomes, _HARDEST)
        others = np.setdiff1d(rows, hardest, assume_unique=True)
        others = np.random.default_rng(0).choice(others, _OTHERS, replace=False)
        rows = np.concatenate([hardest, np.sort(others)])
        drawn = f"the {len(hardest)} most forgotten and {_OTHERS} others drawn at random"
    shown = table.take(rows)
    names = shown.column_names
    columns = [_ids(shown["example_id"].to_pylist())]
    if "label" in names and shown["label"].null_count < len(shown):
        columns.append(_labels(shown["label"].to_pylist(), name_of))
    columns += _counts(shown, outcomes, rows)
    for key, heading, explanation, form in _NUMBERS:
        if key in names:
            columns.append(_floats(key, heading, explanation, shown[key].to_pylist(), form))
    if chosen is not None:
        selected = chosen.take(rows)
        by = "what the selection ranks by; high is hard"
        columns.append(_floats("score", "Score", by, selected["score"].to_pylist(), "{:.4g}"))
        columns.append(_selection(selected["kept"].to_pylist()))
    return Sample(columns, len(rows), drawn)


def _ids(ids: list[Any]) -> Column:
    ranks = {value: float(rank) for rank, value in enumerate(sorted(set(ids)))}
    keys: list[float | None] = [ranks[value] for value in ids]
    cells = [clean(value) for value in ids]
    return Column("example_id", "Example", "its stable id", False, cells, keys)


def _labels(labels: list[Any], name_of: Callable[[object], str]) -> Column:
    cells = [name_of(label) for label in labels]
    keys = [None if label is None else float(label) for label in labels]
    return Column("label", "Class", "the label it was trained with", False, cells, keys)


def _counts(shown: pa.Table, outcomes: Outcomes, rows: np.ndarray) -> list[Column]:
    events, seen = outcomes.events[rows], outcomes.presentations[rows]
    met, never = outcomes.presented[rows], outcomes.never_learned[rows]
    columns = [
        Column(
            "forgetting_events",
            "Forgotten",
            "forgetting events",
            True,
            [count(value) if known else "–" for value, known in zip(events, met, strict=True)],
            [float(value) if known else None for value, known in zip(events, met, strict=True)],
        ),
        Column(
            "presentations",
            "Seen",
            "presentations",
            True,
            [count(value) for value in seen],
            [float(value) for value in seen],
        ),
    ]
    if "correct" in shown.column_names:
        right = [
            None if value is None or not total else value / total
            for value, total in zip(shown["correct"].to_pylist(), seen, strict=True)
        ]
        cells = ["–" if share is None else percent(share, digits=0) for share in right]
        words = "share of its presentations that were correct"
        columns.append(Column("correct", "Correct", words, True, cells, right))
    first = shown["first_learned"].to_pylist()
    cells, keys = [], []
    for value, known, lost in zip(first, met, never, strict=True):
        cells.append("never" if lost else "–" if not known or value is None else f"{value:.4g}")
        keys.append(_LAST if lost else None if not known or value is None else float(value))
    words = "presentations until first correct"
    columns.append(Column("first_learned", "First learned", words, True, cells, keys))
    return columns


def _floats(
    key: str, heading: str, explanation: str, values: list[float | None], form: str
) -> Column:
    cells, keys = [], []
    for value in values:
        known = value is not None and value == value
        cells.append(_shown(value, form) if known else "–")  # type: ignore[arg-type]
        keys.append(max(-_LAST, min(_LAST, float(value))) if known else None)  # type: ignore[arg-type]
    return Column(key, heading, explanation, True, cells, keys)


def _shown(value: float, form: str) -> str:
    if abs(value) == float("inf"):
        return "∞" if value > 0 else "−∞"
    return form.format(value).replace("-", "−")


def _selection(kept: list[bool]) -> Column:
    cells = ["kept" if is_kept else "removed" for is_kept in kept]
    keys: list[float | None] = [float(is_kept) for is_kept in kept]
    return Column("kept", "Selection", "kept or removed", False, cells, keys)
