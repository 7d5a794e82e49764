"""A small store of recent batches, so that many training steps share one pass of arithmetic."""

import torch
from torch import Tensor

ROWS = 16384
"""Presentations worked on at once: large enough to hide the cost of a call, small enough for
the caches and for memory that the allocator keeps."""


class Buffer:
    """Copies of the ids, logits and labels of recent batches of a classifier with few classes.

    They are copies because callers may overwrite theirs: loaders reuse buffers, and a captured
    CUDA graph writes its logits to the same place in every step.
    """

    def __init__(self) -> None:
        self.used = 0
        self._ids: list[Tensor] = []
        self._logits: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._like: tuple[object, ...] | None = None

    def add(self, ids: Tensor, logits: Tensor, labels: Tensor, size: int) -> bool:
        """Copy one batch of ``size``; False where it cannot join those held."""
        like = (logits.dtype, logits.shape[1], logits.device, ids.device, labels.device)
        if self.used and (self._like != like or self.used + size > ROWS):
            return False
        self._ids.append(ids.clone())
        self._logits.append(logits.detach().clone())
        self._labels.append(labels.clone())
        self._like = like
        self.used += size
        return True

    def take(self) -> tuple[Tensor, Tensor, Tensor]:
        """Ids (N,), logits (N, C) float32 or float64, and labels (N,), all to be overwritten.

        The logits lie class by class: over few classes, reductions are then several times as
        fast as row by row.
        """
        ids, logits, labels = (torch.cat(each) for each in (self._ids, self._logits, self._labels))
        self.__init__()  # type: ignore[misc]
        precise = torch.promote_types(logits.dtype, torch.float32)
        size, classes = logits.shape
        # a row more than needed keeps copy_ off its path for matrices, half as fast here
        turned = torch.empty(classes, size + 1, dtype=precise, device=logits.device)[:, :size].t()
        return ids, turned.copy_(logits), labels
