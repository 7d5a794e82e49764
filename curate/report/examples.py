"""The sortable table of the report: a sample of the examples with all statistics."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from curate.report.explore import LAST, Column, Examples, float_column, ids_column, saved
from curate.report.outcomes import Outcomes, most_forgotten
from curate.report.text import count, percent

_HARDEST, _OTHERS = 100, 200

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
    shown_too: np.ndarray,
) -> Examples:
    """The 100 most forgotten examples and 200 of the others, the same ones at every call.

    Args:
        table: the example table.
        outcomes: the outcomes of its rows.
        chosen: the selection's rows in the same order, or None.
        name_of: a label or None -> its class name.
        shown_too: rows that galleries show, which are added.
    """
    rows = np.arange(len(table))
    drawn = "all examples"
    if len(table) > _HARDEST + _OTHERS:
        hardest = most_forgotten(outcomes, _HARDEST)
        others = np.setdiff1d(rows, hardest, assume_unique=True)
        others = np.random.default_rng(0).choice(others, _OTHERS, replace=False)
        more = np.setdiff1d(shown_too, np.concatenate([hardest, others]))
        rows = np.concatenate([hardest, more, np.sort(others)])
        drawn = f"the {len(hardest)} most forgotten and {_OTHERS} others drawn at random"
        if len(more):
            drawn += ", with those of the galleries"
    shown = table.take(rows)
    names = shown.column_names
    ids = shown["example_id"].to_pylist()
    columns = [ids_column(ids)]
    if "label" in names and shown["label"].null_count < len(shown):
        columns.append(_labels(shown["label"].to_pylist(), name_of))
    columns += _counts(shown, outcomes, rows)
    for key, heading, explanation, form in _NUMBERS:
        if key in names:
            columns.append(float_column(key, heading, explanation, shown[key].to_pylist(), form))
    if chosen is not None:
        selected = chosen.take(rows)
        by = "what the selection ranks by; high is hard"
        columns.append(float_column("score", "Score", by, selected["score"].to_pylist(), "{:.4g}"))
        columns.append(_selection(selected["kept"].to_pylist()))
    place = {int(row): position for position, row in enumerate(rows)}
    return Examples(
        columns, len(rows), drawn, [saved(one) for one in ids], ["label", "kept"], place
    )


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
            None if value is None or not total else 100 * value / total
            for value, total in zip(shown["correct"].to_pylist(), seen, strict=True)
        ]
        cells = ["–" if share is None else percent(share, 100, digits=0) for share in right]
        words = "share of its presentations that were correct"
        columns.append(Column("correct", "Correct", words, True, cells, right))
    first = shown["first_learned"].to_pylist()
    cells, keys = [], []
    for value, known, lost in zip(first, met, never, strict=True):
        cells.append("never" if lost else "–" if not known or value is None else f"{value:.4g}")
        keys.append(LAST if lost else None if not known or value is None else float(value))
    words = "presentations until first correct"
    columns.append(Column("first_learned", "First learned", words, True, cells, keys))
    return columns


def _selection(kept: list[bool]) -> Column:
    cells = ["kept" if is_kept else "removed" for is_kept in kept]
    keys: list[float | None] = [float(is_kept) for is_kept in kept]
    return Column("kept", "Selection", "kept or removed", False, cells, keys)
