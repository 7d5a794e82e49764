"""From the recorder's state to the example table."""

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from curate.record.history import History
from curate.record.state import (
    FIRST,
    FORGETTING,
    LABEL,
    LASTS,
    MOST,
    NON_FINITE,
    PRESENTATIONS,
    SUMS,
    State,
)
from curate.table import COLUMNS, annotate, describe


def to_table(
    ids: pa.Array, state: State, history: History | None, options: dict[str, object]
) -> pa.Table:
    """The example table (see ``curate.table.COLUMNS``), a row an id, in the order of ``ids``."""
    words = state.words[:-1].cpu().numpy()
    presentations, forgetting = _field(words, PRESENTATIONS), _field(words, FORGETTING, MOST >> 1)
    first, label = _field(words, FIRST), _field(words, LABEL)
    last, never = words & 1, presentations == 0
    learning = forgetting + last - (first == 1)
    columns = {
        "example_id": ids,
        "label": _column(label - 1, label == 0),
        "presentations": pa.array(presentations.astype(np.int32)),
        "forgetting_events": _column(forgetting.astype(np.int32), never),
        "learning_events": _column(learning.astype(np.int32), never),
        "first_learned": _column(first.astype(np.int32), first == 0),
    }
    if state.sums is not None:
        columns.update(_statistics(state.sums, presentations))
    if history is not None:
        columns.update(_history(history))
    order = [name for name in COLUMNS if name in columns]
    table = describe(pa.table({name: columns[name] for name in order}))
    return annotate(table, recording=options)


def _field(words: np.ndarray, shift: int, most: int = MOST) -> np.ndarray:
    return (words >> shift) & most


def _column(values: np.ndarray, null: np.ndarray) -> pa.Array:
    return pa.array(values, mask=null if null.any() else None)  # without nulls nothing is copied


def _statistics(sums: Tensor, presentations: np.ndarray) -> dict[str, pa.Array]:
    values = sums[:-1].t().clone(memory_format=torch.contiguous_format).cpu().numpy()
    total = dict(zip(SUMS, values, strict=False))
    non_finite = np.floor(total["counts"] / NON_FINITE)
    correct = total["counts"] - non_finite * NON_FINITE
    finite = presentations - non_finite
    unknown, count = finite == 0, np.maximum(finite, 1)
    never = presentations == 0
    mean = {name: total[name] / count for name in SUMS if name != "counts"}
    variance = np.maximum(mean["confidence_squared"] - mean["confidence"] ** 2, 0.0)
    columns = {
        "correct": _column(correct.astype(np.int32), never),
        "non_finite": _column(non_finite.astype(np.int32), never),
        "loss_mean": _column(mean["loss"], unknown),
        "margin_mean": _column(mean["margin"], unknown),
        "confidence_mean": _column(mean["confidence"], unknown),
        "confidence_std": _column(np.sqrt(variance), unknown),
        "el2n_mean": _column(mean["el2n"], unknown),
    }
    for name, last in zip(LASTS, values[-len(LASTS) :], strict=True):
        columns[name] = _column(last, never | np.isnan(last))
    if len(values) > len(SUMS) + len(LASTS):
        columns["tokens_correct_mean"] = _column(values[len(SUMS)] / count, unknown)
    return columns


def _history(history: History) -> dict[str, pa.Array]:
    offsets, outcomes = history.lists()
    columns = {"history": _list_array(offsets, pa.array(outcomes))}
    ends = history.epoch_ends()
    if ends is not None:
        starts = np.arange(0, ends.size + 1, ends.shape[1])
        columns["epoch_ends"] = _list_array(starts, pa.array(ends.ravel()))
    return columns


def _list_array(offsets: np.ndarray, values: pa.Array) -> pa.Array:
    if offsets[-1] < 2**31:
        return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)
    return pa.LargeListArray.from_arrays(pa.array(offsets), values)
