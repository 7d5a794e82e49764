"""The outcome of training for every example, and histograms of them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import CurateError


@dataclass(frozen=True)
class Outcomes:
    """The outcome of every row; all arrays have the shape (rows,).

    Attributes:
        presentations: int64, 0 where never presented.
        events: int64 forgetting events, 0 where never presented.
        presented: bool.
        never_learned: bool, presented but learned in no run.
        unlearned: bool, presented but not learned in at least one run: its forgetting score is
            +inf.
        unforgettable: bool, learned in every run and never forgotten (Toneva et al., ICLR 2019).
    """

    presentations: np.ndarray
    events: np.ndarray
    presented: np.ndarray
    never_learned: np.ndarray
    unlearned: np.ndarray
    unforgettable: np.ndarray


def outcomes_of(table: pa.Table | pa.RecordBatch) -> Outcomes:
    """The outcomes of the rows of an example table.

    Raises:
        CurateError: a needed column is missing.
    """
    names = table.schema.names
    for name in ("example_id", "presentations", "forgetting_events", "first_learned"):
        if name not in names:
            raise CurateError(f"table: it lacks the column {name!r}; give a table of a Recorder")
    presentations, events = numbers(table, "presentations"), numbers(table, "forgetting_events")
    presented = presentations > 0
    never_learned = presented & np.asarray(pc.is_null(table.column("first_learned")), bool)
    unlearned = never_learned
    if "runs" in names and "runs_learned" in names:
        unlearned = presented & (numbers(table, "runs_learned") < numbers(table, "runs"))
    return Outcomes(
        presentations=presentations,
        events=events,
        presented=presented,
        never_learned=never_learned,
        unlearned=unlearned,
        unforgettable=presented & ~unlearned & (events == 0),
    )


def numbers(table: pa.Table | pa.RecordBatch, name: str) -> np.ndarray:
    """A column of counts as int64 (rows,), null as 0."""
    return np.asarray(pc.fill_null(table.column(name), 0)).astype(np.int64)


def most_forgotten(outcomes: Outcomes, limit: int) -> np.ndarray:
    """The rows with the most events, most first, ties in row order; int64 (at most limit,)."""
    forgotten = np.flatnonzero(outcomes.events > 0)
    order = np.argsort(-outcomes.events[forgotten], kind="stable")
    return forgotten[order[:limit]]


@dataclass(frozen=True)
class Bar:
    """A bar of the histogram: the examples whose number of forgetting events it covers."""

    label: str
    total: int
    kept: int


def bars(values: np.ndarray, totals: np.ndarray, kept: np.ndarray, limit: int = 24) -> list[Bar]:
    """Group numbers of forgetting events into at most ``limit`` bars.

    Examples without an event always have a bar of their own. The others share bars of one width
    that cover 99.5 % of the examples; one more bar takes the tail.

    Args:
        values: distinct numbers of events, ascending, int64 (v,).
        totals: how many examples have each, int64 (v,).
        kept: how many of them are kept, int64 (v,).
        limit: at least 3.
    """
    if not len(values):
        return []
    top, width = int(values[-1]), 1
    starts = list(range(min(top + 1, limit)))
    if top >= limit:
        share = np.cumsum(totals) / totals.sum()
        body = max(1, int(values[np.searchsorted(share, 0.995)]))
        width = -(-body // (limit - 2))
        starts = [0, *range(1, body + 1, width)]
        if starts[-1] + width <= top:
            starts.append(starts[-1] + width)
    bar_of = np.searchsorted(starts, values, side="right") - 1
    sums = np.bincount(bar_of, totals, len(starts)).astype(np.int64)
    kept_sums = np.bincount(bar_of, kept, len(starts)).astype(np.int64)
    ends = [*(start - 1 for start in starts[1:]), starts[-1] + width - 1]
    labels = [_label(start, end) for start, end in zip(starts, ends, strict=True)]
    if top > ends[-1]:
        labels[-1] = f"{starts[-1]:,}+"
    return [
        Bar(label, int(total), int(kept_total))
        for label, total, kept_total in zip(labels, sums, kept_sums, strict=True)
    ]


def _label(start: int, end: int) -> str:
    return f"{start:,}" if start == end else f"{start:,}–{end:,}"
