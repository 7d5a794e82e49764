"""The classes that several sources have in common, under one numbering."""

import unicodedata
from collections.abc import Callable, Sequence
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
        have = "; ".join(
            f"{source.name!r} has {_some(np.unique(own.astype(str)).tolist())}"
            for source, own in zip(sources[:2], names, strict=False)
        )
        near = "".join(f"; {each}" for each in _alike(names, common)[:1])
        raise CurateError(
            f"sources: they have {len(common)} classes in common{only} ({have}{near}); give "
            "sources that share at least two"
        )
    order = sorted(common, key=lambda name: (len(name), name) if unnamed else (0, name))
    taken = []
    for source, class_of in zip(sources, names, strict=True):
        rows = np.flatnonzero(np.isin(class_of, order))
        labels = np.array([order.index(name) for name in class_of[rows].tolist()], np.int64)
        taken.append(replace(source.take(rows), labels=labels, class_names=tuple(order)))
    return order, taken


def classes_left_out(sources: Sequence[Source]) -> tuple[str, ...]:
    """Sentences on the classes that not all sources have, with their examples; none: all have.

    Args:
        sources: for which :func:`shared_classes` found some.
    """
    names = [_names(source) for source in sources]
    common = set.intersection(*(set(labels.tolist()) for labels in names))
    lost = []
    for source, class_of in zip(sources, names, strict=True):
        missing = ~np.isin(class_of, sorted(common))
        if missing.any():
            own = _some(np.unique(class_of[missing].astype(str)).tolist())
            lost.append(
                f"{int(missing.sum()):,} of the {len(source):,} examples of {source.name!r} ({own})"
            )
    if not lost:
        return ()
    said = [f"Classes that not all sources have are left out: {', '.join(lost)}."]
    return (
        *said,
        *(
            f"{each[0].upper()}{each[1:]}: give both one name to count them."
            for each in _alike(names, common)[:3]
        ),
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3:,} more"


def _alike(names: Sequence[np.ndarray], common: set[str]) -> list[str]:
    """Phrases on classes of two sources whose names differ by little."""
    kinds = [sorted(set(own.astype(str).tolist()) - common) for own in names]
    found = []
    for how, form in _FORMS.items():
        for place, own in enumerate(kinds):
            forms = {form(name): name for name in own}
            for other in kinds[place + 1 :]:
                for name in other:
                    twin = forms.get(form(name))
                    if twin is not None and twin != name:
                        found.append(f"the classes {twin!r} and {name!r} differ only by {how}")
        if found:
            break
    return found


def _spaced(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).replace("_", " ").replace("-", " ").split())


_FORMS: dict[str, Callable[[str], str]] = {
    "spaces or signs": _spaced,
    "capitals": lambda name: _spaced(name).casefold(),
    "the folder": lambda name: _spaced(name).casefold().rsplit("/", 1)[-1],
}


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
