"""Pruning while training: what is learned, and was never forgotten, is presented less often."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from curate.errors import CurateError
from curate.record import sync
from curate.record.distributed import DistributedRecorder
from curate.record.inputs.growing import GrowingLookup
from curate.record.packed import Counts, counts_of
from curate.record.ranks.wire import ranks_together
from curate.record.recorder import Recorder
from curate.record.sampling.schedule import schedule

_HANDED_AT_ONCE = 4096  # a list of all positions as Python ints would need 36 bytes each


class _Epoch(NamedTuple):
    """All that an epoch's schedule follows from.

    ``number``: from 0. ``ended_before``: epochs that the recorder had ended when it was drawn.
    ``presented_before``: (n,) int64 presentations until then. ``learned``: (n,) bool, examples of
    which only a share is presented.
    """

    number: int
    ended_before: int
    presented_before: np.ndarray
    learned: np.ndarray


class DynamicSampler(Sampler[int]):
    """Presents only a share of the learned examples in an epoch, another one every time.

    Learned, at the start of an epoch, are the examples that were correct at least once and never
    forgotten: the unforgettable ones of Toneva et al., ICLR 2019, so far. Of them a share ``keep``
    is drawn at random and weighted by one over that share; all others are presented too. So the
    weights of an epoch sum to the number of examples, and the gradient summed over it is in
    expectation that of a whole epoch. The last epochs are whole. That is the scheme of InfoBatch
    (Qin et al., ICLR 2024, Section 3), which draws among the examples of less than mean loss. ::

        recorder = curate.Recorder(len(dataset))
        sampler = curate.DynamicSampler(recorder, epochs)
        loader = DataLoader(curate.data.with_ids(dataset), 128, sampler=sampler)
        for epoch in range(epochs):
            for images, labels, example_id in loader:
                logits = model(images)
                losses = cross_entropy(logits, labels, reduction="none")
                (losses * sampler.weights(example_id).to(losses)).mean().backward()
                recorder.update(example_id, logits, labels)
                optimizer.step()
                optimizer.zero_grad()
            recorder.end_epoch()

    The i-th id of the recorder belongs to the i-th example of the data set. An epoch lasts until
    ``recorder.end_epoch()``, or, in one process, until a loop over the sampler ran to its end; one
    that breaks off leaves the rest of the epoch to the next. What was presented is read off the
    recorder: the states of both, saved at any step, go on where training was, however many batches
    the loader's workers had fetched ahead, and on any number of ranks.

    The schedule follows from the seed, the epoch and what was recorded until its start. Ranks with
    a ``DistributedRecorder`` so agree on it without a word, and each takes every W-th position,
    as many as the others: fewer than W examples, drawn at random, sit out an epoch whose size is
    no multiple of W. No generator but its own is read or seeded.

    Args:
        recorder: records this training; not one that grows.
        epochs: of the whole training.
        keep: share of the learned examples that an epoch presents, in (0, 1].
        delta: share of the epochs that are pruned, rounded down, in [0, 1]; the rest are whole.
        seed: draws who is presented, and in which order; at least 0.
        num_replicas, rank: as of torch's ``DistributedSampler``; those of ``torch.distributed``,
            where it is initialised, when None. 1 and 0 under accelerate, which divides batches
            among the ranks itself.

    Raises:
        CurateError: a value out of range, a recorder that grows, or a plain Recorder where several
            processes train together.
    """

    def __init__(
        self,
        recorder: Recorder,
        epochs: int,
        *,
        keep: float = 0.5,
        delta: float = 0.875,
        seed: int = 0,
        num_replicas: int | None = None,
        rank: int | None = None,
    ) -> None:
        _check_recorder(recorder)
        _check_whole("epochs", epochs, 1)
        _check_whole("seed", seed, 0)
        if not 0 < keep <= 1:
            raise CurateError(f"keep: {keep!r}; give a share above 0, up to 1")
        if not 0 <= delta <= 1:
            raise CurateError(f"delta: {delta!r}; give a share from 0 to 1")
        self._ranks, self._rank = _place(num_replicas, rank)
        if len(recorder) < self._ranks:
            raise CurateError(
                f"num_replicas: {self._ranks} for {len(recorder)} examples; give one example a rank"
            )
        self.recorder = recorder
        self.epochs, self.keep, self.delta, self.seed = epochs, keep, delta, seed
        self._pruned_epochs = math.floor(delta * epochs + 1e-9)  # 0.29 * 100 is below 29
        self._state: _Epoch | None = None
        self._left: np.ndarray | None = None  # of the epoch, as it was last asked for
        self._weights = torch.ones(len(recorder))
        self._exhausted = False

    def __repr__(self) -> str:
        return (
            f"DynamicSampler({len(self.recorder)} examples, epoch {self.epoch} of {self.epochs}, "
            f"keep={self.keep:g}, delta={self.delta:g}, seed={self.seed})"
        )

    @property
    def epoch(self) -> int:
        """The number of the epoch under way, from 0."""
        return 0 if self._state is None else self._state.number

    def __iter__(self) -> Iterator[int]:
        self._left, self._exhausted = self._begin(), False
        return self._hand_out(self._left[self._rank :: self._ranks])

    def __len__(self) -> int:
        """How many positions this rank got when it last iterated; before, how many it will get."""
        if self._left is None:
            self._left, self._exhausted = self._begin(), False
        return len(self._left) // self._ranks

    def weights(self, example_id: Any) -> Tensor:
        """What the losses of these examples are to be multiplied by in the epoch under way.

        Args:
            example_id: (N,) ids, as for ``Recorder.update``.

        Returns:
            (N,) float32 on the device of the ids: 1, or one over the share of the learned examples
            that the epoch presents.

        Raises:
            CurateError: an id that the recorder does not know (on a GPU: the recorder says so).
        """
        ids = self.recorder._ids.taken(example_id)
        rows = self.recorder._ids.rows(ids)
        known = (rows >= 0) & (rows < len(self._weights))
        if sync.is_free_to_read(known) and not bool(known.all()):
            raise CurateError(
                f"example_id: {int((~known).sum())} of {len(rows)} are no ids of the recorder; "
                "give those it was made for"
            )
        if self._weights.device != rows.device:
            self._weights = self._weights.to(rows.device)
        found = self._weights[rows.clamp(0, len(self._weights) - 1)]
        return found.masked_fill_(~known, 1.0)

    def state_dict(self) -> dict[str, Any]:
        """What is needed, with the recorder's state, to go on; loads with ``weights_only=True``."""
        state: dict[str, Any] = {"examples": len(self.recorder), "seed": self.seed}
        state |= {"keep": self.keep, "epoch": None}
        if self._state is not None:
            state |= {"epoch": self._state.number, "ended_before": self._state.ended_before}
            for name in ("presented_before", "learned"):
                state[name] = torch.from_numpy(getattr(self._state, name).copy())
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave; load the recorder's state too, in any order.

        Raises:
            CurateError: it is of another number of examples, seed or keep; nothing is changed.
        """
        own = {"examples": len(self.recorder), "seed": self.seed, "keep": self.keep}
        for name, value in own.items():
            if state.get(name) != value:
                raise CurateError(
                    f"state: of a sampler with {name}={state.get(name)!r}; this one has {value!r}"
                )
        loaded = None
        if state["epoch"] is not None:
            loaded = _Epoch(
                state["epoch"], state["ended_before"],
                state["presented_before"].numpy().copy(), state["learned"].numpy().copy(),
            )  # fmt: skip
        self._state, self._left, self._exhausted = loaded, None, False
        self._weights = torch.ones(len(self.recorder))
        if loaded is not None:
            self._weigh(loaded)

    def _begin(self) -> np.ndarray:
        """Positions left of the epoch under way; of a new one where that is over."""
        counts = _counts(self.recorder)
        if self._state is not None:
            left = self._left_of(self._state, counts)
            if len(left) and not self._was_left(self._state, counts):
                return left
        number = 0 if self._state is None else self._state.number + 1
        learned = (counts.first_learned > 0) & (counts.forgetting_events == 0)
        if number >= self._pruned_epochs:
            learned = np.zeros(len(learned), bool)
        self._state = _Epoch(number, self.recorder.epoch, counts.presentations, learned)
        self._weigh(self._state)
        return self._left_of(self._state, counts)

    def _left_of(self, epoch: _Epoch, counts: Counts) -> np.ndarray:
        """What was not presented since the epoch was drawn, as many for every rank."""
        order, _ = schedule(epoch.learned, self.keep, self.seed, epoch.number)
        left = order[counts.presentations[order] == epoch.presented_before[order]]
        return left[: len(left) // self._ranks * self._ranks]

    def _was_left(self, epoch: _Epoch, counts: Counts) -> bool:
        """Whether training went on without the rest of an epoch: a last batch dropped, say."""
        if self.recorder.epoch > epoch.ended_before:
            return True
        if self._ranks > 1 or ranks_together() > 1 or not self._exhausted:
            return False  # of several ranks some may have been asked for more than others
        return not np.array_equal(counts.presentations, epoch.presented_before)

    def _weigh(self, epoch: _Epoch) -> None:
        _, weight = schedule(epoch.learned, self.keep, self.seed, epoch.number)
        self._weights = torch.ones(len(epoch.learned))
        self._weights[torch.from_numpy(epoch.learned)] = weight

    def _hand_out(self, positions: np.ndarray) -> Iterator[int]:
        for start in range(0, len(positions), _HANDED_AT_ONCE):
            yield from positions[start : start + _HANDED_AT_ONCE].tolist()
        self._exhausted = True


def _counts(recorder: Recorder) -> Counts:
    """What the recorder knows now, (n,) each; waits for the device."""
    with recorder._lock:
        recorder._sink.check_settled()
        recorder.flush()
        state = recorder._core.state
        if state is None:
            return counts_of(np.zeros(len(recorder), np.int64))
        return counts_of(state.packed[: len(recorder)].cpu().numpy())


def _check_recorder(recorder: Any) -> None:
    if not isinstance(recorder, Recorder):
        raise CurateError(f"recorder: a {type(recorder).__name__}; give a curate.Recorder")
    if isinstance(recorder._ids, GrowingLookup):
        raise CurateError("recorder: one that grows; give it the ids of the data set, in its order")
    if ranks_together() > 1 and not isinstance(recorder, DistributedRecorder):
        raise CurateError(
            f"recorder: a plain one on each of {ranks_together()} processes, whose schedules would "
            "differ; give a curate.record.DistributedRecorder"
        )


def _check_whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise CurateError(f"{name}: {value!r}; give a whole number, at least {least}")


def _place(num_replicas: int | None, rank: int | None) -> tuple[int, int]:
    """The number of ranks, and which of them this is."""
    if num_replicas is None:
        num_replicas = ranks_together()
    if rank is None:
        together = ranks_together() > 1 and num_replicas > 1
        rank = torch.distributed.get_rank() if together else 0
    _check_whole("num_replicas", num_replicas, 1)
    if isinstance(rank, bool) or not isinstance(rank, int) or not 0 <= rank < num_replicas:
        raise CurateError(f"rank: {rank!r}; give a whole number from 0 to {num_replicas - 1}")
    return num_replicas, rank
