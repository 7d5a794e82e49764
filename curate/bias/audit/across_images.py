"""Probes that are learned from many images: fixed places, orientation, words."""

from collections.abc import Sequence

import numpy as np
import torch

from curate.bias.audit.probe_answers import ProbeAnswers
from curate.bias.classifiers.linear import fit_linear

_PLACES = 8  # of each source and of both kinds
_COARSE = 8  # height and width of the thumbnails whose upper half is held against the lower one


def odd_place_numbers(maps: Sequence[np.ndarray], y: np.ndarray, train: np.ndarray) -> np.ndarray:
    """How far the pixels of a few places stand out, where the training images of a source differ.

    Args:
        maps: int8 (h, w) of every image, counted from the top left; of any sizes.
        y: the sources 0..k-1 of the n images.
        train: bool (n,): the images that places are chosen by.

    Returns:
        float64 (n, places).
    """
    height, width = (min(one.shape[axis] for one in maps) for axis in (0, 1))
    stacked = np.stack([one[:height, :width].ravel() for one in maps])
    places: list[int] = []
    for source in range(int(y.max()) + 1):
        own, rest = (
            stacked[train & side].astype(np.float32) for side in (y == source, y != source)
        )
        if len(own) < 2 or len(rest) < 2:
            continue
        # a spot of a middling level stands out to both sides, and by its size alone
        for one, other in ((own, rest), (np.abs(own), np.abs(rest))):
            gap = one.mean(0) - other.mean(0)
            error = np.sqrt(one.var(0) / len(one) + other.var(0) / len(other)) + 0.1
            places += np.argsort(-np.abs(gap / error), kind="stable")[:_PLACES].tolist()
    return stacked[:, sorted(set(places))].astype(np.float64)


def upper_against_lower(images: torch.Tensor) -> torch.Tensor:
    """How light and coloured the upper half is against the lower one, mirrored: the sky is above.

    Args:
        images: uint8 (n, 3, H, W).

    Returns:
        float32 (n, 96), in units of each picture's own contrast.
    """
    small = torch.nn.functional.adaptive_avg_pool2d(images.float(), _COARSE)
    odd = (small - small.flip(2))[:, :, : _COARSE // 2].flatten(1)
    return odd / (small.flatten(1).std(1, keepdim=True) + 8)


def orientation(
    features: torch.Tensor, light: torch.Tensor, y: np.ndarray, train: np.ndarray
) -> ProbeAnswers:
    """What is left to tell when all that stays under a mirror, or a turn, is taken away.

    Of histograms of oriented gradients the half that changes its sign when the picture is
    mirrored, put upside down, or transposed; and the like of light and colour, upside down.

    Args:
        features: float32 (n, 1764), of images of 64×64.
        light: float32 (n, 96), of :func:`upper_against_lower`.
        y: the sources of the n images.
        train: bool (n,).
    """
    blocks = features.view(len(features), 7, 7, 2, 2, 9)
    turned = (
        blocks.flip(2, 4, 5),  # mirrored
        blocks.flip(1, 3, 5),  # upside down
        blocks.permute(0, 2, 1, 4, 3, 5)[..., [4, 3, 2, 1, 0, 8, 7, 6, 5]],  # transposed
    )
    odd_parts = [light, *((blocks - other).flatten(1) for other in turned)]
    labels, learn = torch.from_numpy(y), torch.from_numpy(train)
    scores = torch.zeros(int((~learn).sum()), int(y.max()) + 1)
    for odd in odd_parts:
        kept = odd.abs().amax(0) > 1e-6
        if not bool(kept.any()):
            continue
        odd = odd[:, kept]
        model = fit_linear(odd[learn], labels[learn], int(y.max()) + 1)
        scores = scores + model.scores(odd[~learn])  # calibrated: what says nothing adds nothing
    noise = 1e-9 * np.random.default_rng(0).random(tuple(scores.shape))
    return ProbeAnswers(y[~train], scores.double().numpy() + noise)


def word_numbers(words: Sequence[str]) -> np.ndarray:
    """One number per word, (n, 1): frequent ones first, which trees part soonest."""
    kinds, place, counts = np.unique(
        np.array(words, object).astype(str), return_inverse=True, return_counts=True
    )
    rank = np.empty(len(kinds))
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(kinds))
    return rank[place][:, None]


def name_pattern(name: str) -> str:
    """The form of a file's name: digits as 0, other letters as they are, numbers of any length."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    shape = "".join("0" if char.isdigit() else char for char in base)
    while "00" in shape:
        shape = shape.replace("00", "0")
    return shape[:40]
