"""The data map: how sure the model was of each example, and how much that changed."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import CurateError
from curate.report.charts import svg
from curate.report.selection_rows import kept_rows
from curate.report.text import count

_MOST_POINTS = 2000
_COLUMNS = ("confidence_mean", "confidence_std")


def data_map_svg(table: pa.Table, selection: object | None = None, *, width: int = 720) -> str:
    """Confidence against variability, one dot per example (Swayamdipta et al., EMNLP 2020).

    At most 2,000 examples are drawn, the same at every call; kept and removed ones differ in
    colour when there is a selection.

    Raises:
        CurateError: the table lacks confidence_mean or confidence_std, or the selection lacks an
            example of the table.
    """
    return svg.standalone(draw_data_map(table, kept_rows(table, selection), width))


def draw_data_map(table: pa.Table, kept: np.ndarray | None, width: int) -> str:
    """The chart without its stylesheet; ``kept`` is bool (rows,) or None."""
    confidence, variability = (_column(table, name) for name in _COLUMNS)
    known = np.flatnonzero(np.isfinite(confidence) & np.isfinite(variability))
    drawn = known
    if len(known) > _MOST_POINTS:
        drawn = np.sort(np.random.default_rng(0).choice(known, _MOST_POINTS, replace=False))

    narrow = width < svg.NARROW
    height = 300 if narrow else 400
    left, right, top, bottom = 40, 10, 30, 42
    floor = height - bottom
    reach = max(0.1, float(variability[drawn].max(initial=0.0))) * 1.04
    x = left + (width - left - right) * variability / reach
    y = floor - (floor - top) * confidence

    parts = [svg.text(0, 14, "confidence (mean)", cls="axis-title")]
    for mark in (0, 0.25, 0.5, 0.75, 1):
        level = floor - (floor - top) * mark
        parts.append(svg.tag("line", x1=left, x2=width - right, y1=level, y2=level, cls="grid"))
        parts.append(svg.text(left - 8, level + 4, f"{mark:g}", cls="muted", text_anchor="end"))
    for mark in svg.ticks(0, reach, 4 if narrow else 6):
        across = left + (width - left - right) * mark / reach
        parts.append(svg.text(across, floor + 18, f"{mark:.2g}", cls="muted", text_anchor="middle"))
    if kept is None:
        parts.append(_points(x[drawn], y[drawn], "kept-point"))
    else:
        parts.append(_points(x[drawn[~kept[drawn]]], y[drawn[~kept[drawn]]], "removed-point"))
        parts.append(_points(x[drawn[kept[drawn]]], y[drawn[kept[drawn]]], "kept-point"))
        for word, offset in (("kept", 146), ("removed", 82)):
            at = width - right - offset
            parts.append(svg.tag("circle", cx=at + 6, cy=10, r=5, cls=word))
            parts.append(svg.text(at + 18, 14, word))
    for words, at, level, anchor in (
        ("easy to learn", left + 8, 0.94, "start"),
        ("ambiguous", width - right - 6, 0.46, "end"),
        ("hard to learn", left + 8, 0.03, "start"),
    ):
        down = floor - (floor - top) * level
        parts.append(svg.text(at, down, words, cls="region", text_anchor=anchor))
    parts.append(svg.tag("line", x1=left, x2=width - right, y1=floor, y2=floor, cls="baseline"))
    middle = (left + width - right) / 2
    label = "variability (standard deviation of the confidence)"
    if narrow:
        label = "variability (standard deviation)"
    parts.append(svg.text(middle, height - 5, label, cls="axis-title", text_anchor="middle"))
    summary = (
        f"Data map of {count(len(drawn))} of {count(len(known))} examples: mean confidence against "
        "variability. "
    )
    if len(known):
        summary += f"Median confidence {np.median(confidence[known]):.2f}, "
        summary += f"median variability {np.median(variability[known]):.2f}."
    return svg.drawing(width, height, summary, parts)


def has_data_map(table: pa.Table) -> bool:
    """Whether the table knows confidence and variability of any example."""
    return all(
        name in table.column_names and table[name].null_count < len(table) for name in _COLUMNS
    )


def _points(x: np.ndarray, y: np.ndarray, cls: str) -> str:
    """All points in one path of zero-length strokes with round ends: a tenth of the bytes."""
    path = "".join(f"M{across:.1f} {down:.1f}h0" for across, down in zip(x, y, strict=True))
    return svg.tag("path", d=path, cls=cls) if path else ""


def _column(table: pa.Table, name: str) -> np.ndarray:
    if name not in table.column_names:
        raise CurateError(
            f"table: it has no {name!r}; record with Recorder(track='all') to draw a data map"
        )
    return np.asarray(pc.fill_null(table[name].cast(pa.float64()), float("nan")))
