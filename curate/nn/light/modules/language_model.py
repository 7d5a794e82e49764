"""A language model of causal light convolutions."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from curate.nn.light.modules.layer import LightConvLayer, sinusoids

State = tuple[int | Tensor, list[Tensor]]
"""How many real positions there were, (B, 1) once a mask was given, and each layer's state."""


class LanguageModel(nn.Module):
    """Embedding, one causal layer per kernel size, and logits from the embedding's transpose.

    Args:
        vocabulary: number of token ids.
        channels: C, even.
        hidden: width of the feed-forward parts.
        kernel_sizes: K of each layer; the paper lets them grow.
        num_heads, kind, dropout, weight_dropout, normalize: of each :class:`LightConvLayer`.

    Shape:
        token ids (B, T), padding mask (B, T) bool, document numbers (B, T) -> logits (B, T,
        vocabulary).
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

    def forward(
        self,
        tokens: Tensor,
        key_padding_mask: Tensor | None = None,
        seq_idx: Tensor | None = None,
    ) -> Tensor:
        """Logits of each next token.

        Args:
            tokens: (B, T).
            key_padding_mask: bool (B, T), True at padding, on whichever side.
            seq_idx: integers (B, T), the number of each position's document where several lie one
                after the other: each gets the logits that it would get alone.
        """
        places = _places(tokens, 0, key_padding_mask)
        if seq_idx is not None:
            places = places - _first_place(places, seq_idx)
        x = self._embedded(tokens, places)
        for layer in self.layers:
            x = layer(x, key_padding_mask, seq_idx=seq_idx)
        return self.norm(x) @ self.embedding.weight.T

    def step(
        self,
        tokens: Tensor,
        state: State | None = None,
        key_padding_mask: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Continue by tokens (B, n): their logits, and the state for the next call.

        Prompts of unequal length are padded on the left, True in the mask (B, n).
        """
        start, kept = (0, [None] * len(self.layers)) if state is None else state
        x = self._embedded(tokens, _places(tokens, start, key_padding_mask))
        states = []
        for layer, old in zip(self.layers, kept, strict=True):
            x, new = layer.step(x, old, key_padding_mask=key_padding_mask)  # type: ignore[operator]
            states.append(new)
        count: int | Tensor = tokens.shape[1]
        if key_padding_mask is not None:
            count = (~key_padding_mask).sum(1, keepdim=True)
        return self.norm(x) @ self.embedding.weight.T, (start + count, states)

    def _embedded(self, tokens: Tensor, places: Tensor) -> Tensor:
        weight = self.embedding.weight
        x = self.embedding(tokens) * weight.shape[1] ** 0.5
        return self.dropout(x + sinusoids(places, weight.shape[1], weight))


def _places(tokens: Tensor, start: int | Tensor, padding: Tensor | None) -> Tensor:
    """Each token's position among the real ones, (B, n) or (n,)."""
    if padding is None:
        return start + torch.arange(tokens.shape[1], device=tokens.device)
    return start + ((~padding).cumsum(1) - 1).clamp(min=0)


def _first_place(places: Tensor, seq_idx: Tensor) -> Tensor:
    """The place (B, T) at which each position's document begins."""
    begins = torch.ones_like(seq_idx, dtype=torch.bool)
    begins[:, 1:] = seq_idx[:, 1:] != seq_idx[:, :-1]
    return torch.where(begins, places, 0).cummax(1).values


def reordered(state: State, index: Tensor) -> State:
    """The state of the sequences at index (B',), for any model of this package."""
    start, states = state
    if isinstance(start, Tensor):
        start = start.index_select(0, index)
    return start, [torch.index_select(kept, 0, index) for kept in states]
