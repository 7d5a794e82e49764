"""The recorder: one call per training step, one table at the end."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from curate.errors import CurateError, is_choice
from curate.record.buffer import ROWS, Buffer
from curate.record.checkpoint import read_state, state_of
from curate.record.core import Core, Direct, Sink
from curate.record.history import Held
from curate.record.inputs.growing import GrowingLookup
from curate.record.inputs.ids import RowLookup
from curate.record.inputs.kinds import KINDS, Step, read_step
from curate.record.inputs.problems import Problems
from curate.record.inputs.tensors import as_device
from curate.record.judging import judge
from curate.record.loops.sweeping import sweep
from curate.record.ranks.wire import warn_of_ranks
from curate.record.to_table import summary_of, to_table
from curate.record.windowed.registry import check_windowed
from curate.table import write

_GATHERED_CLASSES = 64  # up to here batches are judged together; above, one is work enough

_GROWS_FROM = 1024  # examples that a Recorder which grows has room for at first


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

    A Recorder may be used by several threads; updates then come one after the other. An error or
    an interrupt (Ctrl-C) in a call loses nothing of the calls before it.

    Args:
        n_or_ids: the number of examples, whose ids are then 0..n-1, or all ids: int or str, as a
            list, array or tensor. None: it grows as ids come, int or str, for data sets of which
            nobody knows the length; rows are then in the order of arrival.
        track: "all", or "forgetting", which keeps labels, presentations and events only, in 8
            bytes per example (labels above 65,534 are then, as always, not kept).
        history: also keep whether each presentation was correct, 1 bit each, on the host.
        also: scores over a window of presentations to record too: "dual" and "dyn_unc", together
            in ``2 window + 12`` bytes per example, "tdds" in ``4 classes + 2 window - 4``.
        window: presentations in such a window, at least 3; the papers take 10.
        device: where the state lives; that of the first logits when None (the CPU for MPS,
            which has no float64).
        kind: "multiclass", "binary", "multilabel" or "sequence"; None: told by the first step,
            see :meth:`update`. A run has one kind.

    Raises:
        CurateError: an id that occurs twice, ids of mixed types, an unknown option.
    """

    def __init__(
        self,
        n_or_ids: int | Sequence[Any] | np.ndarray | Tensor | None = None,
        *,
        track: Literal["all", "forgetting"] = "all",
        history: bool = False,
        also: Sequence[str] = (),
        window: int = 10,
        device: torch.device | str | None = None,
        kind: Literal["multiclass", "binary", "multilabel", "sequence"] | None = None,
    ) -> None:
        if not is_choice(track, ("all", "forgetting")):
            raise CurateError(f"track: {track!r}; choose 'all' or 'forgetting'")
        if not is_choice(kind, (None, *KINDS)):
            raise CurateError(f"kind: {kind!r}; choose one of {', '.join(map(repr, KINDS))}")
        self.track = track
        self.epoch = 0
        self._kind = kind
        grows = n_or_ids is None
        self._ids: RowLookup | GrowingLookup = GrowingLookup() if grows else RowLookup(n_or_ids)
        room = _GROWS_FROM if grows else len(self._ids)
        names, on = check_windowed(also, window, track == "all"), as_device(device)
        self._core = Core(room, track == "all", history, on, names, window, grows)
        self._sink: Sink = self._sink_of(self._core, self._ids)
        self._buffer = Buffer()
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        core = self._core
        also = f", also={core.also} in windows of {core.window}" if core.also else ""
        return (
            f"Recorder({len(self)} examples, track={self.track!r}, "
            f"history={core.history is not None}{also}, {self.epoch} epochs ended)"
        )

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            self.flush()
            return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.RLock())

    def update(
        self,
        example_id: Tensor | np.ndarray | Sequence[int] | Sequence[str],
        logits: Tensor | np.ndarray,
        labels: Tensor | np.ndarray | Sequence[int],
        mask: Tensor | np.ndarray | None = None,
    ) -> None:
        """Record one training step, without waiting for the device (but for the first step).

        Args:
            example_id: (N,) ids, int or str. An example that occurs twice was presented twice.
            logits: of this very step: (N, C) classes, (N,) or (N, 1) binary, (N, L) multilabel,
                (N, T, C) token sequences (where T equals C too, so turn the (N, C, T) of
                ``cross_entropy`` by ``.transpose(1, 2)``); any float dtype, any device. Not
                changed, not kept. -inf rules a class out.
            labels: (N,) class indices, or (N, C) one-hot; 0/1 of the logits' shape for binary and
                multilabel, there -1, -100 or NaN where unknown; (N, T) class indices for
                sequences, -100 or -1 at padding. (N, C) labels are one-hot if all rows of the
                first step sum to 1, else multilabel; ``kind=`` says so where that is not so.
            mask: (N,) bool, False for examples to leave out (mixed ones, say); for multilabel and
                sequences also of the labels' shape, False at labels or tokens to leave out.

        Raises:
            CurateError: shapes or dtypes that do not fit, soft labels, another kind than before.
                Ids and labels out of range cannot be seen without waiting: they are left out,
                counted, and raised by the next :meth:`end_epoch` or :meth:`table`.
        """
        with self._lock:
            self._core.complete()
            try:
                self._take(example_id, logits, labels, mask)
            finally:  # a step that was refused is a step too: ranks stay together
                self._sink.end_step()

    def _take(self, example_id: Any, logits: Any, labels: Any, mask: Any) -> None:
        first = self._core.state is None
        step = read_step(logits, labels, mask, self._core.kind or self._kind, first)
        if step is None or not step.labels.numel():
            return
        size = step.logits.shape[0]
        ids = self._ids.taken(example_id)
        if ids.shape[0] != size:
            raise CurateError(
                f"example_id: {ids.shape[0]} ids for {size} logits; give one id per example"
            )
        if first:
            if self._sink.gathers:
                warn_of_ranks()
            self._core.begin(step.kind, step.logits.device)
        if len(self._ids) > self._core.n:
            self._core.grow(len(self._ids))
        if not (self._sink.gathers and step.kind == "multiclass" and size <= ROWS) or (
            step.logits.shape[1] > _GATHERED_CLASSES
        ):
            self._flush()
            with torch.autocast(step.logits.device.type, enabled=False):
                self._judge(ids, step, lambda: None)
        elif not self._buffer.add(ids, step.logits, step.labels, step.asked, size):
            self._flush()
            self._buffer.add(ids, step.logits, step.labels, step.asked, size)

    def sweep(self, model: torch.nn.Module, loader: Any) -> None:
        """Record every example of a loader of clean views in evaluation mode, as an epoch.

        For sets that are mixed or augmented in training; ``loader`` is of ``with_ids``.
        """
        sweep(self.update, model, loader)
        self.end_epoch()

    def end_epoch(self) -> None:
        """Mark the end of an epoch, for ``curate.forgetting_at``; raise what went wrong in it.

        Raises:
            CurateError: ids or labels out of range since the last call; good records are kept.
        """
        with self._lock:
            self._settle()
            history = self._core.history
            held = None if history is None else history.packed(ends_epoch=True)
            self._core.do(partial(self._mark, self.epoch + 1, held))
            self._sink.raise_left(len(self), self._ids.unknown_string)

    def exchange(self) -> None:
        """Bring together what all ranks recorded, see DistributedRecorder; alone: nothing."""
        with self._lock:
            self._settle()

    def table(self) -> pa.Table:
        """Everything recorded so far, a row per example in the order of the ids.

        Returns:
            The columns that ``curate.table.COLUMNS`` describes. Counts are int32, the rest
            float64. An example never presented has 0 presentations and nulls; one that was
            never learned has a null ``first_learned``.

        Raises:
            CurateError: ids or labels out of range since the last call; good records are kept.
        """
        with self._lock:
            self._sink.check_settled()
            self.flush()
            self._sink.raise_left(len(self), self._ids.unknown_string)
            core, state = self._core, self._core.state
            if state is None:
                state = core.empty(torch.device("cpu"))
            also = {"also": list(core.also), "window": core.window} if core.also else {}
            options = {"track": self.track, "kind": core.kind, "epochs": self.epoch, **also}
            state = state.first(len(self))
            return to_table(self._ids.array, state, core.history, options, core.also)

    def summary(self) -> dict[str, float]:
        """The recording so far in a few numbers, for a logger.

        Returns:
            ``presentations`` and ``examples_presented``; of these examples ``share_learned``
            (correct at least once), ``share_unforgettable`` (learned and never forgotten) and
            ``forgetting_events_mean``; with ``track="all"`` the means over examples of
            ``loss_mean``, ``margin_mean``, ``confidence_mean`` and ``el2n_mean``. What nothing is
            known of yet is left out.

        Raises:
            CurateError: as :meth:`table`, which it reads: once an epoch is often enough.
        """
        return summary_of(self.table())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`table` to a Parquet file, whole or not at all."""
        write(self.table(), path)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on later; loads with ``torch.load(..., weights_only=True)``.

        What was left out and not raised yet is in it too, and a checksum.
        """
        with self._lock:
            self._sink.check_settled()
            self.flush()
            return state_of(self._core, self._ids, self.track, self.epoch)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave, on any device.

        Raises:
            CurateError: it belongs to a Recorder of other ids, options or kind, or was damaged;
                nothing is changed.
        """
        with self._lock:
            core, ids = read_state(state, self._core, self._ids, self.track)
            if core.kind and self._kind not in (None, core.kind):
                raise CurateError(f"state: of kind {core.kind!r}; this Recorder's: {self._kind!r}")
            sink, buffer = self._sink_of(core, ids), Buffer()
            self._core, self._sink, self._buffer = core, sink, buffer
            self._ids, self.epoch = ids, state["epoch"]

    def flush(self) -> None:
        """Work on what was gathered so far; :meth:`table` and the others do so themselves."""
        with self._lock:
            self._core.complete()
            self._flush()

    def _flush(self) -> None:
        if self._buffer.used:
            with torch.autocast(self._buffer.device.type, enabled=False):
                ids, logits, labels, asked = self._buffer.joined()
                step = Step("multiclass", logits, labels, asked, None)
                self._judge(ids, step, self._buffer.clear, copied=True)

    def _settle(self) -> None:
        self._core.complete()
        self._flush()
        self._sink.settle()

    def _mark(self, epoch: int, held: Held | None) -> None:
        self.epoch = epoch
        if held is not None:
            self._core.history.held = held  # type: ignore[union-attr]

    def _sink_of(self, core: Core, ids: RowLookup | GrowingLookup) -> Sink:
        return Direct(core)

    def _judge(
        self, ids: Tensor, step: Step, first: Callable[[], None], copied: bool = False
    ) -> None:
        """Turn a step into outcomes and hand them on, together with doing ``first``."""
        judged = judge(self._core, self._ids, ids, step, copied)
        if judged.problems is not None:
            first = partial(self._note, judged.problems, first)
        self._sink.add(judged.rows, judged.outcomes, first)

    def _note(self, problems: Problems, first: Callable[[], None]) -> None:
        first()
        self._core.problems = problems
