"""Recording a training loop that cannot be edited, from its model and its loader."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from curate.data._with_ids import ids_of, position_ids
from curate.data.ids import take_ids
from curate.errors import CurateError
from curate.record.distributed import recorder_for
from curate.record.loops.batches import labels_in, logits_in
from curate.record.loops.others import as_logits, draws_indices, tell_indices
from curate.record.recorder import Recorder

_AHEAD = 8
"""Batches that a loop may have drawn and not yet given to the model."""

_MEND = "call recorder.update in the loop"


def watch(model: torch.nn.Module, loader: Any, **options: Any) -> Recorder:
    """Record every training step of a loop over ``loader``, without a change to the loop.

    The loader yields what it always did; which examples are in a batch is learned from its
    sampler, labels from the batch, logits from the model's output. What is recorded is the first
    forward pass of a batch in training mode with gradients; an epoch ends where the loop over the
    loader does. Where a loop draws batches ahead, the batch is told by the model's input.

    Args:
        model: the one that the loop calls; what it returns is as ``logits_in`` finds it. Where a
            Keras model returns probabilities, their logarithms are recorded.
        loader: a ``DataLoader`` over a map-style data set, or one that holds such a loader
            (accelerate's, timm's), or fastai's. Ids are those that the data set carries
            (``curate.data.with_ids``), else positions. Batches are (inputs, labels, ...) or dicts.
        options: of the :class:`curate.Recorder` that is made.

    Returns:
        The recorder; a distributed one where several processes train together.

    Raises:
        CurateError: a loader of another kind, or one of a stream.

    Example:
        >>> recorder = watch(model, loader)  # doctest: +SKIP
        >>> train(model, loader)  # doctest: +SKIP
        >>> recorder.table()  # doctest: +SKIP
    """
    inner = loader if draws_indices(loader) else _innermost(loader)
    carried = ids_of(inner.dataset)
    ids = position_ids(inner.dataset) if carried is None else carried
    recorder = recorder_for(ids, **options)
    watching = _Watching(recorder, ids)
    if draws_indices(inner):
        tell_indices(inner, watching.told)
    else:
        name = "sampler" if inner.batch_sampler is None else "batch_sampler"
        # a DataLoader refuses another sampler; this one hands out the same indices
        object.__setattr__(inner, name, _Told(getattr(inner, name), watching.told))
    _yield_through(loader, watching)
    model.register_forward_hook(watching.on_forward, with_kwargs=True)
    return recorder


class _Drawn(NamedTuple):
    """A batch that the loop has and the model has not seen in training."""

    ids: Any
    batch: Any


class _Told:
    """A sampler that tells which indices it hands out, batch by batch."""

    def __init__(self, sampler: Any, told: deque[Any]) -> None:
        self.sampler, self.told = sampler, told

    def __iter__(self) -> Iterator[Any]:
        self.told.clear()
        for indices in self.sampler:
            self.told.append(indices)
            yield indices

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> Any:
        if name == "sampler" and "sampler" not in vars(self):
            raise AttributeError(name)
        return getattr(self.sampler, name)


class _Watching:
    """Brings together what the sampler tells, what the loop draws and what the model returns."""

    def __init__(self, recorder: Recorder, ids: Any) -> None:
        self.told: deque[Any] = deque()
        self._recorder, self._ids = recorder, ids
        self._drawn: deque[_Drawn] = deque(maxlen=_AHEAD)
        self._open = self._through = False

    def begin(self) -> None:
        """A loop over the loader starts; one before it that was left early ends here."""
        self._drawn.clear()
        self.end()

    def end(self) -> None:
        """The loader has no more batches; the loop may still have some that it drew ahead."""
        self._through = True
        if self._open and not self._drawn:
            self._open = False
            self._recorder.end_epoch()

    def draw(self, batch: Any) -> None:
        """The loop gets a batch."""
        if not self.told:
            raise CurateError(f"loader: it yields more batches than its sampler drew; {_MEND}")
        positions = np.atleast_1d(np.asarray(self.told.popleft(), np.int64))
        self._through = False
        self._drawn.append(_Drawn(take_ids(self._ids, positions), batch))

    def on_forward(self, model: torch.nn.Module, args: Any, kwargs: Any, outputs: Any) -> None:
        """The model was called."""
        steps = model.training and torch.is_grad_enabled()
        found = self._batch_of((*args, *kwargs.values()), steps)
        if found is None:
            return
        while self._drawn and self._drawn.popleft() is not found:
            pass  # what was drawn before and skipped
        if steps:
            self._open = True
            logits = as_logits(model, logits_in(outputs))
            self._recorder.update(found.ids, logits, labels_in(found.batch))
            if self._through:
                self.end()

    def _batch_of(self, inputs: tuple[Any, ...], steps: bool) -> _Drawn | None:
        if steps and len(self._drawn) == 1:
            return self._drawn[0]
        given = next((each for each in inputs if isinstance(each, Tensor)), None)
        for drawn in self._drawn:
            if given is not None and any(_equal(given, own) for own in _tensors(drawn.batch)):
                return drawn
        if steps and self._drawn:
            raise CurateError(
                f"loader: {len(self._drawn)} batches were drawn, and the model's input is none of "
                f"them as it was drawn; {_MEND}"
            )
        return None


def _tensors(batch: Any) -> list[Tensor]:
    values = batch.values() if isinstance(batch, Mapping) else batch
    return [each for each in values if isinstance(each, Tensor)]


def _equal(given: Tensor, own: Tensor) -> bool:
    return given.shape == own.shape and bool((given == own.to(given.device)).all())


def _innermost(loader: Any) -> DataLoader[Any]:
    inner = loader
    while True:  # accelerate's loaders hold one, and are one
        held = getattr(inner, "base_dataloader", None)
        held = held or getattr(inner, "__dict__", {}).get("loader")
        if held is None or held is inner:
            break
        inner = held
    if not isinstance(inner, DataLoader):
        raise CurateError(f"loader: a {type(loader).__name__}; give a DataLoader, or {_MEND}")
    if isinstance(inner.dataset, IterableDataset):
        raise CurateError(
            f"loader: its data set is a stream, of which nobody knows the examples; {_MEND}, of a "
            "curate.Recorder() that grows"
        )
    if inner.num_workers and not getattr(inner, "in_order", True):
        raise CurateError(f"loader: in_order=False, so no batch is known by its place; {_MEND}")
    return inner


def _yield_through(loader: Any, watching: _Watching) -> None:
    """Let the loader, in its place, tell of every batch that it yields."""
    kind: Any = type(loader)

    def iterate(self: Any) -> Iterator[Any]:
        watching.begin()
        for batch in kind.__iter__(self):
            watching.draw(batch)
            yield batch
        watching.end()

    made = type(kind.__name__, (kind,), {"__iter__": iterate})
    object.__dict__["__class__"].__set__(loader, made)  # accelerate's have a property of this name
