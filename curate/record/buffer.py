"""A small store of recent logits, so that many training steps share one pass of arithmetic."""

import torch
from torch import Tensor

ROWS = 8192
"""Presentations worked on at once: large enough to hide the cost of a call, small enough for
the caches and for memory that the allocator keeps."""


class Buffer:
    """Ids, labels and logits of up to 8192 presentations of a classifier with C classes.

    Logits are copied, as callers may overwrite theirs, into a class-major layout, in which
    reductions over few classes are several times as fast as row by row.
    """

    def __init__(self, classes: int, dtype: torch.dtype, device: torch.device) -> None:
        self.classes, self.dtype, self.device, self.used = classes, dtype, device, 0
        self._ids = torch.empty(ROWS, dtype=torch.int64, device=device)
        self._labels = torch.empty(ROWS, dtype=torch.int64, device=device)
        self._logits = torch.empty(classes, ROWS, dtype=dtype, device=device).t()

    def append(self, ids: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Copy one batch in; the caller has seen to it that it fits."""
        start, end = self.used, self.used + len(ids)
        self._ids[start:end].copy_(ids, non_blocking=True)
        self._labels[start:end].copy_(labels, non_blocking=True)
        self._logits[start:end].copy_(logits, non_blocking=True)
        self.used = end

    def take(self) -> tuple[Tensor, Tensor, Tensor]:
        """Ids, logits and labels held; they may be overwritten until the next append."""
        used, self.used = self.used, 0
        return self._ids[:used], self._logits[:used], self._labels[:used]
