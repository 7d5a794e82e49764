"""The state of a causal convolution: its last inputs, (B, <= K - 1, C)."""

import torch
from torch import Tensor


def extend(state: Tensor | None, x: Tensor) -> Tensor:
    """The remembered inputs with x (B, n, C) behind them."""
    return x if state is None else torch.cat((state, x), 1)


def keep(seen: Tensor, count: int) -> Tensor:
    """The last inputs, at most count, in memory of their own."""
    return seen[:, max(0, seen.shape[1] - count) :].clone()
