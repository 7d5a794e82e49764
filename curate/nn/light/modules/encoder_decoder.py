"""A small encoder-decoder for translation, of light convolutions or of self-attention."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from curate.nn.light.modules.language_model import State, reordered
from curate.nn.light.modules.layer import LightConvLayer, sinusoids


class EncoderDecoder(nn.Module):
    """One embedding for both languages and the output; one layer per kernel size on either side.

    Args:
        vocabulary: number of token ids of the joint vocabulary.
        channels: C, even.
        hidden: width of the feed-forward parts.
        encoder_kernels: K of each encoder layer.
        decoder_kernels: K of each decoder layer, causal.
        padding_id: token id of padding, in sources and targets.
        num_heads, kind, dropout, weight_dropout, normalize: of each :class:`LightConvLayer`.

    Shape:
        source (B, S), target (B, T) token ids -> logits (B, T, vocabulary).
    """

    def __init__(
        self,
        vocabulary: int,
        channels: int,
        hidden: int,
        encoder_kernels: Sequence[int],
        decoder_kernels: Sequence[int],
        *,
        padding_id: int = 0,
        dropout: float = 0.0,
        **layer: Any,
    ) -> None:
        super().__init__()
        self.padding_id = padding_id
        self.embedding = nn.Embedding(vocabulary, channels)
        nn.init.normal_(self.embedding.weight, std=channels**-0.5)
        options = dict(layer, dropout=dropout)
        self.encoder = nn.ModuleList(
            LightConvLayer(channels, hidden, size, **options) for size in encoder_kernels
        )
        self.decoder = nn.ModuleList(
            LightConvLayer(channels, hidden, size, causal=True, cross=True, **options)
            for size in decoder_kernels
        )
        self.encoder_norm = nn.LayerNorm(channels)
        self.decoder_norm = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits of the token after each of the target's."""
        memory, mask = self.encode(source)
        x = self._embedded(target, 0)
        for layer in self.decoder:
            x = layer(x, None, memory, mask)
        return self.decoder_norm(x) @ self.embedding.weight.T

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """The encoder's output (B, S, C) and its mask (B, S), True at padding."""
        mask = source == self.padding_id
        x = self._embedded(source, 0)
        for layer in self.encoder:
            x = layer(x, mask)
        return self.encoder_norm(x), mask

    def step(
        self, tokens: Tensor, memory: Tensor, mask: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Continue by tokens (B, n): their logits, and the state for the next call."""
        start, kept = (0, [None] * len(self.decoder)) if state is None else state
        x = self._embedded(tokens, start)
        states = []
        for layer, old in zip(self.decoder, kept, strict=True):
            x, new = layer.step(x, old, memory, mask)  # type: ignore[operator]
            states.append(new)
        return self.decoder_norm(x) @ self.embedding.weight.T, (start + tokens.shape[1], states)

    def _embedded(self, tokens: Tensor, start: int | Tensor) -> Tensor:
        weight = self.embedding.weight
        x = self.embedding(tokens) * weight.shape[1] ** 0.5
        places = start + torch.arange(tokens.shape[1], device=tokens.device)
        return self.dropout(x + sinusoids(places, weight.shape[1], weight))


@torch.no_grad()
def beam_search(
    model: EncoderDecoder,
    source: Tensor,
    *,
    start_id: int,
    end_id: int,
    beam: int = 4,
    longest: int = 100,
    length_penalty: float = 1.0,
) -> list[list[int]]:
    """The best target of each source (B, S): token ids without the start and the end.

    A hypothesis is scored by its log-probability over its length to the power length_penalty.
    """
    batch = source.shape[0]
    memory, mask = model.encode(source)
    memory, mask = memory.repeat_interleave(beam, 0), mask.repeat_interleave(beam, 0)
    first = torch.arange(batch, device=source.device).unsqueeze(1) * beam
    tokens = torch.full((batch * beam, 1), start_id, device=source.device)
    scores = torch.full((batch, beam), -torch.inf, device=source.device)
    scores[:, 0] = 0  # the beams start alike: extend one of them only
    best: list[tuple[float, list[int]]] = [(-torch.inf, [])] * batch
    state: State | None = None
    for length in range(1, longest + 1):
        logits, state = model.step(tokens[:, -1:], memory, mask, state)
        grown = scores.unsqueeze(2) + logits[:, -1].log_softmax(1).view(batch, beam, -1)
        ended = grown[:, :, end_id] / length**length_penalty
        for i, (score, j) in enumerate(zip(*(v.tolist() for v in ended.max(1)), strict=True)):
            if score > best[i][0]:
                best[i] = (score, tokens[i * beam + j, 1:].tolist())
        grown[:, :, end_id] = -torch.inf
        scores, chosen = grown.flatten(1).topk(beam)
        origin = (first + chosen // grown.shape[2]).flatten()
        tokens = torch.cat((tokens[origin], (chosen % grown.shape[2]).view(-1, 1)), 1)
        state = reordered(state, origin)
        # log-probabilities only fall: stop when none can still overtake
        bound = scores[:, 0] / (longest**length_penalty if length_penalty > 0 else length)
        if all(score >= limit for (score, _), limit in zip(best, bound.tolist(), strict=True)):
            break
    return [target for _, target in best]
