"""Correct or not, presentation by presentation, at one bit each; and what follows from it."""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from curate.errors import CurateError
from curate.record.packed import MAX_COUNT
from curate.table import annotate, as_table, describe

PACK_AT = 1 << 20
"""Presentations that may wait for the end of an epoch, at least."""


class Segment(NamedTuple):
    """Presentations of one stretch of training, sorted by row, in order within a row.

    ``outcomes``: packed bits. ``counts``: (n,) presentations of every row, or None for the
    usual epoch in which every row came once. ``ends_epoch``: an epoch ended with it.
    """

    outcomes: np.ndarray
    counts: np.ndarray | None
    ends_epoch: bool


class Held(NamedTuple):
    """Outcomes that are packed, and batches of (row << 1) + outcome that wait on the device, each
    with how many wait up to it.
    """

    segments: list[Segment]
    waiting: list[tuple[Tensor, int]]


class History:
    """Outcomes of all presentations of n examples.

    New outcomes wait on the device as (row, outcome) pairs, and are packed into bits on the
    host at the end of an epoch, or after n of them.

    Attributes:
        held: everything; replaced at once when outcomes are packed, so that an interrupt finds
            them packed or waiting, never both or neither.
    """

    def __init__(self, n: int, grows: bool = False) -> None:
        self.n = n
        self._grows = grows
        self.held = Held([], [])

    def waiting(self) -> int:
        """How many batches of outcomes wait; packs them first where they are many."""
        if self._size(self.held.waiting) >= max(self.n, PACK_AT):
            self.held = self.packed()
        return len(self.held.waiting)

    def put(self, place: int, rows: Tensor, correct: Tensor) -> None:
        """Append presentations as number ``place`` of those waiting; doing it twice is once.

        Args:
            place: what :meth:`waiting` said.
            rows: (N,) int64 in 0..n, where n is ignored.
            correct: (N,) bool.
        """
        waiting = self.held.waiting
        pairs = (rows << 1) + correct
        waiting[place:] = [(pairs, self._size(waiting[place - 1 : place]) + len(pairs))]

    def grow(self, n: int) -> None:
        """Make room for n examples."""
        self.held, self.n = self.packed(), n

    def lists(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """All outcomes of the first n examples, row by row.

        Returns:
            offsets (n + 1,) int64 and outcomes (offsets[-1],) bool: those of row i stand at
            ``offsets[i]:offsets[i + 1]``, in the order of training.
        """
        self.held = self.packed()
        segments = self.held.segments
        counts = [self._counts(segment, n) for segment in segments]
        total = np.sum(counts, axis=0, dtype=np.int64) if counts else np.zeros(n, np.int64)
        offsets = np.concatenate([[0], np.cumsum(total)])
        outcomes = np.empty(offsets[-1], bool)
        place = offsets[:-1].copy()
        for segment, count in zip(segments, counts, strict=True):
            size = int(count.sum())
            within = np.arange(size) - np.repeat(np.cumsum(count) - count, count)
            outcomes[np.repeat(place, count) + within] = np.unpackbits(segment.outcomes, count=size)
            place += count
        if total.max(initial=0) > MAX_COUNT:  # later ones are left out of everything
            outcomes = outcomes[
                np.arange(len(outcomes)) - np.repeat(offsets[:-1], total) < MAX_COUNT
            ]
            offsets = np.concatenate([[0], np.cumsum(np.minimum(total, MAX_COUNT))])
        return offsets, outcomes

    def epoch_ends(self, n: int) -> np.ndarray | None:
        """(n, epochs) int32: presentations of the first n seen by the end of each epoch.

        None where that is the epoch's number for every example, or no epoch was marked.
        """
        self.held = self.packed()
        segments = self.held.segments
        if not any(segment.ends_epoch for segment in segments):
            return None
        seen, ends, regular = np.zeros(n, np.int32), [], True
        for segment in segments:
            seen = seen + self._counts(segment, n)
            if segment.ends_epoch:
                ends.append(np.minimum(seen, MAX_COUNT).astype(np.int32))
                regular &= bool((seen == len(ends)).all())
        return None if regular else np.stack(ends, 1)

    def state_dict(self, n: int) -> list[dict[str, Any]]:
        """Tensors and plain values only, of the first n examples."""
        self.held = self.packed()
        return [
            {
                "outcomes": torch.from_numpy(segment.outcomes.copy()),
                "counts": None
                if segment.counts is None
                else torch.from_numpy(segment.counts[:n].astype(np.int64)),
                "ends_epoch": segment.ends_epoch,
            }
            for segment in self.held.segments
        ]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Replace everything by what :meth:`state_dict` gave."""
        segments = [
            Segment(
                entry["outcomes"].numpy(),
                None if entry["counts"] is None else _narrow(entry["counts"].numpy()),
                entry["ends_epoch"],
            )
            for entry in state
        ]
        self.held = Held(segments, [])

    def packed(self, ends_epoch: bool = False) -> "Held":
        """What is held with everything packed; nothing is changed."""
        segments, batches = self.held
        if not batches and not ends_epoch:
            return self.held
        if not batches and segments and not segments[-1].ends_epoch:
            return Held([*segments[:-1], segments[-1]._replace(ends_epoch=True)], [])
        pairs = [pairs for pairs, _ in batches]
        waiting = torch.cat(pairs).cpu().numpy() if pairs else np.empty(0, np.int64)
        waiting = waiting[waiting < self.n << 1]
        rows = waiting >> 1
        ordered = waiting[np.argsort(rows, kind="stable")]
        counts = np.bincount(rows, minlength=self.n)
        segment = segment_of(counts, (ordered & 1).astype(bool), not self._grows)
        return Held([*segments, segment._replace(ends_epoch=ends_epoch)], [])

    @staticmethod
    def _size(waiting: list[tuple[Tensor, int]]) -> int:
        return waiting[-1][1] if waiting else 0

    def _counts(self, segment: Segment, n: int) -> np.ndarray:
        if segment.counts is None:
            return np.ones(n, np.int64)
        counts = segment.counts[:n].astype(np.int64)
        return np.pad(counts, (0, n - len(counts)))


def segment_of(counts: np.ndarray, outcomes: np.ndarray, fixed: bool) -> Segment:
    """A stretch of training; ``fixed``: whether the number of examples cannot grow later."""
    once = fixed and bool((counts == 1).all())
    return Segment(np.packbits(outcomes), None if once else _narrow(counts), ends_epoch=False)


def _narrow(counts: np.ndarray) -> np.ndarray:
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))


def forgetting_at(table: pa.Table, epoch: int) -> pa.Table:
    """The counts as they stood after the first ``epoch`` epochs (Toneva et al., 2019, figure 2).

    Args:
        table: from a Recorder with ``history=True``, in anything that ``curate.prune`` takes.
            Where its epochs were marked with ``end_epoch``, these marks count; else an epoch is
            one presentation per example.
        epoch: how many epochs, 0 to those recorded.

    Returns:
        ``example_id, label, presentations, correct, forgetting_events, learning_events,
        first_learned``, as a Recorder's table would have been then.

    Raises:
        CurateError: the table has no history, or not as many epochs.
    """
    table = as_table(table)
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
    if isinstance(epoch, bool) or not isinstance(epoch, Integral) or not 0 <= epoch <= last:
        raise CurateError(
            f"epoch: {epoch!r:.80}, but the table holds {last} epochs; give 0 to {last}"
        )
    if marks is None:
        return np.minimum(lengths, epoch)
    return marks[:, epoch - 1].astype(np.int64) if epoch else np.zeros(len(table), np.int64)
