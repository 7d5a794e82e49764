"""Forgetting statistics of a prefix of training, from the recorded history."""

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.table import annotate, describe


def forgetting_at(table: pa.Table, epoch: int) -> pa.Table:
    """The counts as they stood after the first ``epoch`` epochs (Toneva et al., 2019, figure 2).

    Args:
        table: from a Recorder with ``history=True``. Where its epochs were marked with
            ``end_epoch``, these marks count; else an epoch is one presentation per example.
        epoch: how many epochs, 0 to those recorded.

    Returns:
        ``example_id, label, presentations, correct, forgetting_events, learning_events,
        first_learned``, as a Recorder's table would have been then.

    Raises:
        CurateError: the table has no history, or not as many epochs.
    """
    if "history" not in table.column_names:
        raise CurateError("table: it has no 'history' column; record with history=True")
    lists = table["history"].combine_chunks()
    offsets, outcomes = lists.offsets.to_numpy(), lists.values.to_numpy(zero_copy_only=False)
    start, seen = offsets[:-1], _seen_by(table, np.diff(offsets), epoch)
    end = start + seen

    def count(events: np.ndarray, until: np.ndarray) -> np.ndarray:
        running = np.concatenate([[0], np.cumsum(events)])
        return running[np.maximum(until, start)] - running[start]

    following = np.roll(outcomes, -1)  # what follows a row's last outcome is never counted
    forgetting = count(outcomes & ~following, end - 1)
    learning = count(~outcomes & following, end - 1)
    places = np.flatnonzero(outcomes)
    first = np.append(places, len(outcomes))[np.searchsorted(places, start)] - start + 1
    never = seen == 0
    columns = {
        "example_id": table["example_id"],
        "label": pa.chunked_array([pa.nulls(len(table), pa.int64())])
        if "label" not in table.column_names
        else table["label"],
        "presentations": pa.array(seen.astype(np.int32)),
        "correct": pa.array(count(outcomes, end).astype(np.int32), mask=never),
        "forgetting_events": pa.array(forgetting.astype(np.int32), mask=never),
        "learning_events": pa.array(learning.astype(np.int32), mask=never),
        "first_learned": pa.array(first.astype(np.int32), mask=first > seen),
    }
    result = pa.table(columns).replace_schema_metadata(table.schema.metadata)
    return annotate(describe(result), epoch=epoch)


def _seen_by(table: pa.Table, lengths: np.ndarray, epoch: int) -> np.ndarray:
    """(n,) presentations of every example by the end of that epoch."""
    if "epoch_ends" in table.column_names:
        ends = table["epoch_ends"].combine_chunks()
        marks = ends.values.to_numpy().reshape(len(table), -1)
        last = marks.shape[1]
    else:
        marks, last = None, int(lengths.max(initial=0))
    if not 0 <= epoch <= last:
        raise CurateError(f"epoch: {epoch}, but the table holds {last} epochs; give 0 to {last}")
    if marks is None:
        return np.minimum(lengths, epoch)
    return marks[:, epoch - 1].astype(np.int64) if epoch else np.zeros(len(table), np.int64)
