"""The classes that several sources have in common, under one numbering."""

from dataclasses import replace

import numpy as np

from curate.bias.sources.source import Source
from curate.errors import CurateError


def shared_classes(sources: list[Source]) -> tuple[list[str], list[Source]]:
    """The classes that every source has, and of each source only their examples.

    Classes are the same where their names are the same; where no source has names, where their
    indices are.

    Returns:
        The k names, sorted, and the sources with labels 0..k-1 in that order.

    Raises:
        CurateError: a source without labels, some with and some without names, or fewer than two
            classes in common.
    """
    if len(sources) < 2:
        raise CurateError(f"sources: {len(sources)}; give at least two")
    for source in sources:
        if source.labels is None:
            raise CurateError(
                f"sources: {source.name!r} has no labels; give a set with one label per example"
            )
    unnamed = [source.name for source in sources if source.class_names is None]
    if unnamed and len(unnamed) < len(sources):
        raise CurateError(f"sources: {unnamed[0]!r} has no class names, but others have; name them")
    names = [_names(source) for source in sources]
    common = set.intersection(*(set(labels.tolist()) for labels in names))
    if len(common) < 2:
        only = f", {next(iter(common))!r}" if common else ""
        raise CurateError(
            f"sources: they have {len(common)} classes in common{only}; give sources that share "
            "at least two"
        )
    order = sorted(common, key=lambda name: (len(name), name) if unnamed else (0, name))
    taken = []
    for source, class_of in zip(sources, names, strict=True):
        rows = np.flatnonzero(np.isin(class_of, order))
        labels = np.array([order.index(name) for name in class_of[rows].tolist()], np.int64)
        taken.append(replace(source.take(rows), labels=labels, class_names=tuple(order)))
    return order, taken


def _names(source: Source) -> np.ndarray:
    assert source.labels is not None
    if source.class_names is None:
        return source.labels.astype(str)
    highest = int(source.labels.max(initial=0))
    if highest >= len(source.class_names):
        raise CurateError(
            f"source {source.name!r}: a label is {highest}, but there are "
            f"{len(source.class_names)} class names; give one name per class"
        )
    return np.array(source.class_names, dtype=object)[source.labels]
