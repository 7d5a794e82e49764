"""Pairs that are nearer than different examples of such sets come to be by chance."""

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from curate.features import colour, local_dct
from curate.features.neighbours import nearest
from curate.features.pair import as_pair

_RATIO = 0.3
"""Of the distance to unrelated neighbours: photographs saved again as JPEG 30 stay below it."""

_CHANCE = 0.01  # probability that a set of this size has any such pair by chance
_MOST = 20_000  # examples that are looked at
_FEWEST = 8


def looks(images: torch.Tensor) -> torch.Tensor:
    """Two kinds of features of one decode, float32 (n, 768 + 864): colours, local frequencies.

    Copies saved anew keep their colours; copies made darker or lighter, their frequencies.
    """
    thumbnails = avg_pool2d(colour(images).view(-1, 3, 32, 32), 2).flatten(1)
    return torch.cat([thumbnails, local_dct(images)], 1)


def looks_alike(features: np.ndarray, sources: int) -> tuple[np.ndarray, np.ndarray]:
    """:func:`near_pairs` by either kind of features of :func:`looks`."""
    parts = [near_pairs(part, sources) for part in np.split(features, [768], axis=1)]
    pairs = np.concatenate([pair for pair, _ in parts])
    distances = np.concatenate([distance for _, distance in parts])
    order = np.argsort(distances, kind="stable")
    _, first = np.unique(pairs[order], axis=0, return_index=True)
    return pairs[order][first], distances[order][first]


def near_pairs(features: np.ndarray, sources: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows whose distance is a small part of that to neighbours that are no copies.

    If neighbours of a point are spread evenly in m dimensions, the nearest of k comes within r of
    the distance of the k-th with a probability of about k·r^m. r is taken such that one pair or
    more by chance in a set of n has a probability of 1 %, 0.3 at most; m is estimated from the
    same distances (Levina & Bickel, 2004).

    Args:
        features: float32 (n, d), of different examples.
        sources: how many the examples are of: so many copies of one may there be, and more.

    Returns:
        int64 (p, 2), rows, the smaller one first, each pair once; float64 (p,), their distances
        in units of that to the unrelated neighbour, the smaller one of both rows'.
    """
    none = np.empty((0, 2), np.int64), np.empty(0)
    k = min(2 * sources + 4, len(features) - 1)
    if len(features) < _FEWEST or k < 4 or (features == features[0]).all():
        return none
    half = len(features) // 2
    pair = as_pair(features[:half], features[half:])
    found = nearest(pair, k, len(features), np.random.default_rng(0))
    distance = _distances(pair.take(np.arange(len(features))), found.example, found.neighbour)
    order = np.lexsort((distance, found.example))
    example, neighbour, distance = found.example[order], found.neighbour[order], distance[order]
    counts = np.bincount(example, minlength=len(features))
    place = np.arange(len(example)) - np.repeat(np.cumsum(counts) - counts, counts)
    spread = np.full((len(features), k), np.nan)
    spread[example, place] = distance
    scale = np.where(counts < k, 0.0, spread[:, -1])  # distance to the k-th
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(scale[:, None] / spread[:, k // 2 : -1])
    usable = np.isfinite(logs).all(1)
    if not usable.any():
        return none
    # of evenly spread neighbours m times the logarithm of the k-th over the j-th distance is on
    # average the sum of 1 / i for i from j to k - 1
    expected = np.cumsum(1 / np.arange(k - 1, k // 2, -1)).mean()
    dimension = expected / max(float(logs[usable].mean()), 1e-6)
    ratio = min(_RATIO, (_CHANCE / (k * len(features))) ** (1 / dimension))
    unit = np.minimum(scale[example], scale[neighbour])
    close = distance < ratio * unit
    pairs = np.sort(np.stack([example[close], neighbour[close]], 1), 1)
    pairs, first = np.unique(pairs, axis=0, return_index=True)
    return pairs, (distance[close] / unit[close])[first]


def _distances(rows: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    found = np.empty(len(one))
    for start in range(0, len(one), 1 << 14):
        part = slice(start, start + (1 << 14))
        found[part] = np.sqrt(np.square(rows[one[part]] - rows[other[part]]).sum(1))
    return found
