"""The recorder: one call per training step, one table at the end."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from curate.errors import CurateError
from curate.record import sync
from curate.record.batch import as_ids, check_mask, kind_of, on_device
from curate.record.buffer import ROWS, Buffer
from curate.record.core import Core, Direct, Sink
from curate.record.ids import SKIPPED, RowLookup
from curate.record.outcomes import float_copy, outcomes_of
from curate.record.state import State
from curate.record.to_table import to_table
from curate.record.windowed.registry import check_windowed, load_tensors, tensors_of
from curate.record.windowed.temporal import log_ratios
from curate.table import write

_STATE_VERSION = 1

_GATHERED_CLASSES = 64
"""Up to here, batches are gathered and judged together; above, one is work enough."""


class Recorder:
    """Records what happens to every example while a model trains.

    Call :meth:`update` with the logits that the training step computed anyway, once a step,
    and :meth:`table` when done::

        recorder = curate.Recorder(len(dataset))
        for images, labels, example_id in loader:  # from curate.data.with_ids(dataset)
            logits = model(images)
            cross_entropy(logits, labels).backward()
            recorder.update(example_id, logits, labels)
            optimizer.step()
        curate.write(recorder.table(), "examples.parquet")

    Definitions follow Toneva et al., 'An Empirical Study of Example Forgetting during Deep
    Neural Network Learning', ICLR 2019: a presentation is one appearance of an example in a
    minibatch on which a step is taken; a forgetting event is correct at one presentation and
    wrong at the example's next; correct is argmax(logits) == label.

    Args:
        n_or_ids: the number of examples, whose ids are then 0..n-1, or all ids: int or str,
            as a list, array or tensor.
        track: "all", or "forgetting", which keeps labels, presentations and events only, in 8
            bytes per example (labels above 65,534 are then, as always, not kept).
        history: also keep whether each presentation was correct, 1 bit each, on the host.
        also: scores over a window of presentations to record too: "dual" and "dyn_unc", together
            in ``2 window + 12`` bytes per example, "tdds" in ``4 classes + 2 window - 4``.
        window: presentations in such a window, at least 3; the papers take 10.
        device: where the state lives; that of the first logits when None (the CPU for MPS,
            which has no float64).

    Raises:
        CurateError: an id that occurs twice, ids of mixed types, an unknown ``track`` or ``also``.
    """

    def __init__(
        self,
        n_or_ids: int | Sequence[Any] | np.ndarray | Tensor,
        *,
        track: Literal["all", "forgetting"] = "all",
        history: bool = False,
        also: Sequence[str] = (),
        window: int = 10,
        device: torch.device | str | None = None,
    ) -> None:
        if track not in ("all", "forgetting"):
            raise CurateError(f"track: {track!r}; choose 'all' or 'forgetting'")
        self.track = track
        self.epoch = 0
        self._ids = RowLookup(n_or_ids)
        on = None if device is None else torch.device(device)
        names = check_windowed(also, window, track == "all")
        self._core = Core(len(self._ids), track == "all", history, on, names, window)
        self._sink: Sink = Direct(self._core)
        self._buffer = Buffer()

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        core = self._core
        also = f", also={core.also} in windows of {core.window}" if core.also else ""
        return (
            f"Recorder({len(self)} examples, track={self.track!r}, "
            f"history={core.history is not None}{also}, {self.epoch} epochs ended)"
        )

    def update(
        self,
        example_id: Tensor | np.ndarray | Sequence[int] | Sequence[str],
        logits: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
    ) -> None:
        """Record one training step, without waiting for the device.

        Args:
            example_id: (N,) ids, int or str. An example that occurs twice was presented twice.
            logits: of this very step: (N, C) classes, (N,) or (N, 1) binary, (N, L) multilabel,
                (N, T, C) token sequences; any float dtype, any device. Not changed, not kept.
            labels: (N,) class indices; 0/1 of the logits' shape for binary and multilabel; (N, T)
                class indices for sequences, -100 at padding.
            mask: (N,) bool, False for examples to leave out (mixed ones, say); for sequences
                also (N, T) bool, False at padding.

        Raises:
            CurateError: shapes or dtypes that do not fit. Ids and labels out of range cannot be
                seen without waiting: they are left out, counted, and raised by the next
                :meth:`end_epoch` or :meth:`table`.
        """
        if not isinstance(labels, Tensor):
            labels = torch.as_tensor(labels)
        kind, size = kind_of(logits, labels), logits.shape[0]
        ids = self._integer_ids(example_id)
        if ids.shape[0] != size:
            raise CurateError(
                f"example_id: {ids.shape[0]} ids for {size} logits; give one id per example"
            )
        if kind != self._core.kind or self._core.state is None:
            self._begin(kind, logits.device)
        if mask is not None:
            mask = check_mask(mask, labels)
            if mask.ndim == 1:
                ids = torch.where(mask, ids.to(mask.device), SKIPPED)
        gathers = self._sink.gathers and kind == "multiclass"
        if gathers and logits.shape[1] <= _GATHERED_CLASSES and size <= ROWS:
            if not self._buffer.add(ids, logits, labels, size):
                self.flush()
                self._buffer.add(ids, logits, labels, size)
        elif size:
            self.flush()
            tokens = mask if mask is not None and mask.ndim == 2 else None
            self._judge(kind, ids, float_copy(logits.detach()), labels.detach(), tokens)
        self._sink.end_step()

    def end_epoch(self) -> None:
        """Mark the end of an epoch, and raise what went wrong in it.

        Only :func:`curate.forgetting_at` needs the mark; ids and labels out of range are
        reported here rather than at the end of training.

        Raises:
            CurateError: ids or labels out of range since the last call; good records are kept.
        """
        self.flush()
        self._sink.settle()
        self.epoch += 1
        if self._core.history is not None:
            self._core.history.end_epoch()
        self._raise_problems()

    def table(self) -> pa.Table:
        """Everything recorded so far, a row per example in the order of the ids.

        Returns:
            The columns that ``curate.table.COLUMNS`` describes. Counts are int32, the rest
            float64. An example never presented has 0 presentations and nulls; one that was
            never learned has a null ``first_learned``.

        Raises:
            CurateError: ids or labels out of range since the last call; good records are kept.
        """
        self._sink.check_settled()
        self.flush()
        self._raise_problems()
        core, state = self._core, self._core.state
        if state is None:
            state = core.empty(torch.device("cpu"))
        also = {"also": list(core.also), "window": core.window} if core.also else {}
        options = {"track": self.track, "kind": core.kind, "epochs": self.epoch, **also}
        return to_table(self._ids.array, state, core.history, options, core.also)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`table` to a Parquet file, whole or not at all."""
        write(self.table(), path)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on later; loads with ``torch.load(..., weights_only=True)``."""
        self._sink.check_settled()
        self.flush()
        state, history = self._core.state, self._core.history
        found = {
            "version": _STATE_VERSION,
            "ids": self._ids.digest,
            "track": self.track,
            "epoch": self.epoch,
            "kind": self._core.kind,
            "words": None if state is None else state.packed.clone(),
            "sums": None if state is None or state.sums is None else state.sums.clone(),
            "history": None if history is None else history.state_dict(),
        }
        if self._core.also:  # without, the state is what it was before there were any
            kept = {} if state is None else tensors_of(state.windowed)
            found |= {"also": list(self._core.also), "window": self._core.window, "windowed": kept}
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave, on any device.

        Raises:
            CurateError: it belongs to a Recorder of other ids or options; nothing is changed.
        """
        own = {
            "version": _STATE_VERSION,
            "ids": self._ids.digest,
            "track": self.track,
            "history": self._core.history is not None,
            "also": list(self._core.also),
            "window": self._core.window,
        }
        for name, value in own.items():
            found = state.get(name, {"also": [], "window": value}.get(name))
            if name == "history":
                found = found is not None
            if found != value:
                raise CurateError(
                    f"state: its {name} is {found!r}, this Recorder's is {value!r}; make the "
                    "Recorder with the same ids and options"
                )
        self._buffer = Buffer()
        self._core.clear()
        self.epoch = state["epoch"]
        if state["words"] is not None:
            loaded = self._begin(state["kind"], state["words"].device)
            loaded.packed.copy_(state["words"])
            if loaded.sums is not None:
                loaded.sums.copy_(state["sums"])
            load_tensors(loaded.windowed, state.get("windowed", {}))
        if self._core.history is not None:
            self._core.history.load_state_dict(state["history"])

    def flush(self) -> None:
        """Work on what was gathered so far; :meth:`table` and the others do so themselves."""
        if self._buffer.used:
            ids, logits, labels = self._buffer.take()
            self._judge("multiclass", ids, logits, labels, None)

    def _begin(self, kind: str, device: torch.device) -> State:
        """Make the state when the first logits show what is to be recorded."""
        before = self._core.kind
        if before is not None and (kind == "sequence") != (before == "sequence"):
            raise CurateError(
                f"logits: {kind} after {before}; use one Recorder for sequences and another "
                "for single labels"
            )
        self.flush()
        return self._core.begin(kind, device)

    def _integer_ids(self, example_id: Any) -> Tensor:
        """(N,) int64: integer ids as they are, strings as the rows they stand for."""
        ids = as_ids(example_id)
        if isinstance(ids, list) != self._ids.are_strings:
            given = "strings" if isinstance(ids, list) else "integers"
            raise CurateError(
                f"example_id: {given}, but this Recorder was made for ids of the other kind; give "
                "those of its data set"
            )
        if isinstance(ids, list):
            return self._ids.rows_of_strings(ids)
        return ids

    def _judge(
        self, kind: str, ids: Tensor, logits: Tensor, labels: Tensor, tokens: Tensor | None
    ) -> None:
        """Turn logits, which may be overwritten, into outcomes and hand them on."""
        assert self._core.state is not None
        assert self._core.problems is not None
        device = self._core.state.packed.device
        ids, logits, labels = (on_device(each, device) for each in (ids, logits, labels))
        ratios = log_ratios(kind, logits) if "tdds" in self._core.also else None
        batch = outcomes_of(kind, logits, labels, tokens, self.track == "all")
        if ratios is not None and batch.judged[1] is not None:
            batch.judged[1]["log_ratios"] = ratios
        ids = ids.to(torch.int64)
        rows = self._ids.rows(ids)
        known = (rows >= 0) & (rows < len(self))
        good = known & batch.good
        if batch.no_tokens is not None:
            good &= ~batch.no_tokens
        if not sync.is_free_to_read(good) or not bool(good.all()):
            asked = ids != SKIPPED
            problems = self._core.problems
            problems.count(ids, asked & ~known, batch.label_to_show, asked & ~batch.good)
            rows = torch.where(good, rows, len(self))
        self._sink.add(rows, batch.judged)

    def _raise_problems(self) -> None:
        if self._core.problems is not None and self._core.state is not None:
            self._core.problems.raise_any(self._ids, self._core.state.overflow)
