"""Causal or full self-attention with the block's interface: what light convolution replaces."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.nn.light.modules.state import extend, keep


class SelfAttention(nn.Module):
    """Multi-head self-attention, x (B, T, C) -> (B, T, C), with a step for decoding."""

    def __init__(self, channels: int, num_heads: int, *, causal: bool, dropout: float = 0.0):
        super().__init__()
        self.num_heads, self.causal, self.dropout = num_heads, causal, dropout
        self.linear1 = nn.Linear(channels, 3 * channels)
        self.linear2 = nn.Linear(channels, channels)
        for linear in (self.linear1, self.linear2):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(
        self, x: Tensor, key_padding_mask: Tensor | None = None, seq_idx: Tensor | None = None
    ) -> Tensor:
        """Mix x over time; the mask (B, T) is True at padding, seq_idx (B, T) numbers documents."""
        query, memory = self.linear1(x).tensor_split([x.shape[2]], 2)
        if key_padding_mask is None and seq_idx is None:
            return self._attended(query, memory, None, self.causal)
        steps = torch.arange(x.shape[1], device=x.device)
        allowed = (steps[:, None] >= steps if self.causal else steps[:, None] >= 0)[None, None]
        if key_padding_mask is not None:
            allowed = allowed & ~key_padding_mask[:, None, None]
        if seq_idx is not None:
            allowed = allowed & (seq_idx[:, None, :, None] == seq_idx[:, None, None])
        # padding sees itself: a row that sees nothing would become NaN
        return self._attended(query, memory, allowed | (steps[:, None] == steps), False)

    def step(
        self, x: Tensor, state: Tensor | None = None, key_padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Continue by a chunk x (B, n, C), mask (B, n) True at padding.

        The state holds all keys and values, (B, S, 2 C), and once a mask was given what is real.
        """
        query, memory = self.linear1(x).tensor_split([x.shape[2]], 2)
        real = None if key_padding_mask is None else ~key_padding_mask
        memory, real = extend(state, memory, real)
        keys = torch.arange(memory.shape[1], device=x.device)
        own = keys[-x.shape[1] :, None]
        allowed = keys <= own
        if real is not None:
            allowed = (allowed & real[:, None, None]) | (keys == own)
        y = self._attended(query, memory, allowed, False)
        return y, keep(memory, real, memory.shape[1])

    def reorder(self, state: Tensor, index: Tensor) -> Tensor:
        """The state of the sequences at index (B',)."""
        return state.index_select(0, index)

    def _attended(
        self, query: Tensor, memory: Tensor, allowed: Tensor | None, causal: bool
    ) -> Tensor:
        parts = (query, *memory.chunk(2, 2))
        q, k, v = (part.unflatten(2, (self.num_heads, -1)).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(
            q, k, v, allowed, self.dropout if self.training else 0.0, is_causal=causal
        )
        return self.linear2(y.transpose(1, 2).flatten(2))
