"""Cross-dataset generalisation: train on each source, test on each (Torralba & Efros, 2011)."""

import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from curate.bias.market.performance import check_task, performances
from curate.bias.market.splitting import TEST_SHARE, labelled_rows, split_sources
from curate.bias.overlap.find import find_overlap
from curate.bias.sources.opening import as_sources
from curate.bias.sources.shared_classes import classes_left_out, shared_classes
from curate.errors import CurateError
from curate.features import extract
from curate.stats.corrected_t import mean_interval
from curate.stats.seeds import generator


@dataclass(frozen=True, eq=False, repr=False)
class CrossDataset:
    """Performance of training on each source and testing on each.

    Attributes:
        names: of the k sources.
        classes: that they share.
        task: "classify" (balanced accuracy) or "one-vs-rest" (mean average precision).
        train_size: examples trained on, the same of every source.
        test_sizes: examples tested on, by source.
        scores: float64 (seeds, k, k): performance of training on row, tested on column.
        chance: performance of guessing, for "classify"; None for "one-vs-rest".
        left_out: sentences on classes that not all sources have.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    task: str
    train_size: int
    test_sizes: tuple[int, ...]
    scores: np.ndarray
    chance: float | None
    left_out: tuple[str, ...] = ()

    @property
    def cells(self) -> pa.Table:
        """One row per pair: train, test, performance, low, high (corrected t over seeds, 95 %)."""
        mean, low, high = mean_interval(self.scores, TEST_SHARE)
        pairs = [(i, j) for i in range(len(self.names)) for j in range(len(self.names))]
        return pa.table(
            {
                "train": [self.names[i] for i, _ in pairs],
                "test": [self.names[j] for _, j in pairs],
                "performance": mean.ravel(),
                "low": pa.array(low.ravel(), from_pandas=True),
                "high": pa.array(high.ravel(), from_pandas=True),
            }
        )

    @property
    def table(self) -> pa.Table:
        """Table 1 of the paper: one row per source, and a last one of means over sources.

        Columns: source, self, mean_others and percent_drop, ``100 (self - mean_others) / self``,
        each with ``_low`` and ``_high`` (corrected t over seeds, 95 %).
        """
        itself = self.scores.diagonal(axis1=1, axis2=2)
        others = (self.scores.sum(2) - itself) / (len(self.names) - 1)
        columns: dict[str, Any] = {"source": [*self.names, "mean"]}
        for name, values in (
            ("self", itself),
            ("mean_others", others),
            ("percent_drop", 100 * (itself - others) / np.maximum(itself, 1e-12)),
        ):
            whole = np.concatenate([values, values.mean(1, keepdims=True)], axis=1)
            for suffix, bound in zip(
                ("", "_low", "_high"), mean_interval(whole, TEST_SHARE), strict=True
            ):
                columns[name + suffix] = pa.array(bound, from_pandas=True)
        return pa.table(columns)

    def __repr__(self) -> str:
        row = self.table.slice(len(self.names)).to_pylist()[0]
        return (
            f"CrossDataset({len(self.names)} sources, {len(self.classes)} classes, {self.task}, "
            f"self {row['self']:.3f}, others {row['mean_others']:.3f})"
        )

    def __str__(self) -> str:
        measure = "balanced accuracy" if self.task == "classify" else "mean average precision"
        width = max(len("trained on"), *map(len, self.names))
        heads = [*self.names, "self", "others", "drop"]
        sizes = [max(7, len(head)) for head in heads]
        lines = [
            f"Trained on a row, tested on a column: {measure}, {len(self.classes)} classes, "
            f"{self.train_size:,} training examples per source, {len(self.scores)} seeds",
            "  ".join(
                [
                    "trained on".ljust(width),
                    *(h.rjust(s) for h, s in zip(heads, sizes, strict=True)),
                ]
            ),
        ]
        mean = self.scores.mean(0)
        for row, summary in enumerate(self.table.to_pylist()):
            cells = [f"{value:.3f}" for value in mean[row]] if row < len(mean) else [""] * len(mean)
            cells += [f"{summary['self']:.3f}", f"{summary['mean_others']:.3f}"]
            cells.append(f"{summary['percent_drop']:.0f} %")
            padded = [cell.rjust(size) for cell, size in zip(cells, sizes, strict=True)]
            lines.append("  ".join([summary["source"].ljust(width), *padded]))
        return "\n".join([*lines, *self.left_out])


def cross_dataset(
    sources: Mapping[str, Any] | Iterable[Any],
    features: Any = "hog",
    *,
    task: str = "classify",
    train_size: int | None = None,
    seeds: int = 5,
    seed: int = 0,
    groups: str | Mapping[str, Sequence[Hashable]] | None = None,
    errors: str = "raise",
    cache: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> CrossDataset:
    """Train a linear classifier on each source and test it on each.

    Every seed splits each source at random into test examples (three tenths) and training
    examples, of which ``train_size`` are taken, the classes in turn. So the test on a source is
    the same whatever was trained on, and never contains what was trained on: copies, near copies
    and ``groups``, within and across sources, are on one side.

    Args:
        sources: two or more, with labels, as for :func:`curate.bias.as_sources`; the classes
            that all of them have count.
        features: as for :func:`curate.bias.extract`.
        task: "classify": name the class; balanced accuracy. "one-vs-rest": tell each class from
            the others, as the paper does for cars and persons; mean average precision.
        train_size: training examples per source; None: as many as the smallest source has.
        seeds: how many random splits.
        seed: of the first split.
        groups: as for :func:`curate.bias.as_sources`.
        errors: as for :func:`curate.bias.as_sources`.
        cache: a folder that keeps the features.
        on_progress: called with the trainings done and all of them.

    Raises:
        CurateError: sources without labels or shared classes, or too small for ``train_size``.
    """
    check_task(task)
    if seeds < 1:
        raise CurateError(f"seeds: {seeds}; give at least 1")
    given = as_sources(sources, errors=errors, groups=groups)
    classes, opened = shared_classes(given)
    x = [torch.from_numpy(extract(source, features, cache=cache)) for source in opened]
    overlap = find_overlap(opened, x, seed=seed, cache=cache)
    every = [
        split_sources(
            [source.labels for source in opened],
            overlap.marks,
            [generator(seed + turn, i) for i in range(len(opened))],
        )
        for turn in range(seeds)
    ]
    most = min(len(train) for splits in every for train, _ in splits)
    size = most if train_size is None else train_size
    if not len(classes) <= size <= most:
        raise CurateError(
            f"train_size: {size}; give {len(classes)} (one per class) to {most}, what the smallest "
            "source has beside its test examples"
        )
    scores = np.empty((seeds, len(opened), len(opened)))
    for turn, splits in enumerate(every):
        parts = [
            labelled_rows(x[i], s.labels, rows)
            for i, (s, (_, rows)) in enumerate(zip(opened, splits, strict=True))
        ]
        for i, source in enumerate(opened):
            train = labelled_rows(x[i], source.labels, splits[i][0][:size])
            scores[turn, i] = performances(task, train, parts, len(classes))[0]
            if on_progress is not None:
                on_progress(turn * len(opened) + i + 1, seeds * len(opened))
    return CrossDataset(
        names=tuple(source.name for source in opened),
        classes=tuple(classes),
        task=task,
        train_size=size,
        test_sizes=tuple(len(rows) for _, rows in splits),
        scores=scores,
        chance=1 / len(classes) if task == "classify" else None,
        left_out=classes_left_out(given),
    )
