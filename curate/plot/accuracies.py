"""Accuracies of models on two test sets."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.plot.canvas import BLUE, GREY, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_accuracies(accuracies: pa.Table, fits: pa.Table, ax: "Axes | None" = None) -> "Axes":
    """New against original accuracies with their intervals, y = x, and the fitted line.

    Args:
        accuracies: columns model, set ("original" or "new", in the same order of models),
            accuracy, low, high.
        fits: columns scale, slope, intercept; the row "linear" is drawn, if there is one.
        ax: matplotlib axes to draw on; None: those of a new figure, which belongs to no window.

    Raises:
        CurateError: matplotlib is not installed.
    """
    ax = canvas(ax, 5.6, 5)
    from matplotlib.ticker import PercentFormatter

    x, y = (accuracies.filter(pc.equal(accuracies["set"], name)) for name in ("original", "new"))
    (x_at, x_reach), (y_at, y_reach) = _reach(x), _reach(y)
    ax.errorbar(
        x_at, y_at, y_reach, x_reach, fmt="o", ms=4, color=BLUE, elinewidth=0.6, label="models"
    )
    ends = np.array([x_at.min(), x_at.max()])
    ax.plot(ends, ends, color=GREY, linestyle=":", label="as good on new images")
    for row in fits.to_pylist():
        if row["scale"] == "linear" and row["slope"] is not None:
            label = f"slope {row['slope']:.2f}"
            ax.plot(ends, row["intercept"] + row["slope"] * ends, color=BLUE, label=label)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    ax.set_xlabel("accuracy on the original set")
    ax.set_ylabel("accuracy on the new set")
    ax.legend(frameon=False)
    return ax


def _reach(rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies (k,), and how far their intervals go below and above (2, k)."""
    middle, low, high = (rows[name].to_numpy() for name in ("accuracy", "low", "high"))
    return middle, np.stack([middle - low, high - middle])
