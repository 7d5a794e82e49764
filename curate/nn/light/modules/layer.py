"""A residual layer: mix over time, look at an encoder's output if there is one, feed forward."""

import math

import torch
from torch import Tensor, nn

from curate.nn.light.errors import LightConvError
from curate.nn.light.modules.attention import SelfAttention
from curate.nn.light.modules.block import LightConvBlock


class LightConvLayer(nn.Module):
    """Normalise, mix, add; three times at most (the paper's layer with normalisation first).

    Args:
        channels: C.
        hidden: width of the feed-forward part.
        kernel_size: K of the convolution (without effect for "attention").
        num_heads: H of the convolution, and of any attention.
        kind: "lightweight", "dynamic", or "attention" to compare with.
        causal: look back only.
        cross: attend to an encoder's output, too.
        dropout: on what each part adds.
        weight_dropout: DropConnect on the kernels, or dropout of attention.
        normalize: of the kernels: "softmax" or None.
    """

    def __init__(
        self,
        channels: int,
        hidden: int,
        kernel_size: int,
        *,
        num_heads: int,
        kind: str = "lightweight",
        causal: bool = False,
        cross: bool = False,
        dropout: float = 0.0,
        weight_dropout: float = 0.0,
        normalize: str | None = "softmax",
    ) -> None:
        super().__init__()
        if kind == "attention":
            self.mixer: SelfAttention | LightConvBlock = SelfAttention(
                channels, num_heads, causal=causal, dropout=weight_dropout
            )
        else:
            self.mixer = LightConvBlock(
                channels,
                kernel_size,
                num_heads=num_heads,
                kind=kind,
                padding="causal" if causal else "same",
                normalize=normalize,
                weight_dropout=weight_dropout,
            )
        self.mixer_norm = nn.LayerNorm(channels)
        if cross:
            self.cross = nn.MultiheadAttention(channels, num_heads, batch_first=True)
            self.cross_norm = nn.LayerNorm(channels)
        self.forward_norm = nn.LayerNorm(channels)
        self.feed_forward = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        key_padding_mask: Tensor | None = None,
        memory: Tensor | None = None,
        memory_padding_mask: Tensor | None = None,
        seq_idx: Tensor | None = None,
    ) -> Tensor:
        """x (B, T, C), memory (B, S, C) of an encoder; masks True at padding.

        Of documents one after the other, numbered by seq_idx (B, T), none sees another.
        """
        x = x + self.dropout(self.mixer(self.mixer_norm(x), key_padding_mask, seq_idx))
        return self._rest(x, memory, memory_padding_mask)

    def step(
        self,
        x: Tensor,
        state: Tensor | None,
        memory: Tensor | None = None,
        memory_padding_mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Continue by a chunk x (B, n, C), mask (B, n) True at padding."""
        mixed, state = self.mixer.step(self.mixer_norm(x), state, key_padding_mask)
        return self._rest(x + self.dropout(mixed), memory, memory_padding_mask), state

    def _rest(self, x: Tensor, memory: Tensor | None, mask: Tensor | None) -> Tensor:
        if memory is not None:
            query = self.cross_norm(x)
            seen = self.cross(query, memory, memory, key_padding_mask=mask, need_weights=False)[0]
            x = x + self.dropout(seen)
        return x + self.dropout(self.feed_forward(self.forward_norm(x)))


def sinusoids(places: Tensor, channels: int, like: Tensor) -> Tensor:
    """Sinusoids (..., C) of positions (...); C is even."""
    if channels % 2:
        raise LightConvError(f"channels: {channels}; positions need an even number")
    half = channels // 2
    rates = torch.exp(
        torch.arange(half, device=like.device) * (-math.log(10_000) / max(half - 1, 1))
    )
    angles = places.unsqueeze(-1) * rates
    return torch.cat((angles.sin(), angles.cos()), -1).to(like.dtype)
