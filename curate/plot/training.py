"""What happened to the examples of a table."""

from typing import TYPE_CHECKING, Any

import numpy as np

from curate.errors import CurateError
from curate.plot.canvas import BLUE, BROWN, LIGHT, canvas
from curate.table._as_table import as_table
from curate.table.column import floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS = 20_000


def plot_forgetting(table: Any, ax: "Axes | None" = None) -> "Axes":
    """How many examples were forgotten how often (Toneva et al., ICLR 2019, Figure 1).

    Never learned ones have a bar of their own, to the right of all others.

    Args:
        table: an example table with ``forgetting_events`` (null: never presented) and
            ``first_learned`` (null: never learned).
        ax: matplotlib axes to draw on; None: those of a new figure.

    Raises:
        CurateError: matplotlib is not installed, or a column is missing.
    """
    ax = canvas(ax)
    table = as_table(table)
    events, learned = floats(table, "forgetting_events"), floats(table, "first_learned")
    presented = ~np.isnan(events)
    never = presented & np.isnan(learned)
    events = events[presented & ~never]
    values, counts = np.unique(np.floor(events), return_counts=True)
    ax.bar(values, counts, color=BLUE, label="learned")
    if never.any():
        last = (values[-1] if len(values) else 0) + 2
        ax.bar([last], [never.sum()], color=BROWN, label="never learned")
    ax.set_xlabel("forgetting events")
    ax.set_ylabel(f"of {int(presented.sum()):,} examples")
    ax.set_yscale("symlog", linthresh=10)  # single examples are seen beside thousands
    ax.legend()
    return ax


def plot_data_map(table: Any, kept: Any = None, ax: "Axes | None" = None) -> "Axes":
    """Confidence against variability, one dot per example (Swayamdipta et al., EMNLP 2020).

    At most 20,000 examples are drawn, the same at every call.

    Args:
        table: an example table with ``confidence_mean`` and ``confidence_std``.
        kept: bool (rows,): examples that are removed are drawn lighter; None: all are alike.
        ax: matplotlib axes to draw on; None: those of a new figure.

    Raises:
        CurateError: matplotlib is not installed, a column is missing, or ``kept`` does not fit.
    """
    ax = canvas(ax)
    table = as_table(table)
    confidence, variability = floats(table, "confidence_mean"), floats(table, "confidence_std")
    stays = np.ones(len(confidence), bool) if kept is None else np.asarray(kept)
    if stays.shape != confidence.shape or stays.dtype != bool:
        raise CurateError(
            f"kept: {stays.dtype} of shape {stays.shape} for {len(confidence)} rows; give a bool "
            "for each row"
        )
    rows = np.flatnonzero(np.isfinite(confidence) & np.isfinite(variability))
    if len(rows) > _MOST_POINTS:
        rows = np.random.default_rng(0).choice(rows, _MOST_POINTS, replace=False)
    for which, colour, label in ((~stays, LIGHT, "removed"), (stays, BLUE, "kept")):
        drawn = rows[which[rows]]
        if len(drawn):
            x, y = variability[drawn], confidence[drawn]
            ax.scatter(x, y, s=4, color=colour, label=label, linewidths=0, alpha=0.6)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel("variability: standard deviation of the label's probability")
    ax.set_ylabel("confidence: its mean")
    if kept is not None:
        ax.legend(markerscale=4)
    return ax
