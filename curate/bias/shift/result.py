"""Results of two-sample tests, with the smallest difference each would have detected."""

from dataclasses import dataclass

import pyarrow as pa

_CLEAR = 0.05
_SMALL = 0.55
"""Accuracy below which a difference is called small."""


@dataclass(frozen=True, repr=False)
class Power:
    """What a test at level 5 % detects in 80 of 100 pairs of sets of this size.

    Attributes:
        smallest: the smallest difference that is detected so often; infinite if none is.
        of: what that number measures, with its unit.
        basis: the theory or simulation that it follows from.
    """

    smallest: float
    of: str
    basis: str

    def __repr__(self) -> str:
        return f"Power(smallest={self.smallest:.4g})"

    def __str__(self) -> str:
        least = "nothing" if self.smallest == float("inf") else f"{self.smallest:.4g} or more"
        return f"{self.of}: {least} ({self.basis})"


@dataclass(frozen=True, eq=False, repr=False)
class TwoSample:
    """The outcome of one test for a difference between two sets.

    Attributes:
        test: its name.
        statistic: see the test's own docstring.
        p_value: probability of a statistic at least as large if both sets are drawn from one
            distribution, example by example.
        n: examples of the first set.
        m: examples of the second set.
        method: how statistic and p-value were computed, in words.
        power: the smallest difference that the test would have found.
        features: of a test of every feature: one row per feature (see the test); else None.
    """

    test: str
    statistic: float
    p_value: float
    n: int
    m: int
    method: str
    power: Power
    features: pa.Table | None = None

    @property
    def table(self) -> pa.Table:
        """One row: the attributes, ``power`` as ``smallest``, ``smallest_of``, ``power_basis``."""
        row = {
            "test": self.test,
            "statistic": self.statistic,
            "p_value": self.p_value,
            "n": self.n,
            "m": self.m,
            "method": self.method,
            "smallest": self.power.smallest,
            "smallest_of": self.power.of,
            "power_basis": self.power.basis,
        }
        return pa.Table.from_pylist([row])

    def __repr__(self) -> str:
        return (
            f"TwoSample({self.test!r}, statistic={self.statistic:.4g}, "
            f"p_value={self.p_value:.3g}, n={self.n}, m={self.m})"
        )

    def __str__(self) -> str:
        return (
            f"{self.test}: statistic {self.statistic:.4g}, p = {self.p_value:.3g} "
            f"({self.n:,} and {self.m:,} examples)\n"
            f"  {self.method}\n"
            f"  detected with 80 % power: {self.power}{self._reading}"
        )

    @property
    def _reading(self) -> str:
        """Whether a clear difference is a large one: with many examples, any is clear."""
        if self.test != "classifier" or self.p_value > _CLEAR or self.statistic >= _SMALL:
            return ""
        return (
            f"\n  clear, but small: {self.statistic:.1%} of held-out examples are told right, "
            "chance 50%"
        )


@dataclass(frozen=True, eq=False, repr=False)
class TwoSamples:
    """The outcomes of several tests of the same two sets.

    Attributes:
        tests: the outcomes.
        adjusted: their p-values after Holm's correction for the number of tests.
        notes: what to know before the p-values are believed, such as copies in both sets.
    """

    tests: tuple[TwoSample, ...]
    adjusted: tuple[float, ...]
    notes: tuple[str, ...] = ()

    @property
    def p_value(self) -> float:
        """For 'the two sets differ in some way': the smallest adjusted p-value."""
        return min(self.adjusted)

    @property
    def table(self) -> pa.Table:
        """One row per test, as :attr:`TwoSample.table`, and its ``p_holm``."""
        whole = pa.concat_tables([test.table for test in self.tests])
        return whole.add_column(3, "p_holm", pa.array(self.adjusted, pa.float64()))

    def __repr__(self) -> str:
        return f"TwoSamples({len(self.tests)} tests, p_value={self.p_value:.3g})"

    def __str__(self) -> str:
        head = (
            f"smallest p of {len(self.tests)} tests, Holm's correction: {self.p_value:.3g}",
            *map(str, self.tests),
            *self.notes,
        )
        return "\n".join(head)
