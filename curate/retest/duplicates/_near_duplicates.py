"""Copies of images: within a set, or of a test set in its training set."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from curate.data.on_ray import Engine, blocks_by
from curate.errors import CurateError
from curate.features import FEATURES, local_dct, middle
from curate.retest.duplicates.comparing import compare, make_ready
from curate.retest.duplicates.images import as_view, natural_size, read_images
from curate.retest.duplicates.result import NearDuplicates


def near_duplicates(
    a: Any,
    b: Any = None,
    *,
    features: Any = "local_dct",
    threshold: float = 0.9,
    size: int | None = None,
    seed: int = 0,
    engine: Engine | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> NearDuplicates:
    """Find exact and near duplicates of the images of ``a`` in ``b``, or within ``a``.

    The nearest images by features and by thumbnails, also of the mirrored image, are compared
    closely (:data:`curate.retest.SIGNALS`). How the signals make one probability is learned
    from copies of the set's own images that are planted and found again: so it knows how alike
    different images of this set are. The share of copies among the real pairs sets its prior
    (Saerens et al., 2002); images of equal pixels have probability 1.

    Args:
        a: n images: a test set, say. Anything that :func:`curate.data.with_ids` takes, a name or
            path for :func:`curate.data.load` (its training split), or uint8 (n, C, H, W).
        b: m images that are searched: the training set, say; None: ``a`` itself.
        features: "local_dct", which needs no network; a network, whose middle layer counts
            (:func:`curate.features.middle`; ImageNet's normalisation): one that was trained on
            such images finds most; any other name in ``curate.features.FEATURES``, or a function
            from uint8 images (N, 3, size, size) to numbers (N, d).
        threshold: probability from which on a pair counts as a duplicate.
        size: side of the images that features are computed from; None: 32 for small images, else
            64.
        seed: of the planted copies and the samples.
        engine: None: this process; "ray": the workers of a Ray cluster decode the images, compute
            features and compare pairs, as for :func:`curate.features.extract`; beyond 200,000
            images, the cells that are searched lie in actors, some of the rows in each. Small
            images and features are held in this process and in every worker. The result is that
            of one process with one thread.
        on_progress: called with the images searched and n.

    Returns:
        The candidates with their probabilities, the pairs, clusters and columns.

    Raises:
        CurateError: sets without images, an image that does not decode, a threshold outside of
            0..1, ``b`` that is the same object as ``a``, or Ray is not installed.
    """
    if b is a and b is not None:
        raise CurateError("b: the same set as a; leave it out to search within one set")
    check_threshold(threshold)
    blocks = blocks_by(engine, features)
    view = as_view("a", a)
    other = None if b is None else as_view("b", b)
    if size is None:
        size = natural_size("a", view) if other is None else natural_size("b", other)
    queries = read_images("a", view, size, engine)
    searched = queries if other is None else read_images("b", other, size, engine)
    if other is None and len(queries) < 2:
        raise CurateError("a: it has 1 image; give at least 2 to search within it")
    ready = make_ready(searched, feature_function(features), seed, blocks)
    return compare(queries, ready, threshold, other is None, seed, on_progress, blocks)


def feature_function(features: Any) -> Callable[[torch.Tensor], Any]:
    """The function behind a name, a network or a function.

    Raises:
        CurateError: none of these.
    """
    if isinstance(features, nn.Module):
        return middle(features)
    if isinstance(features, str) and features in FEATURES:
        return local_dct if features == "local_dct" else FEATURES[features].make()
    if callable(features):
        return features  # type: ignore[no-any-return]
    raise CurateError(
        f"features: {features!r}; give {', '.join(map(repr, FEATURES))}, a network or a function"
    )


def check_threshold(threshold: float) -> None:
    """A probability above 0, else a CurateError."""
    if not 0 < threshold <= 1:
        raise CurateError(f"threshold: {threshold!r}; give a probability above 0, at most 1")
