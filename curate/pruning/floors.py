"""A least number of examples of each class, where the strategy is applied to the whole table."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pyarrow as pa

from curate.pruning.counts import round_half_up
from curate.pruning.fates import is_kept
from curate.pruning.groups import Group, floors_of


def choose_with_floors(
    labels: pa.ChunkedArray,
    decided: np.ndarray,
    share: Fraction,
    least: int,
    choose: Callable[[list[Group]], np.ndarray],
) -> np.ndarray:
    """Apply the strategy to the whole table, but to classes that fall below ``least`` by itself.

    What such classes keep is taken from the others' count, and so others may fall below in turn:
    it is gone over again until none does.

    Args:
        labels: shape (rows,), int64; rows without a label have no floor.
        decided: shape (rows,), fates of the rows decided before; REMOVED for the others.
        share: the fraction of all rows to keep.
        least: examples to keep of each class; all that may be kept where it has fewer.
        choose: the groups, which do not overlap -> the fates of all rows.

    Returns:
        int8 of shape (rows,), the fates.

    Raises:
        CurateError: all floors together are more than the count to keep.
    """
    keep = round_half_up(share * len(decided))
    named = labels.is_valid().to_numpy()
    values = labels.fill_null(0).to_numpy()
    classes, index = np.unique(values[named], return_inverse=True)
    class_of = np.full(len(decided), len(classes))
    class_of[named] = index
    order = np.argsort(class_of, kind="stable")
    sizes = np.bincount(class_of, minlength=len(classes) + 1)
    parts = np.split(order, np.cumsum(sizes)[:-1])[: len(classes)]
    floors = np.array(floors_of(parts, decided, least, keep), np.int64)
    held = np.zeros(len(classes) + 1, bool)  # the last one: rows without a label
    while True:
        groups = [
            Group(f"class {classes[i]}", parts[i], int(floors[i])) for i in np.flatnonzero(held)
        ]
        rest = np.flatnonzero(~held[class_of])
        groups.append(Group("the other classes", rest, keep - sum(group.keep for group in groups)))
        fates = choose(groups)
        kept = np.bincount(class_of[is_kept(fates)], minlength=len(classes) + 1)
        short = kept[: len(classes)] < floors
        if not short.any():
            return fates
        held[: len(classes)] |= short
