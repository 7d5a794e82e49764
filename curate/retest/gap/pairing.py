"""The same models on two sets of images."""

import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from curate.errors import CurateError, CurateWarning
from curate.retest.gap.predictions import Predictions


def same_models(
    original: Predictions, new: Predictions, rename: Mapping[str, str] | None, least: int = 2
) -> tuple[Predictions, Predictions]:
    """Both with the models that both have, under the original's names and in its order.

    Models of one set only are left out with a warning.

    Args:
        original: of the original set.
        new: of the new one.
        rename: a model's name in the one set -> its name in the other.
        least: how many models there must be.

    Raises:
        CurateError: names that are not there, fewer than ``least`` models, or both are one set.
    """
    new = replace(new, models=_renamed(original, new, rename or {}))
    shared = [name for name in original.models if name in new.models]
    left_out = [
        f"{name!r} of {side.name}"
        for side in (original, new)
        for name in side.models
        if name not in shared
    ]
    if not shared:
        raise CurateError(
            f"{new.name}: no model is in both sets, {list(original.models[:3])} … and "
            f"{list(new.models[:3])} …; name those that are the same by rename"
        )
    if left_out:
        warnings.warn(
            f"{', '.join(left_out[:4])}{' …' if len(left_out) > 4 else ''}: not in both sets, left "
            "out; where a model has two names, say so by rename",
            CurateWarning,
            stacklevel=3,
        )
    if len(shared) == 1 < least:
        raise CurateError(
            f"{original.name}: one model in both sets, {shared[0]!r}; give {least} or more, of "
            "which ranks and a line can be made (curate.stats.difference_interval is the gap of "
            "one)"
        )
    if len(shared) < least:
        raise CurateError(
            f"{original.name}: {len(shared)} models in both sets, {shared}; give {least} or more"
        )
    pair = original.of(shared), new.of(shared)
    if _one_set(*pair):
        raise CurateError(
            f"{new.name}: the same images as {original.name}, answer by answer; give predictions "
            "on another set"
        )
    return pair


def _renamed(original: Predictions, new: Predictions, rename: Mapping[str, str]) -> tuple[str, ...]:
    names = dict(zip(new.models, new.models, strict=True))
    for one, other in rename.items():
        for theirs, ours in ((one, other), (other, one)):
            if theirs in names and ours in original.models:
                names[theirs] = ours
                break
        else:
            raise CurateError(
                f"rename: {one!r} and {other!r} are not a model of {new.name} and one of "
                f"{original.name}; give the names as the two tables have them"
            )
    renamed = tuple(names.values())
    twice = next((name for name in renamed if renamed.count(name) > 1), None)
    if twice is not None:
        raise CurateError(f"rename: two models of {new.name} would be {twice!r}; rename one")
    return renamed


def _one_set(original: Predictions, new: Predictions) -> bool:
    """Whether the rows are the same, in whatever order."""
    if len(original) != len(new):
        return False
    rows = []
    labelled = original.labels is not None and new.labels is not None
    for side in (original, new):
        columns = np.stack([*([side.classes] if labelled else []), *side.answers])
        rows.append(columns[:, np.lexsort(columns)])
    return bool((rows[0] == rows[1]).all())
