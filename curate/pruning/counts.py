"""How many to keep, exactly."""

import math
import numbers
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np

from curate.errors import CurateError


def keep_fraction(keep: int | float | Fraction | Decimal, total: int) -> Fraction:
    """The exact fraction that ``keep`` stands for: 0.7 is 7/10, and an int is a count.

    ``keep=1`` keeps one example, ``keep=1.0`` keeps all.

    Raises:
        CurateError: a count outside 1 ... ``total``, or a fraction outside (0, 1].
    """
    if is_count(keep):
        if not 1 <= keep <= total:
            raise CurateError(
                f"keep: {keep} of {total:,} rows; give a count from 1 to {total:,}, or a float for "
                "a fraction"
            )
        return Fraction(int(keep), total)
    share = exact_fraction("keep", keep)
    if 0 < share <= 1 and round_half_up(share * total) == 0:
        raise CurateError(f"keep: {keep!r} of {total:,} rows rounds to none; keep more")
    if not 0 < share <= 1:
        fix = f"write {int(share)} for a count" if share > 1 else "keep something"
        raise CurateError(f"keep: {keep!r} is no fraction in (0, 1]; {fix}")
    return share


def is_count(keep: object) -> bool:
    """Whether ``keep`` is an integer: a count rather than a fraction."""
    return isinstance(keep, numbers.Integral) and not isinstance(keep, bool)


def exact_fraction(name: str, value: object) -> Fraction:
    """The number as it was written: the float 0.7 is 7/10, not its nearest binary fraction."""
    if isinstance(value, numbers.Rational | Decimal) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, float | np.floating) and math.isfinite(value):
        return Fraction(str(value))
    raise CurateError(f"{name}: {value!r} is not a finite number; give a fraction such as 0.7")


def round_half_up(value: Fraction) -> int:
    """The nearest integer, the larger of two: 0.5 -> 1, 2.5 -> 3."""
    return math.floor(value + Fraction(1, 2))


def class_counts(sizes: Sequence[int], share: Fraction) -> list[int]:
    """What each class keeps when all together keep ``round_half_up(share * sum(sizes))``.

    By largest remainder (Hamilton's method): each class keeps ``share * size`` rounded down or up,
    up where the remainder is largest; of equal remainders the earlier class goes first.
    """
    exact = [share * int(size) for size in sizes]
    counts = [math.floor(value) for value in exact]
    missing = round_half_up(share * sum(int(size) for size in sizes)) - sum(counts)
    by_remainder = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[:missing]:
        counts[i] += 1
    return counts
