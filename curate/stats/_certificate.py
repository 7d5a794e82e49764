"""How much accuracy is lost at worst, for new test examples and new seeds?"""

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.stats.gaffke import SeedNoise, p_value, upper_bound


@dataclass(frozen=True, repr=False)
class Certificate:
    """What is shown of the loss of accuracy E[first - second], in 0..1 (0.01 is one point).

    Attributes:
        loss: mean of first minus second, over seeds and test examples.
        bound: one-sided upper bound of the loss, at confidence 1 - ``level``; 1.0 with one seed.
        p_value: of the hypothesis that the loss is ``margin`` or more; 1.0 with one seed.
        margin: of the hypothesis. Negative: it is a gain that is to be shown.
        level: at which the hypothesis is tested.
        seeds, examples: how many there were.
    """

    loss: float
    bound: float
    p_value: float
    margin: float
    level: float
    seeds: int
    examples: int

    @property
    def shown(self) -> bool:
        """Whether the loss is shown to be less than the margin."""
        return self.p_value <= self.level

    def __repr__(self) -> str:
        verdict = "shown" if self.shown else "not shown"
        return (
            f"Certificate(loss={self.loss:+.4f} < {self.margin:g} {verdict}, p={self.p_value:.2g})"
        )

    def __str__(self) -> str:
        """The loss, its bound and what follows, in percentage points."""
        verdict = "shown" if self.shown else "not shown"
        return (
            f"loss {100 * self.loss:+.2f} points, at worst {100 * self.bound:+.2f} "
            f"({100 * (1 - self.level):.4g} % confidence, {self.seeds} seeds, "
            f"{self.examples:,} test examples)\n"
            f"{verdict} to be less than {100 * self.margin:+.4g} points: p = {self.p_value:.2g}"
        )

    @property
    def table(self) -> pa.Table:
        """One row: the attributes, and ``shown``."""
        row = {name: getattr(self, name) for name in _SCHEMA.names}
        return pa.Table.from_pylist([row], _SCHEMA)


_SCHEMA = pa.schema(
    [
        *((name, pa.float64()) for name in ("loss", "bound", "p_value", "margin", "level")),
        *((name, pa.int64()) for name in ("seeds", "examples")),
        ("shown", pa.bool_()),
    ]
)


def certificate(
    first: np.ndarray, second: np.ndarray, *, margin: float = 0.0, level: float = 0.05
) -> Certificate:
    """Test that ``second`` loses less than ``margin`` against ``first``, one-sided.

    The loss is a mean over all test examples and seeds that might have been drawn. For new
    examples, the mean x_i over the seeds of first minus second, in -1..1, is bounded by Gaffke's
    method (Gaffke, 2005; Learned-Miller & Thomas, 2019): one pseudo-example that is lost
    in every seed is added, and the bound is the quantile of the mean under uniform Dirichlet
    weights. For x_i in {0, 1} it is the bound of Clopper & Pearson (1934), so it holds where few
    examples differ and an estimated variance is 0 or too small. (That it always holds is
    proven for two values, a conjecture beyond; ``benchmarks/certificates.py`` tries it.)

    For new seeds, a normal effect of the seed on all examples is added. Its variance is that of
    the seeds' means less what the noise of the single examples explains, with the uncertainty
    of a variance that was estimated from k seeds: SS / U with U chi-squared, k - 1 degrees of
    freedom, as in generalized intervals (Weerahandi, 1993). So nothing is added where the losses
    are the same in every seed; where the seeds are all that differs, it is Student's t over
    seeds. With two seeds (t with one degree of freedom) little is shown; with one, nothing.

    Args:
        first, second: (seeds, test examples) bool, right or wrong, of the same test examples.
            If both were trained with the same seeds, give them in the same order.
        margin: in -1..1. With ``first`` a random subset, ``second`` a pruned one and
            ``margin=-gain``, it is tested that the pruned one is better by more than ``gain``.
        level: of the test, over 0 and under 0.5; the bound has confidence 1 - ``level``.

    Raises:
        CurateError: other types or shapes, no seed, no example, or a number out of range.
    """
    first, second = checked_pair(first, second, level)
    if not -1 <= margin <= 1:
        raise CurateError(f"margin: {margin} is not in -1..1; give a share, as 0.01 for one point")
    seeds, examples = first.shape
    each = first.astype(np.int8) - second.astype(np.int8)
    loss = int(each.sum(dtype=np.int64)) / each.size
    bound = p = 1.0
    if seeds > 1:
        seen = sufficient(each)
        bound, p = upper_bound(*seen, level), p_value(*seen, margin)
    return Certificate(loss, bound, p, float(margin), float(level), seeds, examples)


def sufficient(each: np.ndarray) -> tuple[np.ndarray, np.ndarray, SeedNoise]:
    """What ``p_value`` and ``upper_bound`` need of first minus second: (seeds, examples) int8."""
    seeds = len(each)
    by_example = each.sum(0, dtype=np.int64)
    counts = np.bincount(by_example + seeds, minlength=2 * seeds + 1)
    counts[-1] += 1  # the pseudo-example
    values = np.flatnonzero(counts) / seeds - 1
    return values, counts[counts > 0], seed_noise(each)


def look_level(look: int) -> float:
    """The level of the k-th certificate on one test set: 4 %, then 1 % / 2^(k - 1) for k >= 2.

    They sum to 5 %, so that the chance of any false certificate stays at 5 % however often the
    test set is looked at, and whatever is tried next.

    Raises:
        CurateError: ``look`` is not 1 or more.
    """
    if look < 1:
        raise CurateError(f"look: {look} is less than 1; count the looks at a test set from 1")
    return 0.04 if look == 1 else 0.01 / 2 ** (look - 1)


def better_than_guessing(
    right: np.ndarray, labels: np.ndarray, *, level: float = 0.05
) -> Certificate:
    """Test that a model is better than always to answer the largest class of the test set.

    Its ``shown`` says whether anything was learned; its ``loss`` is the accuracy of guessing
    minus that of the model.

    Args:
        right: (seeds, test examples) bool, right or wrong.
        labels: (test examples,) int.
        level: of the test.

    Raises:
        CurateError: as ``certificate``, or another number of labels.
    """
    right, labels = np.asarray(right), np.asarray(labels)
    _check_right("right", right)
    if labels.shape != right.shape[1:] or labels.dtype.kind not in "iu":
        raise CurateError(
            f"labels: {labels.dtype} of shape {labels.shape}; give {right.shape[1]} whole "
            "numbers, one per test example"
        )
    classes, counts = np.unique(labels, return_counts=True)
    guess = np.broadcast_to(labels == classes[counts.argmax()], right.shape)
    return certificate(guess, right, level=level)


def checked_pair(
    first: np.ndarray, second: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays; raises a CurateError for what no test takes."""
    first, second = np.asarray(first), np.asarray(second)
    _check_right("first", first)
    _check_right("second", second)
    if first.shape != second.shape:
        raise CurateError(
            f"second: shape {second.shape} against {first.shape} of first; give the same "
            "(seeds, test examples)"
        )
    if not 0 < level < 0.5:
        raise CurateError(f"level: {level} is not between 0 and 0.5; give a share, as 0.05")
    return first, second


def _check_right(name: str, right: np.ndarray) -> None:
    if right.ndim != 2 or right.size == 0 or right.dtype != bool:
        raise CurateError(
            f"{name}: {right.dtype} of shape {right.shape}; give bool of shape "
            "(seeds, test examples), with one of each at least"
        )


def seed_noise(each: np.ndarray) -> SeedNoise:
    """Two-way analysis of variance of (seeds, examples) int in -1, 0, 1.

    In whole numbers, so that no difference is exactly 0.
    """
    seeds, examples = each.shape
    by_example = each.sum(0, dtype=np.int64)
    of_seeds = sum(int(n) ** 2 for n in each.sum(1, dtype=np.int64))
    of_examples = int((by_example**2).sum())
    total = int(by_example.sum())
    between = seeds * of_seeds - total**2  # times seeds * examples: sums of squares
    rest = each.size * np.count_nonzero(each) - seeds * of_seeds - examples * of_examples + total**2
    residual = rest / math.prod((each.size**2, seeds - 1, examples - 1)) if examples > 1 else 0.0
    return SeedNoise(between / (each.size**2), residual, seeds - 1)
