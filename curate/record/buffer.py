"""A small store of recent batches, so that many training steps share one pass of arithmetic."""

from typing import NamedTuple

import torch
from torch import Tensor

ROWS = 16384
"""Presentations worked on at once: large enough to hide the cost of a call, small enough for
the caches and for memory that the allocator keeps."""


class Gathered(NamedTuple):
    """Ids (N,), logits (N, C) float32 or float64, labels (N,), all to be overwritten; and
    ``asked``, (N,) bool, False for examples to leave out, or None.
    """

    ids: Tensor
    logits: Tensor
    labels: Tensor
    asked: Tensor | None


class _Held(NamedTuple):
    ids: Tensor
    logits: Tensor
    labels: Tensor
    asked: Tensor | None
    like: tuple[object, ...]
    used: int  # presentations up to here


class Buffer:
    """Copies of the ids, logits and labels of recent batches of a classifier with few classes.

    They are copies because callers may overwrite theirs: loaders reuse buffers, and a captured
    CUDA graph writes its logits to the same place in every step. A batch is held or not, nothing
    in between, and stays until :meth:`clear`.
    """

    def __init__(self) -> None:
        self._held: list[_Held] = []

    @property
    def used(self) -> int:
        """Presentations held."""
        return self._held[-1].used if self._held else 0

    @property
    def device(self) -> torch.device:
        """Where the logits held lie."""
        return self._held[-1].logits.device

    def add(
        self, ids: Tensor, logits: Tensor, labels: Tensor, asked: Tensor | None, size: int
    ) -> bool:
        """Copy one batch of ``size``; False where it cannot join those held.

        Args:
            ids, labels: (N,) int64.
            logits: (N, C).
            asked: (N,) bool on the device of the logits, or None.
            size: N.
        """
        like = (logits.dtype, logits.shape[1], logits.device, ids.device, labels.device)
        used = size
        if self._held:
            last = self._held[-1]
            used += last.used
            if last.like != like or used > ROWS:
                return False
        asked = None if asked is None else asked.clone()
        self._held.append(_Held(ids.clone(), logits.clone(), labels.clone(), asked, like, used))
        return True

    def joined(self) -> Gathered:
        """All that is held, in order.

        The logits lie class by class: over few classes, reductions are then several times as
        fast as row by row.
        """
        held = self._held
        ids = torch.cat([batch.ids for batch in held])
        logits = torch.cat([batch.logits for batch in held])
        labels = torch.cat([batch.labels for batch in held])
        asked = None
        if any(batch.asked is not None for batch in held):
            every = [
                batch.labels.new_ones(len(batch.labels), dtype=torch.bool, device=logits.device)
                if batch.asked is None
                else batch.asked
                for batch in held
            ]
            asked = torch.cat(every)
        precise = torch.promote_types(logits.dtype, torch.float32)
        size, classes = logits.shape
        # a row more than needed keeps copy_ off its path for matrices, half as fast here
        turned = torch.empty(classes, size + 1, dtype=precise, device=logits.device)[:, :size].t()
        return Gathered(ids, turned.copy_(logits), labels, asked)

    def clear(self) -> None:
        """Hold nothing."""
        self._held = []
