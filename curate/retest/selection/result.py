"""A gap before and after the correction for selection."""

from dataclasses import dataclass

import pyarrow as pa

from curate.notebook import Shown

ESTIMATORS = ("gap", "naive", "jackknife", "mixture")


@dataclass(frozen=True, eq=False, repr=False)
class SelectionCorrectedGap(Shown):
    """The gap as it is, and what is left of it with images that are selected alike.

    Attributes:
        table: one row per model: model; gap, naive, jackknife and mixture, each with _low and
            _high (95 %, bootstrap over images); shares in 0..1.
        mean: the same of the mean over models, one row.
        images: of the original and of the new set.
        frequencies: mean measured selection frequency of both.
    """

    table: pa.Table
    mean: pa.Table
    images: tuple[int, int]
    frequencies: tuple[float, float]

    def __repr__(self) -> str:
        row = self.mean.to_pylist()[0]
        return (
            f"SelectionCorrectedGap({len(self.table)} models, gap {row['gap']:.1%}, "
            f"corrected {row['mixture']:.1%})"
        )

    def __str__(self) -> str:
        row = self.mean.to_pylist()[0]
        said = {
            "gap": "as it is",
            "naive": "images matched by their measured frequency",
            "jackknife": "its bias taken out by the jackknife",
            "mixture": "true frequencies matched, beta-binomial mixture",
        }
        first, second = self.frequencies
        lines = [
            f"{100 * row[name]:6.1f} ({100 * row[name + '_low']:.1f} to "
            f"{100 * row[name + '_high']:.1f})  {words}"
            for name, words in said.items()
        ]
        return "\n".join(
            [
                f"Mean gap in points over {len(self.table)} models; annotators select "
                f"{first:.1%} of the original and {second:.1%} of the new images",
                *lines,
            ]
        )
