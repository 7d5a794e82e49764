"""Which pairs are worth a close look: the nearest by features and by thumbnails, mirrored too."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from curate.data.on_ray import Blocks, blocks_here
from curate.retest.duplicates.cells import cells_here, cells_on_ray
from curate.retest.duplicates.embedding import EMBEDDED, Embedding, Function, fit_embedding
from curate.retest.duplicates.images import SIDE, Images
from curate.retest.duplicates.search import Index, build_index
from curate.retest.duplicates.signals import Described, describe, pair_signals

BY_FEATURES, BY_THUMBNAIL, CANDIDATES = 12, 6, 20
_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Found:
    """Candidates of q queries, in no order.

    Attributes:
        rows: int64 (q, k), of the searched set; -1: none.
        signals: float32 (q, k, 7), as :data:`SIGNALS` names them; NaN: no candidate.
    """

    rows: np.ndarray
    signals: np.ndarray


@dataclass(frozen=True, eq=False)
class Searched:
    """A set that is searched: embedded, indexed and described once."""

    embeddings: tuple[Embedding, Embedding]
    rows: tuple[np.ndarray, np.ndarray]
    indexes: tuple[Index, Index]
    described: Described

    def find(
        self,
        small: Tensor,
        sized: Tensor,
        own: np.ndarray | None,
        on_progress: Callable[[int], None] | None = None,
        blocks: Blocks = blocks_here,
    ) -> Found:
        """Candidates of images, with the signals of each pair.

        Args:
            small: uint8 (q, 3, 32, 32).
            sized: uint8 (q, 3, s, s), the same images.
            own: int64 (q,), the row of each query in the searched set, which is no candidate of
                itself; None: they are other images.
            on_progress: called with the number of queries done.
            blocks: what looks for a block of them after another.
        """
        rows, signals = [], []
        for part in blocks(_Queries(self, small, sized, own), _candidates, _AT_ONCE):
            rows.append(part.rows)
            signals.append(part.signals)
            if on_progress is not None:
                on_progress(sum(map(len, rows)))
        return Found(np.concatenate(rows), np.concatenate(signals))

    def candidates(self, small: Tensor, sized: Tensor, own: np.ndarray | None) -> Found:
        """The same as :meth:`find`, of a few hundred images."""
        vectors = [
            np.stack([embed(images), embed(images.flip(3))], 1)
            for embed, images in zip(self.embeddings, (sized, small), strict=True)
        ]
        lists = []
        for index, asked, most in zip(
            self.indexes, vectors, (BY_FEATURES, BY_THUMBNAIL), strict=True
        ):
            near = index.search(asked.reshape(-1, asked.shape[2]), most + 1)[1]
            lists.append(near.reshape(len(asked), -1))
        chosen = self._union(lists, vectors[0], own)
        features = self.rows[0][np.maximum(chosen, 0)]
        cosines = np.einsum("qfd,qkd->qfk", vectors[0], features)
        return Found(chosen, pair_signals(small, chosen, cosines, self.described))

    def _union(
        self, lists: list[np.ndarray], vectors: np.ndarray, own: np.ndarray | None
    ) -> np.ndarray:
        """Different rows of several lists, at most 20 for each query, -1 after the last.

        Where there are more, those of the highest cosine stay, but the nearest by thumbnail first.
        """
        rows = np.concatenate(lists, 1)
        if own is not None:
            rows = np.where(rows == own[:, None], -1, rows)
        order = np.argsort(rows, axis=1, kind="stable")
        ordered = np.take_along_axis(rows, order, 1)
        again = np.zeros_like(ordered, bool)
        again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
        worth = np.einsum("qfd,qkd->qfk", vectors, self.rows[0][np.maximum(ordered, 0)]).max(1)
        half = lists[1].shape[1] // 2
        for favoured in (lists[1][:, :3], lists[1][:, half : half + 1]):
            worth += (ordered[:, :, None] == favoured[:, None, :]).any(2) * 2.0
        worth[again | (ordered < 0)] = -np.inf
        best = np.argsort(-worth, axis=1, kind="stable")[:, :CANDIDATES]
        kept = np.take_along_axis(ordered, best, 1)
        return np.where(np.isinf(np.take_along_axis(worth, best, 1)), -1, kept)


@dataclass(frozen=True, eq=False)
class _Queries:
    """Queries and what they are looked for in, as they go to a worker."""

    searched: Searched
    small: Tensor
    sized: Tensor
    own: np.ndarray | None

    def __len__(self) -> int:
        return len(self.small)


def _candidates(queries: _Queries, start: int, stop: int) -> Found:
    own = None if queries.own is None else queries.own[start:stop]
    small, sized = queries.small[start:stop], queries.sized[start:stop]
    return queries.searched.candidates(small, sized, own)


def prepare(
    images: Images,
    function: Function,
    rng: np.random.Generator,
    exact: int | None = None,
    blocks: Blocks = blocks_here,
) -> Searched:
    """Embed, index and describe the set that is searched; a cluster's ``blocks``: shards there."""
    embeddings = (
        fit_embedding(function, images.sized, rng),
        fit_embedding(_thumbnails, images.small, rng, width=96),
    )
    parts = list(blocks(images, partial(_embedded, embeddings=embeddings), EMBEDDED))
    rows = (np.concatenate([one for one, _ in parts]), np.concatenate([two for _, two in parts]))
    fill = cells_here if blocks is blocks_here else cells_on_ray
    indexes = (build_index(rows[0], rng, exact, fill), build_index(rows[1], rng, exact, fill))
    return Searched(embeddings, rows, indexes, describe(images.small))


def _embedded(
    images: Images, start: int, stop: int, embeddings: tuple[Embedding, Embedding]
) -> tuple[np.ndarray, np.ndarray]:
    return embeddings[0](images.sized[start:stop]), embeddings[1](images.small[start:stop])


def _thumbnails(images: Tensor) -> Tensor:
    """Colour thumbnails of 16×16 pixels, without the mean of each channel."""
    values = adaptive_avg_pool2d(images.float() / 255, 16).flatten(2)
    return (values - values.mean(2, keepdim=True)).flatten(1)


def shrunk(images: Tensor) -> Tensor:
    """Images (n, 3, s, s), uint8, at 32×32."""
    if images.shape[3] == SIDE:
        return images
    values = torch.nn.functional.interpolate(
        images.float(), (SIDE, SIDE), mode="bilinear", antialias=True
    )
    return values.clamp(0, 255).round().byte()
