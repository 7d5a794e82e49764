"""How a property spreads in every source: one histogram under another, on one axis."""

from collections.abc import Sequence

import numpy as np

from curate.report.charts import svg
from curate.report.charts.letters import fit, width_of
from curate.report.text import clean

_FEW = 6  # sources with tall histograms


def draw_strips(
    names: Sequence[str], edges: Sequence[float], shares: np.ndarray, width: int, *, title: str
) -> str:
    """Histograms of one property without the stylesheet, each as high as its row.

    Args:
        names: of the k sources.
        edges: of the bins, ascending, (bins + 1,).
        shares: of each source's examples in each bin, (k, bins).
        width: in pixels.
        title: what is measured.
    """
    labels = [fit(clean(name), width * 0.34) for name in names]
    left = 10 + max(width_of(label) for label in labels)
    right, top, bottom = 8, 26, 22
    pitch = 30 if len(names) <= _FEW else 15
    floor = top + pitch * len(names)
    step = (width - left - right) / shares.shape[1]
    parts = [svg.text(0, 13, fit(title, width, bold=True), cls="strong")]
    for row, (label, own) in enumerate(zip(labels, shares, strict=True)):
        base = top + pitch * (row + 1)
        tops = base - (pitch - 3) * own / (float(own.max()) or 1.0)  # a spike flattens no other
        path = f"M{left:.1f} {base:.1f}"
        path += "".join(f"V{y:.1f}h{step:.2f}" for y in tops) + f"V{base:.1f}z"
        line = svg.tag("line", x1=left, x2=width - right, y1=base, y2=base, cls="grid")
        tip = svg.title(f"{names[row]}: median {_median(edges, own):.3g}")
        parts += [line, svg.tag("path", tip, d=path, cls=f"spread hue{row % 6}")]
        parts.append(svg.text(left - 8, base - 2, label, text_anchor="end"))
    for mark in _apart(svg.ticks(edges[0], edges[-1], 4), edges, left, width - left - right):
        x = left + (width - left - right) * (mark - edges[0]) / (edges[-1] - edges[0])
        parts.append(svg.text(x, floor + 16, f"{mark:g}", cls="muted", text_anchor="middle"))
    summary = f"{title} by source: " + "; ".join(
        f"{clean(name, 40)} median {_median(edges, own):.3g}"
        for name, own in zip(names, shares, strict=True)
    )
    return svg.drawing(width, floor + bottom, summary, parts)


def _median(edges: Sequence[float], shares: np.ndarray) -> float:
    """The middle of the bin in which half of the examples are reached."""
    place = int(np.searchsorted(np.cumsum(shares), 0.5 * shares.sum()))
    place = min(place, len(shares) - 1)
    return (edges[place] + edges[place + 1]) / 2


def _apart(marks: Sequence[float], edges: Sequence[float], left: float, room: float) -> list[float]:
    """The marks whose words neither touch each other nor the frame."""
    kept, last = [], -8.0
    for mark in marks:
        x = room * (mark - edges[0]) / (edges[-1] - edges[0])
        half = width_of(f"{mark:g}") / 2
        if x - half >= last + 8 and x + half <= room + 8 and x + left - half >= 0:
            kept.append(mark)
            last = x + half
    return kept
