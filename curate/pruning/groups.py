"""The groups within which a strategy is applied: the whole table, or each class by itself."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.pruning.counts import class_counts, round_half_up
from curate.pruning.fates import KEPT_UNKNOWN, REMOVED
from curate.pruning.policy import Policy


class Group(NamedTuple):
    """Rows of which ``keep`` are to be kept."""

    name: str
    rows: np.ndarray | slice
    keep: int


def whole_table(total: int, share: Fraction) -> list[Group]:
    """One group of all rows (a slice, which NumPy need not copy)."""
    return [Group("the table", slice(None), round_half_up(share * total))]


def by_label(
    labels: pa.ChunkedArray, fates: np.ndarray, share: Fraction, least: int | None = None
) -> list[Group]:
    """One group per class; together they keep exactly ``round_half_up(share * rows)``.

    Examples that were never presented may have no label. They are decided before, kept or
    removed; the classes share what is left of the count.

    Args:
        labels: shape (rows,), int64.
        fates: shape (rows,), of the rows decided before; REMOVED for the others.
        share: the fraction of all rows to keep.
        least: keep so many of each class, or all that may be kept where it has fewer.

    Raises:
        CurateError: a row without a label that is not decided before, more such rows kept than
            the count allows, or more than it in ``least`` of each class.
    """
    nameless = labels.is_null().to_numpy()
    if labels.null_count:
        open_ = int(np.count_nonzero(nameless & (fates == REMOVED)))
        if open_:
            raise CurateError(
                f"stratify: {open_:,} rows have no label; fill the column 'label' or stratify=None"
            )
        left = round_half_up(share * len(fates)) - int(
            np.count_nonzero(fates[nameless] == KEPT_UNKNOWN)
        )
        named = len(fates) - labels.null_count
        if not 0 <= left <= named:
            raise CurateError(
                f"stratify: with {labels.null_count:,} rows decided before that have no label, the "
                f"{named:,} others cannot give {left:,}; change keep or unknown"
            )
        share = Fraction(left, named) if named else Fraction(0)
    rows = np.flatnonzero(~nameless)
    values = labels.fill_null(0).to_numpy()[rows]
    order = np.argsort(values, kind="stable")
    classes, sizes = np.unique(values, return_counts=True)
    parts = np.split(rows[order], np.cumsum(sizes)[:-1])
    counts = class_counts(sizes.tolist(), share)
    if least is not None:
        counts = _raised(counts, sizes.tolist(), floors_of(parts, fates, least, sum(counts)))
    return [
        Group(f"class {label}", part, count)
        for label, part, count in zip(classes, parts, counts, strict=True)
    ]


def floors_of(parts: Sequence[np.ndarray], fates: np.ndarray, least: int, keep: int) -> list[int]:
    """How many each class keeps at least: ``least``, or all that may be kept where it has fewer.

    Args:
        parts: the rows of each class.
        fates: shape (rows,), of the rows decided before; REMOVED for the others.
        least: of each class.
        keep: of all classes together.

    Raises:
        CurateError: all floors together are more than ``keep``.
    """
    may_stay = (fates == REMOVED) | (fates == KEPT_UNKNOWN)
    floors = [min(least, int(np.count_nonzero(may_stay[part]))) for part in parts]
    if sum(floors) > keep:
        raise CurateError(
            f"min_per_class: {least:,} of each of {len(parts):,} classes, or all where there are "
            f"fewer, are {sum(floors):,} examples, more than the {keep:,} to keep; lower "
            "min_per_class or keep more"
        )
    return floors


def _raised(counts: list[int], sizes: Sequence[int], floors: Sequence[int]) -> list[int]:
    """The counts with classes below their floor raised to it; the others share what is left."""
    total, counts = sum(counts), list(counts)
    held: set[int] = set()  # classes at their floor
    while short := [i for i in range(len(counts)) if i not in held and counts[i] < floors[i]]:
        held.update(short)
        others = [i for i in range(len(counts)) if i not in held]
        left = total - sum(floors[i] for i in held)
        rows = sum(sizes[i] for i in others)
        shared = class_counts([sizes[i] for i in others], Fraction(left, max(1, rows)))
        for i in held:
            counts[i] = floors[i]
        for i, count in zip(others, shared, strict=True):
            counts[i] = count
    return counts


def check_enough(group: Group, keep: int, available: int, policy: Policy) -> None:
    """Raise an error unless ``keep`` of the group can be kept beyond the rows kept first.

    ``available`` rows are neither kept first nor removed first.
    """
    if 0 <= keep <= available:
        return
    forced = group.keep - keep
    bound = f"at most {forced + available:,}" if keep > 0 else f"at least {forced:,}"
    raise CurateError(
        f"keep: {group.keep:,} rows of {group.name} are asked for, but "
        f"never_learned={policy.never_learned!r} and unknown={policy.unknown!r} allow {bound}; "
        "change keep or these"
    )
