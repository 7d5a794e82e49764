"""Activation checkpointing for very deep networks: memory grows with the root of the depth."""

import math

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from curate.nn.fixup.errors import FixupError


class CheckpointSequential(nn.Sequential):
    """An nn.Sequential that keeps only the activations between segments and recomputes the rest.

    Outputs and gradients are the same; n blocks in segments of sqrt(n) keep about 2 sqrt(n)
    activations instead of n, for one more forward pass.
    """

    segment = 0

    def forward(self, x: Tensor) -> Tensor:
        """The blocks one after the other."""
        if not torch.is_grad_enabled():
            return super().forward(x)
        blocks = list(self)
        size = self.segment or math.isqrt(max(1, len(blocks) - 1)) + 1
        for start in range(0, len(blocks), size):
            part = blocks[start : start + size]
            x = checkpoint(_run, part, x, use_reentrant=False)
        return x


def checkpoint_(model: nn.Module, segment: int | None = None, shortest: int = 8) -> int:
    """Checkpoint every long nn.Sequential of a model, in place; parameters keep their names.

    Args:
        model: changed in place.
        segment: blocks per segment; None: the square root of their number.
        shortest: sequences of fewer blocks are left as they are.

    Returns:
        How many sequences were changed.

    Raises:
        FixupError: the model is itself an nn.Sequential (wrap it, as nothing holds it), or a
            segment below 1.

    Example:
        >>> checkpoint_(fixup_resnet_cifar(110))
        3
    """
    if segment is not None and segment < 1:
        raise FixupError(f"segment: {segment} blocks; give at least 1, or None")
    if type(model) is nn.Sequential and len(model) >= shortest:
        raise FixupError(
            "model: a bare nn.Sequential cannot be replaced in place; use "
            "CheckpointSequential(*model)"
        )
    count = 0
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Sequential and len(child) >= shortest:
                changed = CheckpointSequential()
                changed.__dict__.update(child.__dict__)  # hooks and training mode, too
                changed.segment = segment or 0
                setattr(parent, name, changed)
                count += 1
    return count


def _run(blocks: list[nn.Module], x: Tensor) -> Tensor:
    for block in blocks:
        x = block(x)
    return x
