"""The removal curve."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.plot.canvas import BLUE, BROWN, GREY, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOG_BELOW = 0.4  # the smallest share for which a linear axis has the sizes well apart
_COLOURS = {"all": GREY, "random": BROWN}
_LABELS = {"all": "all examples", "random": "as many at random"}


def plot_removal(curve: pa.Table, ax: "Axes | None" = None) -> "Axes":
    """Accuracy against the share kept: the score, as many at random, and all examples.

    Args:
        curve: ``SmallestSet.curve``, or any table with columns ``arm`` ("all", "random", or a
            score; one row of "all"), ``size``, ``share``, ``accuracy`` (0..1), ``low`` and
            ``high`` (null without an interval).
        ax: matplotlib axes to draw on; None: those of a new figure (``ax.figure.savefig``).

    Raises:
        CurateError: matplotlib is not installed, or the curve has no rows.
    """
    ax = canvas(ax, 6.4)
    from matplotlib.ticker import NullLocator, PercentFormatter

    arms: dict[str, list[dict[str, Any]]] = {}
    for row in curve.sort_by("size").to_pylist():
        arms.setdefault(row["arm"], []).append(row)
    if "all" not in arms:
        raise CurateError("curve: no row of the arm 'all'; train on all examples too")
    everything = arms.pop("all")
    whole = everything[0]
    ax.axhline(whole["accuracy"], color=GREY, linestyle="--", linewidth=1)
    if whole["low"] is not None:
        ax.axhspan(whole["low"], whole["high"], color=GREY, alpha=0.13, linewidth=0)
    for name, points in {**arms, "all": everything}.items():
        colour = _COLOURS.get(name, BLUE)
        shares, means, reach = _columns(points)
        label = _LABELS.get(name, name)
        ax.errorbar(shares, means, reach, color=colour, marker="o", capsize=2, label=label)
        if name != "all":  # the line ends in the full set
            last = [shares[-1], whole["share"]], [means[-1], whole["accuracy"]]
            ax.plot(*last, color=colour)
    shares = np.unique(curve["share"].to_numpy())
    log = bool(shares.min() < _LOG_BELOW)
    ax.set_xscale("log" if log else "linear")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(_apart(shares, np.log if log else np.asarray))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    ax.set_xlabel(f"share kept of {whole['size']:,} training examples")
    ax.set_ylabel("test accuracy")
    ax.legend(frameon=False)
    return ax


def _apart(shares: np.ndarray, place: Any) -> list[float]:
    """Those whose labels do not cover each other, from the largest down."""
    room = 0.08 * (place(shares[-1]) - place(shares[0]))
    shown = [float(shares[-1])]
    for share in shares[-2::-1].tolist():
        if place(shown[-1]) - place(share) >= room:
            shown.append(share)
    return shown


def _columns(points: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares (k,), means (k,), and how far intervals go below and above (2, k), 0 without one."""
    shares, means = (np.array([one[name] for one in points]) for name in ("share", "accuracy"))
    low, high = (
        np.array([one["accuracy"] if one[end] is None else one[end] for one in points])
        for end in ("low", "high")
    )
    return shares, means, np.stack([means - low, high - means])
