"""From the recorder's state to the example table."""

import numpy as np
import pyarrow as pa
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
from curate.table import annotate, describe


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
        "label": pa.array(label - 1, mask=label == 0),
        "presentations": pa.array(presentations.astype(np.int32)),
        "forgetting_events": pa.array(forgetting.astype(np.int32), mask=never),
        "learning_events": pa.array(learning.astype(np.int32), mask=never),
        "first_learned": pa.array(first.astype(np.int32), mask=first == 0),
    }
    if state.sums is not None:
        columns.update(_statistics(state.sums, presentations))
    if history is not None:
        columns.update(_history(history))
    order = [name for name in _ORDER if name in columns]
    table = describe(pa.table({name: columns[name] for name in order}))
    return annotate(table, recording=options)


_ORDER = (
    "example_id",
    "label",
    "presentations",
    "correct",
    "forgetting_events",
    "learning_events",
    "first_learned",
    "non_finite",
    "last_loss",
    "loss_mean",
    "margin_last",
    "margin_mean",
    "confidence_mean",
    "confidence_std",
    "el2n_mean",
    "tokens_correct_mean",
    "history",
    "epoch_ends",
)


def _field(words: np.ndarray, shift: int, most: int = MOST) -> np.ndarray:
    return (words >> shift) & most


def _statistics(sums: Tensor, presentations: np.ndarray) -> dict[str, pa.Array]:
    values = sums[:-1].cpu().numpy()
    total = dict(zip(SUMS, values.T[: len(SUMS)], strict=True))
    last = dict(zip(LASTS, values.T[-len(LASTS) :], strict=True))
    non_finite, correct = np.divmod(total["counts"], NON_FINITE)
    finite = presentations - non_finite
    unknown, count = finite == 0, np.maximum(finite, 1)
    never = presentations == 0
    mean = {name: total[name] / count for name in SUMS}
    variance = np.maximum(mean["confidence_squared"] - mean["confidence"] ** 2, 0.0)
    columns = {
        "correct": pa.array(correct.astype(np.int32), mask=never),
        "non_finite": pa.array(non_finite.astype(np.int32), mask=never),
        "loss_mean": pa.array(mean["loss"], mask=unknown),
        "margin_mean": pa.array(mean["margin"], mask=unknown),
        "confidence_mean": pa.array(mean["confidence"], mask=unknown),
        "confidence_std": pa.array(np.sqrt(variance), mask=unknown),
        "el2n_mean": pa.array(mean["el2n"], mask=unknown),
    }
    for name in LASTS:
        columns[name] = pa.array(last[name], mask=never | np.isnan(last[name]))
    if values.shape[1] > len(SUMS) + len(LASTS):
        columns["tokens_correct_mean"] = pa.array(values[:, len(SUMS)] / count, mask=unknown)
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
