"""How well sources of a data set are told apart, and what their examples are worth."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from curate.plot.canvas import BLUE, GREY, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_confusion(confusion: pa.Table, ax: "Axes | None" = None) -> "Axes":
    """Which source is named for the examples of which.

    Args:
        confusion: ``Identification.confusion``: ``source``, ``named`` and ``rate`` (0..1), one row
            per pair.
        ax: matplotlib axes to draw on; None: those of a new figure.

    Raises:
        CurateError: matplotlib is not installed.
    """
    ax = _matrix(confusion, "source", "named", "rate", lambda rate: f"{100 * rate:.0f}", ax)
    ax.set_xlabel("named, % of the row")
    ax.set_ylabel("source")
    return ax


def plot_exchange(table: pa.Table, ax: "Axes | None" = None) -> "Axes":
    """What an example of each source is worth on each market (Torralba and Efros, CVPR 2011).

    Args:
        table: ``MarketValue.table``: ``market``, ``source`` and ``value`` (null: undefined, drawn
            as a dash), one row per pair.
        ax: matplotlib axes to draw on; None: those of a new figure.

    Raises:
        CurateError: matplotlib is not installed.
    """
    ax = _matrix(table, "market", "source", "value", lambda value: f"{value:.2g}", ax)
    ax.set_xlabel("one example of")
    ax.set_ylabel("is worth so many of")
    return ax


def plot_learning_curve(
    curve: pa.Table, chance: float | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Accuracy of naming the source, by training examples of each.

    Args:
        curve: ``Identification.curve``: ``size``, ``mean``, ``low`` and ``high`` (0..1).
        chance: accuracy of guessing; a dotted line.
        ax: matplotlib axes to draw on; None: those of a new figure.

    Raises:
        CurateError: matplotlib is not installed.
    """
    ax = canvas(ax)
    from matplotlib.ticker import PercentFormatter, ScalarFormatter

    size, mean, low, high = (curve[name].to_numpy() for name in ("size", "mean", "low", "high"))
    ax.errorbar(size, mean, [mean - low, high - mean], color=BLUE, marker="o", capsize=2)
    if chance is not None:
        ax.axhline(chance, color=GREY, linestyle=":", label="chance")
        ax.legend(frameon=False)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    ax.set_xlabel("training examples of each source")
    ax.set_ylabel("accuracy")
    return ax


def _matrix(table: pa.Table, rows: str, columns: str, value: str, said: Any, ax: Any) -> Any:
    """A cell per pair, shaded and written; rows and columns in the order of the table."""
    across = list(dict.fromkeys(table[columns].to_pylist()))
    down = list(dict.fromkeys(table[rows].to_pylist()))
    cells = np.full((len(down), len(across)), np.nan)
    for row in table.to_pylist():
        if row[value] is not None:
            cells[down.index(row[rows]), across.index(row[columns])] = row[value]
    ax = canvas(ax, 1.6 + 0.7 * len(across), 1.4 + 0.5 * len(down))
    most = max(1.0, float(np.nanmax(cells, initial=0.0)))
    ax.imshow(cells, cmap="Blues", vmin=0, vmax=most, aspect="auto")
    for i, j in np.ndindex(cells.shape):
        text = "–" if np.isnan(cells[i, j]) else said(cells[i, j])
        colour = "white" if cells[i, j] > 0.6 * most else "black"
        ax.text(j, i, text, ha="center", va="center", color=colour, fontsize=9)
    # names of data sets are text, whatever dollar signs they hold
    ax.set_xticks(range(len(across)), across, rotation=45, ha="right", parse_math=False)
    ax.set_yticks(range(len(down)), down, parse_math=False)
    return ax
