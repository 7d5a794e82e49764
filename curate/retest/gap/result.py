"""What a comparison on two test sets found, in tables and in words."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.notebook import Shown
from curate.stats import kendall_tau_b, spearman_rho

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEAST_RELIABLE = 0.5
_LEVEL = 0.05
_SHOWN = 15


@dataclass(frozen=True, eq=False, repr=False)
class AccuracyGap(Shown):
    """Models on an original and on a new test set; shares are in 0..1, the best model first.

    Attributes:
        models: from the best on the original set down.
        images: of the original and of the new set.
        table: one row per model: model, accuracy_original, accuracy_new, gap, low, high (95 % of
            the gap, Newcombe's interval), rank_original, rank_new (equal ones share the best).
        accuracies: one row per model and set: model, set, images, accuracy, low, high (95 %,
            Clopper & Pearson; with a class mix at Kish's effective number of images).
        pairs: one row per pair of models, see :func:`curate.retest.gap.pairs.pair_table`.
        fits: one row per scale (linear, logit, probit), of three models or more: slope,
            intercept, r_squared of the least-squares line of new on original accuracies;
            reliability, the share of the spread of the original accuracies that is not chance;
            true_slope, the slope over it: what the slope would be on an endless original set.
            ``_low`` and ``_high``: 95 %, bootstrap over models and images; null where undefined.
        robustness: effective robustness, one row per model and a column per scale: the new
            accuracy less what the line expects.
        mean_gap: the mean over models with its 95 % interval over images (bootstrap).
        mix: the class mix that both sets are weighted to, or None.
    """

    models: tuple[str, ...]
    images: tuple[int, int]
    table: pa.Table
    accuracies: pa.Table
    pairs: pa.Table
    fits: pa.Table
    robustness: pa.Table
    mean_gap: tuple[float, float, float]
    mix: str | None

    @property
    def kendall(self) -> float:
        """Kendall's τ_b of the two rankings."""
        return kendall_tau_b(*self._ranked())

    @property
    def spearman(self) -> float:
        """Spearman's ρ of the two rankings."""
        return spearman_rho(*self._ranked())

    @property
    def reversals(self) -> pa.Table:
        """The rows of :attr:`pairs` that are reversed, the surest first."""
        mask = self.pairs["reversed"].to_numpy()
        return self.pairs.filter(pa.array(mask)).sort_by("p_reversal")

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The paper's questions, answered in sentences."""
        return (self._loss(), self._returns(), self._order())

    def plot(self) -> "Axes":
        """Original against new accuracies with the line, as matplotlib axes (extra ``plot``)."""
        from curate.plot import plot_accuracies

        return plot_accuracies(self.accuracies, self.fits)

    def __repr__(self) -> str:
        return (
            f"AccuracyGap({len(self.models)} models, {self.images[0]:,} and {self.images[1]:,} "
            f"images, mean gap {self.mean_gap[0]:.1%})"
        )

    def __str__(self) -> str:
        rows = self.table.to_pylist()
        width = max(5, *(len(row["model"]) for row in rows))
        head = f"{'model':{width}}  original     new     gap  95 %            ranks"
        lines = [
            f"{row['model']:{width}}  {row['accuracy_original']:8.2%}  {row['accuracy_new']:6.2%}  "
            f"{100 * row['gap']:6.2f}  {100 * row['low']:5.2f} to {100 * row['high']:5.2f}  "
            f"{row['rank_original']:3} → {row['rank_new']}"
            for row in rows
        ]
        if len(lines) > _SHOWN:
            rest = len(lines) - _SHOWN
            lines = [*lines[:_SHOWN], f"… and {rest} more in .table"]
        return "\n".join([head, *lines, *self.verdicts])

    def _ranked(self) -> tuple[np.ndarray, np.ndarray]:
        # ranks, not accuracies: weighted sums of equal ones may differ in the last bit
        first, second = (self.table[f"rank_{name}"].to_numpy() for name in ("original", "new"))
        return -first, -second

    def _loss(self) -> str:
        gap, low, high = self.mean_gap
        lost = sum(row["low"] > 0 for row in self.table.to_pylist())
        gained = sum(row["high"] < 0 for row in self.table.to_pylist())
        mixed = "" if self.mix is None else f", both sets weighted to the class mix {self.mix!r}"
        return (
            f"On the new images accuracy is {100 * abs(gap):.1f} points "
            f"{'lower' if gap >= 0 else 'higher'} on average over {len(self.models)} models (95 %: "
            f"{100 * low:.1f} to {100 * high:.1f}{mixed}); {lost} models lose and {gained} gain "
            "more than chance explains, one by one."
        )

    def _returns(self) -> str:
        if not len(self.fits):
            return "Two models make no line: whether gains carry over cannot be said."
        line = self.fits.to_pylist()[0]
        if line["true_slope_low"] is None or line["reliability"] < _LEAST_RELIABLE:
            return (
                "The models are too alike on the original set to say whether gains carry over: "
                "most of their differences are chance."
            )
        slope, low, high = (line[f"true_slope{end}"] for end in ("", "_low", "_high"))
        said = f"A point gained on the original set is {slope:.2f} points on the new one (95 %: "
        said += f"{low:.2f} to {high:.2f}): "
        if low > 1:
            return said + (
                "no diminishing returns, so that nothing speaks for overfitting to the original "
                "set by adaptivity."
            )
        if high < 1:
            return said + (
                "diminishing returns, as overfitting to the original set by adaptivity would "
                "have them; a new set that is easier, or a ceiling, would as well."
            )
        return said + "neither diminishing returns nor their absence is shown."

    def _order(self) -> str:
        swapped = self.reversals
        sure = int((swapped["p_reversal_holm"].to_numpy() <= _LEVEL).sum())
        return (
            f"The order: Kendall's τ_b {self.kendall:.3f}, Spearman's ρ {self.spearman:.3f}; "
            f"{len(swapped):,} of {len(self.pairs):,} pairs are reversed, {sure:,} of them more "
            "than chance explains (exact McNemar tests on both sets, Holm's correction)."
        )
