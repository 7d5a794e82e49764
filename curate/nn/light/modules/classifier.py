"""A text classifier of light convolutions: every example by itself, no batch statistics."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from curate.nn.light.modules.layer import LightConvLayer, sinusoids


class TextClassifier(nn.Module):
    """Embedding, one layer per kernel size, mean over the real positions, linear.

    Args:
        vocabulary: number of token ids.
        classes: number of classes.
        channels: C, even.
        hidden: width of the feed-forward parts; None: 2 C.
        kernel_sizes: K of each layer.
        num_heads: H, divides C.
        padding_id: token id of padding; such positions are not seen.
        dropout, kind, weight_dropout, normalize: of each :class:`LightConvLayer`.

    Shape:
        token ids (B, T), padding mask (B, T) bool or None -> logits (B, classes).
    """

    def __init__(
        self,
        vocabulary: int,
        classes: int,
        *,
        channels: int = 64,
        hidden: int | None = None,
        kernel_sizes: Sequence[int] = (3, 7),
        num_heads: int = 4,
        padding_id: int = 0,
        dropout: float = 0.1,
        **layer: Any,
    ) -> None:
        super().__init__()
        self.padding_id = padding_id
        self.embedding = nn.Embedding(vocabulary, channels)
        nn.init.normal_(self.embedding.weight, std=channels**-0.5)
        options = dict(layer, num_heads=num_heads, dropout=dropout)
        self.layers = nn.ModuleList(
            LightConvLayer(channels, hidden or 2 * channels, size, **options)
            for size in kernel_sizes
        )
        self.norm = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, classes)

    def forward(self, tokens: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        """Logits; without a mask, padding is where the token is ``padding_id``."""
        mask = tokens == self.padding_id if key_padding_mask is None else key_padding_mask
        weight = self.embedding.weight
        x = self.embedding(tokens) * weight.shape[1] ** 0.5
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.dropout(x + sinusoids(places, weight.shape[1], weight))
        for layer in self.layers:
            x = layer(x, mask)
        real = (~mask).unsqueeze(2).to(x.dtype)
        mean = (self.norm(x) * real).sum(1) / real.sum(1).clamp(min=1)
        return self.head(mean)
