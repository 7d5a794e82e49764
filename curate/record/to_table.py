"""From the recorder's state to the example table."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from curate.record.history import History
from curate.record.packed import counts_of
from curate.record.state import COUNTS, NON_FINITE, State
from curate.record.statistics import LASTS, SEQUENCE_SUMS, SUMS
from curate.table import COLUMNS, annotate, describe


def to_table(
    ids: pa.Array,
    state: State,
    history: History | None,
    options: dict[str, object],
    also: Sequence[str] = (),
) -> pa.Table:
    """The example table (see ``curate.table.COLUMNS``), one row per id, in the order of ``ids``."""
    counts = counts_of(state.packed[:-1].cpu().numpy())
    presentations, never = counts.presentations, counts.presentations == 0
    columns = {
        "example_id": ids,
        "label": _column(counts.label_code - 1, counts.label_code == 0),
        "presentations": pa.array(presentations.astype(np.int32)),
        "forgetting_events": _column(counts.forgetting_events.astype(np.int32), never),
        "learning_events": _column(counts.learning_events.astype(np.int32), never),
        "first_learned": _column(counts.first_learned.astype(np.int32), counts.first_learned == 0),
    }
    if state.sums is not None:
        columns.update(_statistics(state.sums, presentations))
    for keeps in state.windowed.values():
        found = keeps.columns().items()
        columns.update({name: _column(*value) for name, value in found if name in also})
    if history is not None:
        columns.update(_history(history, len(ids)))
    order = [name for name in COLUMNS if name in columns]
    table = describe(pa.table({name: columns[name] for name in order}))
    return annotate(table, recording=options)


def _column(values: np.ndarray, null: np.ndarray) -> pa.Array:
    return pa.array(values, mask=null if null.any() else None)  # without nulls nothing is copied


def _statistics(sums: Tensor, presentations: np.ndarray) -> dict[str, pa.Array]:
    values = sums[:-1].t().clone(memory_format=torch.contiguous_format).cpu().numpy()
    total, last = np.split(values, [len(values) - len(LASTS)])
    non_finite = np.floor(total[COUNTS] / NON_FINITE)
    correct = total[COUNTS] - non_finite * NON_FINITE
    finite = presentations - non_finite
    unknown, count = finite == 0, np.maximum(finite, 1)
    never = presentations == 0
    columns = {
        "correct": _column(correct.astype(np.int32), never),
        "non_finite": _column(non_finite.astype(np.int32), never),
    }
    means: dict[str, np.ndarray] = {}
    summed = (*total[:COUNTS], *total[COUNTS + 1 :])  # sequences have SEQUENCE_SUMS too
    for kept, sum_ in zip((*SUMS, *SEQUENCE_SUMS), summed, strict=False):
        value = sum_ / count
        if kept.how == "sum of squares":
            variance = value - means[kept.statistic] ** 2
            # what is less than the difference's own rounding error is no spread
            value = np.sqrt(np.where(variance > 8 * np.finfo(float).eps * value, variance, 0.0))
        else:
            means[kept.statistic] = value
        columns[kept.column] = _column(value, unknown)
    for kept, value in zip(LASTS, last, strict=True):
        columns[kept.column] = _column(value, never | np.isnan(value))
    return columns


def _history(history: History, n: int) -> dict[str, pa.Array]:
    offsets, outcomes = history.lists(n)
    columns = {"history": _list_array(offsets, pa.array(outcomes))}
    ends = history.epoch_ends(n)
    if ends is not None:
        starts = np.arange(0, ends.size + 1, ends.shape[1])
        columns["epoch_ends"] = _list_array(starts, pa.array(ends.ravel()))
    return columns


def _list_array(offsets: np.ndarray, values: pa.Array) -> pa.Array:
    if offsets[-1] < 2**31:
        return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)
    return pa.LargeListArray.from_arrays(pa.array(offsets), values)


_MEANS = ("loss_mean", "margin_mean", "confidence_mean", "el2n_mean")


def summary_of(table: pa.Table) -> dict[str, float]:
    """See :meth:`curate.Recorder.summary`."""
    seen = table.filter(pc.greater(table["presentations"], 0))
    learned = pc.is_valid(seen["first_learned"])
    events = seen["forgetting_events"]
    numbers = {
        "presentations": pc.sum(seen["presentations"]).as_py() or 0,
        "examples_presented": len(seen),
        "share_learned": pc.mean(learned.cast("int8")).as_py(),
        "share_unforgettable": pc.mean(pc.and_(learned, pc.equal(events, 0)).cast("int8")).as_py(),
        "forgetting_events_mean": pc.mean(events).as_py(),
    }
    numbers |= {name: pc.mean(seen[name]).as_py() for name in _MEANS if name in table.column_names}
    return {name: float(value) for name, value in numbers.items() if value is not None}
