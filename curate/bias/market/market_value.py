"""The market value of examples: what those of one source are worth on another's test."""

import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from curate.bias.market.performance import check_task, performances
from curate.bias.market.result import MarketValue
from curate.bias.market.splitting import labelled_rows, split_sources
from curate.bias.overlap.find import find_overlap
from curate.bias.sources.opening import as_sources
from curate.bias.sources.shared_classes import classes_left_out, shared_classes
from curate.errors import CurateError
from curate.features import extract
from curate.stats.seeds import generator


def market_value(
    sources: Mapping[str, Any] | Iterable[Any],
    features: Any = "hog",
    *,
    task: str = "classify",
    market: str | None = None,
    sizes: Sequence[int] | None = None,
    seeds: int = 10,
    seed: int = 0,
    groups: str | Mapping[str, Sequence[Hashable]] | None = None,
    errors: str = "raise",
    cache: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> MarketValue:
    """Ask how many of a market's own examples one example of another source is worth.

    For every source, learning curves are measured by training on more and more of its examples
    and testing on the held-out part of every market. The curve of another source lies to the
    right of the market's own by some factor along the log axis: the value of its examples
    (Torralba & Efros, 2011, section 3.2; :func:`curate.bias.market.curve_shift.shift`).

    Args:
        sources: two or more, with labels, as for :func:`curate.bias.as_sources`; the classes
            that all of them have count.
        features: as for :func:`curate.bias.extract`.
        task: as for :func:`curate.bias.cross_dataset`.
        market: only this source's market; None: every source's.
        sizes: ascending numbers of training examples; None: one per class, doubled as long as a
            source has as many, and all that each source has.
        seeds: how often each source is split at random into training and test examples.
        seed: of the first split, and of the bootstrap.
        groups: as for :func:`curate.bias.as_sources`. Copies, near copies and groups are on
            one side.
        errors: as for :func:`curate.bias.as_sources`.
        cache: a folder that keeps the features.
        on_progress: called with the trainings done and all of them.

    Raises:
        CurateError: sources without labels or shared classes, an unknown market, sizes that do
            not ascend, fewer than two of which a source has.
    """
    check_task(task)
    if seeds < 2:
        raise CurateError(f"seeds: {seeds}; give at least 2, the intervals are over seeds")
    given = as_sources(sources, errors=errors, groups=groups)
    classes, opened = shared_classes(given)
    names = [source.name for source in opened]
    if market is not None and market not in names:
        raise CurateError(f"market: {market!r} is none of the sources {names}")
    markets = list(range(len(names))) if market is None else [names.index(market)]
    x = [torch.from_numpy(extract(source, features, cache=cache)) for source in opened]
    overlap = find_overlap(opened, x, seed=seed, cache=cache)
    every = [
        split_sources(
            [source.labels for source in opened],
            overlap.marks,
            [generator(seed + turn, index) for index in range(len(opened))],
        )
        for turn in range(seeds)
    ]
    steps = [
        _sizes(name, min(len(splits[index][0]) for splits in every), len(classes), sizes)
        for index, name in enumerate(names)
    ]
    curves = [np.empty((seeds, len(ascending), len(markets))) for ascending in steps]
    for turn, splits in enumerate(every):
        tests = [
            labelled_rows(x[index], opened[index].labels, splits[index][1]) for index in markets
        ]
        for index, source in enumerate(opened):
            train = labelled_rows(x[index], source.labels, splits[index][0])
            curves[index][turn] = performances(task, train, tests, len(classes), steps[index])
            if on_progress is not None:
                on_progress(turn * len(opened) + index + 1, seeds * len(opened))
    return MarketValue(
        names=tuple(names),
        markets=tuple(names[index] for index in markets),
        classes=tuple(classes),
        task=task,
        sizes=tuple(tuple(ascending) for ascending in steps),
        scores=tuple(curves),
        seed=seed,
        left_out=classes_left_out(given),
    )


def _sizes(name: str, most: int, classes: int, asked: Sequence[int] | None) -> list[int]:
    """The sizes that a source's training part, ``most`` examples, allows."""
    if asked is None:
        doubled = [classes * 2**step for step in range(32)]
        asked = sorted({*(size for size in doubled if size <= most), most})
    if list(asked) != sorted(set(asked)) or (len(asked) and asked[0] < 1):
        raise CurateError(f"sizes: {list(asked)}; give different sizes from 1 on, ascending")
    allowed = [int(size) for size in asked if size <= most]
    if len(allowed) < 2:
        raise CurateError(
            f"sizes: {name!r} has {most} training examples, which is fewer than two of the "
            f"sizes {list(asked)} need; give smaller ones, or more examples"
        )
    return allowed
