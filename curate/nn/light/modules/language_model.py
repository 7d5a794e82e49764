"""A language model of causal light convolutions."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from curate.nn.light.modules.layer import LightConvLayer, positions

State = tuple[int, list[Tensor]]


class LanguageModel(nn.Module):
    """Embedding, one causal layer per kernel size, and logits from the embedding's transpose.

    Args:
        vocabulary: number of token ids.
        channels: C, even.
        hidden: width of the feed-forward parts.
        kernel_sizes: K of each layer; the paper lets them grow.
        num_heads, kind, dropout, weight_dropout, normalize: of each :class:`LightConvLayer`.

    Shape:
        token ids (B, T) -> logits (B, T, vocabulary).
    """

    def __init__(
        self,
        vocabulary: int,
        channels: int,
        hidden: int,
        kernel_sizes: Sequence[int],
        *,
        dropout: float = 0.0,
        **layer: Any,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, channels)
        nn.init.normal_(self.embedding.weight, std=channels**-0.5)
        self.layers = nn.ModuleList(
            LightConvLayer(channels, hidden, size, causal=True, dropout=dropout, **layer)
            for size in kernel_sizes
        )
        self.norm = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of each next token."""
        x = self._embedded(tokens, 0)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x) @ self.embedding.weight.T

    def step(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Continue by tokens (B, n): their logits, and the state for the next call."""
        start, kept = (0, [None] * len(self.layers)) if state is None else state
        x = self._embedded(tokens, start)
        states = []
        for layer, old in zip(self.layers, kept, strict=True):
            x, new = layer.step(x, old)  # type: ignore[operator]
            states.append(new)
        return self.norm(x) @ self.embedding.weight.T, (start + tokens.shape[1], states)

    def _embedded(self, tokens: Tensor, start: int) -> Tensor:
        weight = self.embedding.weight
        x = self.embedding(tokens) * weight.shape[1] ** 0.5
        return self.dropout(x + positions(start, tokens.shape[1], weight.shape[1], weight))


def reordered(state: State, index: Tensor) -> State:
    """The state of the sequences at index (B',), for any model of this package."""
    start, states = state
    return start, [torch.index_select(kept, 0, index) for kept in states]
