"""Accuracies on a set without labels."""

from dataclasses import dataclass

import pyarrow as pa

from curate.notebook import Shown

_SHOWN = 15


@dataclass(frozen=True, eq=False, repr=False)
class AccuracyByAgreement(Shown):
    """What models' agreement says of their accuracy on a new set.

    Attributes:
        table: one row per model: model, accuracy, low, high; in 0..1.
        pairs: one row per pair: model_a, model_b, agreement_original, agreement_new.
        slope: of the line through the pairs, on the probit scale.
        intercept: of that line.
        r_squared: how well the pairs follow it; below about 0.95 the accuracies need not either
            (Baek et al., 2022, section 3).
        images: of the original and of the new set.
        level: of the intervals.
    """

    table: pa.Table
    pairs: pa.Table
    slope: float
    intercept: float
    r_squared: float
    images: tuple[int, int]
    level: float

    def __repr__(self) -> str:
        return (
            f"AccuracyByAgreement({len(self.table)} models, {self.images[1]:,} new images, "
            f"R²={self.r_squared:.3f})"
        )

    def __str__(self) -> str:
        rows = self.table.sort_by([("accuracy", "descending")]).to_pylist()
        width = max(5, *(len(row["model"]) for row in rows))
        lines = [
            f"{row['model']:{width}}  {row['accuracy']:8.1%}  {row['low']:6.1%} to "
            f"{row['high']:.1%}"
            for row in rows[:_SHOWN]
        ]
        if len(rows) > _SHOWN:
            lines.append(f"… and {len(rows) - _SHOWN} more in .table")
        doubt = "" if self.r_squared >= 0.95 else ", too few for the estimates to be relied upon"
        return "\n".join(
            [
                f"{'model':{width}}  accuracy  {self.level:.0%} interval",
                *lines,
                f"Estimated without labels: pairs of models agree on a line that explains "
                f"{self.r_squared:.1%} of their differences{doubt}.",
            ]
        )
