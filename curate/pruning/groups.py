"""The groups within which a strategy is applied: the whole table, or each class by itself."""

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


def by_label(labels: pa.ChunkedArray, fates: np.ndarray, share: Fraction) -> list[Group]:
    """One group per class; together they keep exactly ``round_half_up(share * rows)``.

    Examples that were never presented may have no label. They are decided before, kept or
    removed; the classes share what is left of the count.

    Args:
        labels: shape (rows,), int64.
        fates: shape (rows,), of the rows decided before; REMOVED for the others.
        share: the fraction of all rows to keep.

    Raises:
        CurateError: a row without a label that is not decided before, or more such rows kept than
            the count allows.
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
    return [
        Group(f"class {label}", part, count)
        for label, part, count in zip(classes, parts, counts, strict=True)
    ]


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
