"""The removal curve as a matplotlib figure (extra ``curate-data[plot]``)."""

from typing import TYPE_CHECKING, Any

import numpy as np

from curate.errors import CurateError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from curate.experiment.search.result import SmallestSet

_LOG_BELOW = 0.4  # the smallest share for which a linear axis has the sizes well apart
_COLOURS = {"all": "#6b7076", "random": "#c07a24"}
_CHOSEN = "#20639b"


def plot_curve(result: "SmallestSet") -> "Figure":
    """Accuracy against the share kept: the score, as many at random, and all examples.

    Args:
        result: a search; its curve must have rows.

    Returns:
        A figure with one pair of axes, with the means and their 95 % intervals over seeds. It
        belongs to no window: ``figure.savefig("curve.pdf")``.

    Raises:
        CurateError: matplotlib is not installed, or nothing was trained.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import NullLocator, PercentFormatter
    except ImportError as error:
        raise CurateError(
            "matplotlib: not installed; pip install 'curate-data[plot]' brings it"
        ) from error
    arms: dict[str, list[dict[str, Any]]] = {}
    for row in result.curve.sort_by("size").to_pylist():
        arms.setdefault(row["arm"], []).append(row)
    if not arms:
        raise CurateError("plot: nothing was trained in time; search again with a larger budget")
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.add_subplot()
    everything = arms.pop("all")
    whole = everything[0]
    axes.axhline(whole["accuracy"], color=_COLOURS["all"], linestyle="--", linewidth=1)
    if whole["low"] is not None:
        axes.axhspan(whole["low"], whole["high"], color=_COLOURS["all"], alpha=0.13, linewidth=0)
    for name, points in {**arms, "all": everything}.items():
        colour = _COLOURS.get(name, _CHOSEN)
        label = {"all": "all examples", "random": "as many at random"}.get(name, name)
        shares, means, reach = _columns(points)
        axes.errorbar(shares, means, reach, color=colour, marker="o", capsize=2, label=label)
        if name != "all":  # the line ends in the full set
            last = [shares[-1], whole["share"]], [means[-1], whole["accuracy"]]
            axes.plot(*last, color=colour)
    shares = np.unique(result.curve["share"].to_numpy())
    log = bool(shares.min() < _LOG_BELOW)
    axes.set_xscale("log" if log else "linear")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(_apart(shares, np.log if log else np.asarray))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    axes.set_xlabel(f"share kept of {result.examples:,} training examples")
    axes.set_ylabel("test accuracy")
    axes.set_title(repr(result)[len("SmallestSet(") : -1])
    axes.legend(frameon=False)
    return figure


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
