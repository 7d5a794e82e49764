"""A kernel's softmax over its taps, optionally over those alone that see a real position."""

import torch
from torch import Tensor

from curate.nn.light.functional.geometry import inside


def normalized(logits: Tensor) -> Tensor:
    """Softmax over the last dimension, in float32 for half precision."""
    return _wide(logits).softmax(-1)


def renormalized(logits: Tensor, real: Tensor, left: int) -> Tensor:
    """Softmax over the taps that lie on a real position; zeros where none does.

    Args:
        logits: (B, length, H, K).
        real: bool (B, T) or (1, T), True at the input's positions that count.
        left: zeros before the input.
    """
    logits = _wide(logits)
    valid = inside(real, logits.shape[3], left, logits.shape[1])
    # the lowest float32, not -inf: a row that sees nothing would become NaN
    return logits.masked_fill(~valid, -3.4e38).softmax(-1) * valid


def _wide(logits: Tensor) -> Tensor:
    if logits.dtype == torch.float16 or logits.dtype == torch.bfloat16:
        return logits.float()
    return logits
