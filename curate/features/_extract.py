"""One vector of features per example, computed batch by batch and cached."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from curate.data.on_ray import Engine, blocks_by, checked_engine
from curate.data.opening import open_view
from curate.data.pixels import checked_size
from curate.data.view import View
from curate.errors import CurateError
from curate.features import _pixels
from curate.features._cnn import cnn, default_model
from curate.features._hog import hog
from curate.features._local_dct import local_dct
from curate.features._outlines_and_colour import outlines_and_colour
from curate.features._thumbnail import colour, thumbnail
from curate.features.cache import cache_path, read_cache, write_cache


class Feature(NamedTuple):
    """A function from uint8 images (N, 3, H, W) to features (N, d), and its line of help."""

    make: Callable[[], Callable[[torch.Tensor], torch.Tensor]]
    help: str
    has_weights: bool = False  # so that the name alone does not say what it computes


FEATURES: dict[str, Feature] = {
    "hog": Feature(lambda: hog, "histograms of oriented gradients"),
    "hog+colour": Feature(
        lambda: outlines_and_colour, "hog, and a coarse picture of the colours and their spread"
    ),
    "colour": Feature(lambda: colour, "colour thumbnails of 32×32 pixels"),
    "thumbnail": Feature(lambda: thumbnail, "grey thumbnails of 32×32 pixels"),
    "cnn": Feature(
        lambda: cnn(default_model()),
        "torchvision's ResNet-18, if its weights are on this machine",
        has_weights=True,
    ),
    "local_dct": Feature(lambda: local_dct, "local frequencies on a grid: finds copies"),
}
"""Every feature that goes by a name; ``make`` gives the function, so that a network is loaded only
when it is asked for."""

Features = str | Sequence[str] | nn.Module | Callable[[torch.Tensor], Any]


def extract(
    source: Any,
    features: Features = "hog",
    *,
    size: int = 64,
    cache: str | os.PathLike[str] | None = None,
    engine: Engine | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Features of every example of a data set, in its order.

    Images go through the common decode (:func:`curate.features.pixels`) a few hundred at a
    time. A source that has no images keeps the features that it has, whatever is asked for.

    Args:
        source: a :class:`curate.bias.Source`, or any data set that
            :func:`curate.data.with_ids` takes: n examples.
        features: a name in ``FEATURES``, such as "hog", "hog+colour" or "local_dct"; a network,
            whose penultimate layer counts (:func:`curate.features.cnn`); a function from
            uint8 images (N, 3, size, size) to (N, d); or names of columns, for a source of
            features.
        size: of the images that features are computed from.
        cache: a folder of Parquet files, one per source and kind of features, that are written once
            and then read; a function or network is known again by its features of two fixed
            images.
        engine: None: this process; "ray": the workers of a Ray cluster, the one that ``ray.init``
            connected to or else one on this machine (``pip install 'curate-data[ray]'``). They
            open files under the same paths, work on the same batches with one thread each, and a
            network on a GPU gives each of them a GPU. The result has the same bytes as that of
            one process with one thread.
        on_progress: called with the examples done and n after every batch.

    Returns:
        float32 of shape (n, d).

    Raises:
        CurateError: features of another kind, columns that the source lacks, a torn image,
            features that are not finite or of varying length, or Ray is not installed.
    """
    on_ray = checked_engine(engine)
    source = open_view(source)
    if not isinstance(features, str) and isinstance(features, Sequence):
        return _columns(source, features)
    if not source.has_images:
        if source.features is None:
            raise CurateError(f"source {source.name!r}: it has neither images nor features")
        return source.features
    kind, function = _function(features)
    path = None
    if cache is not None:
        known = kind in FEATURES and not FEATURES[kind].has_weights
        probe = None if known else _rows(function(_probe(size)), 2, source.name)
        path = cache_path(cache, kind, source, [size, probe])
        cached = read_cache(path, source.ids)
        if cached is not None:
            if on_progress is not None:
                on_progress(len(source), len(source))
            return cached
    blocks = _on_ray(source, function, size, features) if on_ray else _here(source, function, size)
    whole = _computed(source, blocks, on_progress)
    if path is not None:
        write_cache(path, source.ids, whole)
    return whole


def _function(features: Any) -> tuple[str, Callable[[torch.Tensor], Any]]:
    """What kind of features these are, in a word, and how to compute them."""
    if isinstance(features, str):
        if features in FEATURES:
            return features, FEATURES[features].make()
    elif isinstance(features, nn.Module):
        return "network", cnn(features)
    elif callable(features):
        return "function", features
    raise CurateError(
        f"features: {features!r}; give {', '.join(map(repr, FEATURES))}, a function, a "
        "network or a list of column names"
    )


def _here(source: View, function: Callable[[torch.Tensor], Any], size: int) -> Iterator[np.ndarray]:
    for images in _pixels.pixel_batches(source, size):
        yield _rows(function(images), len(images), source.name)


def _on_ray(
    source: View, function: Callable[[torch.Tensor], Any], size: int, features: Any
) -> Iterator[np.ndarray]:
    checked_size(size)
    block = partial(_block, function=function, size=size)
    return blocks_by("ray", features)(source, block, _pixels.BATCH)


def _block(
    source: View, start: int, stop: int, function: Callable[[torch.Tensor], Any], size: int
) -> np.ndarray:
    images = _pixels.pixel_batch(source, start, stop, size)
    return _rows(function(images), len(images), source.name)


def _computed(
    source: View,
    blocks: Iterator[np.ndarray],
    on_progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    whole: np.ndarray | None = None
    done = 0
    for rows in blocks:
        if whole is None:
            whole = np.empty((len(source), rows.shape[1]), np.float32)
        if rows.shape[1] != whole.shape[1]:
            raise CurateError(
                f"features: {whole.shape[1]} numbers per image, then {rows.shape[1]}; make them "
                "equal"
            )
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            example_id = source.ids[done + int(finite.argmin())]
            example_id = example_id if isinstance(example_id, str) else int(example_id)
            raise CurateError(
                f"features: those of example {example_id!r} of {source.name!r} are not finite; "
                "fix the function or leave the example out"
            )
        whole[done : done + len(rows)] = rows
        done += len(rows)
        if on_progress is not None:
            on_progress(done, len(source))
    if whole is None:
        raise CurateError(f"source {source.name!r}: it holds no examples; give at least one")
    return whole


def _rows(output: Any, count: int, name: str) -> np.ndarray:
    """What a function gave for ``count`` images, as float32 (count, d)."""
    rows = output.detach().cpu().numpy() if isinstance(output, torch.Tensor) else np.asarray(output)
    if rows.ndim != 2 or len(rows) != count or not rows.shape[1] or rows.dtype.kind not in "fiub":
        raise CurateError(
            f"features: the function gave {rows.dtype} of shape {rows.shape} for {count} images of "
            f"{name!r}; give numbers of shape ({count}, d)"
        )
    return rows.astype(np.float32, copy=False)


def _probe(size: int) -> torch.Tensor:
    """Two fixed images: noise, and a smooth ramp."""
    noise = np.random.default_rng(0).integers(0, 256, (3, size, size), np.uint8)
    ramp = np.add.outer(np.arange(3) * 40, np.add.outer(np.arange(size), 2 * np.arange(size)))
    smooth = (ramp * 200 // (80 + 3 * size)).astype(np.uint8)
    return torch.from_numpy(np.stack([noise, smooth]))


def _columns(source: View, columns: Sequence[str]) -> np.ndarray:
    if source.features is None:
        raise CurateError(
            f"features: {source.name!r} has {source.content}, so its numeric columns are not used; "
            "give a table with the columns and nothing else"
        )
    if source.columns is None:
        raise CurateError(
            f"features: {source.name!r} is an array without column names; give it as a table"
        )
    for column in columns:
        if column not in source.columns:
            raise CurateError(
                f"features: {source.name!r} has no column {column!r} among "
                f"{sorted(set(source.columns))}"
            )
    if not columns:
        raise CurateError("features: an empty list; name at least one column")
    chosen = [
        position
        for name in columns
        for position, column in enumerate(source.columns)
        if column == name
    ]
    return np.ascontiguousarray(source.features[:, chosen])
