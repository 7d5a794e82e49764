"""The state of a causal convolution: its last inputs, (B, <= K - 1, C).

Where padding has to be told from inputs later on, the state has one channel more, 1 at real
positions and 0 at padding.
"""

import torch
from torch import Tensor

from curate.nn.light.errors import LightConvError


def extend(state: Tensor | None, x: Tensor, real: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The remembered inputs with x (B, n, C) behind them, and which of them are real.

    Args:
        state: None at the start.
        x: zero at padding.
        real: bool (B, n); None where all of x is, or where nobody will ask.

    Returns:
        (B, S + n, C), and bool (B, S + n) or None where all are real.

    Raises:
        LightConvError: a state of another batch size or number of channels.
    """
    if state is None:
        return x, real
    channels = x.shape[2]
    extra = state.shape[2] - channels
    if state.shape[0] != x.shape[0] or extra < 0 or extra > 1:
        raise LightConvError(
            f"state: shape {state.shape} for x of shape {x.shape} (batch, time, channels); give "
            "what the last step returned, or reorder() it to these sequences"
        )
    seen = torch.cat((state[:, :, :channels], x), 1)
    if extra == 0 and real is None:
        return seen, None
    old = torch.ones_like(state[:, :, 0], dtype=torch.bool)
    if extra == 1:
        old = state[:, :, channels] > 0
    new = torch.ones_like(x[:, :, 0], dtype=torch.bool) if real is None else real
    return seen, torch.cat((old, new), 1)


def keep(seen: Tensor, real: Tensor | None, count: int) -> Tensor:
    """The last inputs, at most count, in memory of their own, with what is real if told."""
    if real is not None:
        seen = torch.cat((seen, real.unsqueeze(2).to(seen.dtype)), 2)
    return seen[:, max(0, seen.shape[1] - count) :].clone()
