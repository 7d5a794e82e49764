"""A kernel's softmax over its taps, optionally over those alone that see a real position."""

import torch
from torch import Tensor


def normalized(logits: Tensor) -> Tensor:
    """Softmax over the last dimension, in float32 for half precision."""
    return _wide(logits).softmax(-1)


def renormalized(logits: Tensor, valid: Tensor) -> Tensor:
    """Softmax over the taps that count; zeros where none does.

    Args:
        logits: (B, length, H, K).
        valid: bool (B, length, 1, K) or (1, length, 1, K), True at the taps that count.
    """
    logits = _wide(logits)
    # the lowest float32, not -inf: a row that sees nothing would become NaN
    return logits.masked_fill(~valid, -3.4e38).softmax(-1) * valid


def _wide(logits: Tensor) -> Tensor:
    if logits.dtype == torch.float16 or logits.dtype == torch.bfloat16:
        return logits.float()
    return logits
