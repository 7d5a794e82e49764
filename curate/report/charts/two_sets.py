"""Accuracies on two test sets against each other: one point per model."""

from typing import TYPE_CHECKING, Any

import numpy as np

from curate.report.charts import svg
from curate.report.text import percent

if TYPE_CHECKING:
    from curate.retest import AccuracyGap


def draw_two_sets(found: "AccuracyGap", width: int) -> str:
    """Points with their 95 % intervals, the line y = x, and the fitted line; no stylesheet.

    Args:
        found: what :func:`curate.retest.accuracy_gap` gave.
        width: in pixels; below 480 the layout suits a phone.
    """
    height = 300 if width < svg.NARROW else 440
    left, right, top, bottom = 48, 14, 28, 42
    points = _points(found)
    ends = [point[key] for point in points for key in ("low_x", "high_x")]
    x_low, x_high = _range(ends)
    y_low, y_high = _range([point[key] for point in points for key in ("low_y", "high_y")])

    def across(value: float) -> float:
        return left + (width - left - right) * (value - x_low) / (x_high - x_low)

    def up(value: float) -> float:
        return height - bottom - (height - bottom - top) * (value - y_low) / (y_high - y_low)

    parts = [svg.text(0, 14, "accuracy on the new set", cls="axis-title")]
    for mark in svg.ticks(y_low, y_high, 5):
        y = up(mark)
        parts.append(svg.tag("line", x1=left, x2=width - right, y1=y, y2=y, cls="grid"))
        label = percent(mark, digits=0 if y_high - y_low > 0.05 else 1)
        parts.append(svg.text(left - 8, y + 4, label, cls="muted", text_anchor="end"))
    for mark in svg.ticks(x_low, x_high, 4 if width < svg.NARROW else 7):
        label = percent(mark, digits=0 if x_high - x_low > 0.05 else 1)
        place = {"x": across(mark), "y": height - bottom + 18}
        parts.append(svg.text(words=label, cls="muted", text_anchor="middle", **place))
    equal = max(x_low, y_low), min(x_high, y_high)
    if equal[0] < equal[1]:
        parts.append(_path(np.array(equal), np.array(equal), across, up, "reference"))
    for row in found.fits.to_pylist()[:1]:
        x = np.linspace(x_low, x_high, 200)
        line = row["intercept"] + row["slope"] * x if row["slope"] is not None else x * np.nan
        inside = (line >= y_low) & (line <= y_high)
        if inside.any():
            parts.append(_path(x[inside], line[inside], across, up, "curve hue0"))
    for point in points:
        parts += _mark(point, across, up)
    base = height - bottom
    parts.append(svg.tag("line", x1=left, x2=width - right, y1=base, y2=base, cls="baseline"))
    middle = (left + width - right) / 2
    title = "accuracy on the original set"
    parts.append(svg.text(middle, height - 5, title, cls="axis-title", text_anchor="middle"))
    gap = percent(found.mean_gap[0])
    summary = f"Accuracy of {len(points)} models on two test sets; mean gap {gap}."
    return svg.drawing(width, height, summary, parts)


def _points(found: "AccuracyGap") -> list[dict[str, Any]]:
    by_set: dict[str, dict[str, Any]] = {"original": {}, "new": {}}
    for row in found.accuracies.to_pylist():
        by_set[row["set"]][row["model"]] = row
    return [
        {
            "model": model,
            "x": by_set["original"][model]["accuracy"],
            "low_x": by_set["original"][model]["low"],
            "high_x": by_set["original"][model]["high"],
            "y": by_set["new"][model]["accuracy"],
            "low_y": by_set["new"][model]["low"],
            "high_y": by_set["new"][model]["high"],
        }
        for model in found.models
    ]


def _range(values: list[float]) -> tuple[float, float]:
    air = max(0.04 * (max(values) - min(values)), 0.004)
    return max(0.0, min(values) - air), min(1.0, max(values) + air)


def _path(x: np.ndarray, y: np.ndarray, across: Any, up: Any, kind: str) -> str:
    ends = {"x1": across(x[0]), "x2": across(x[-1]), "y1": up(y[0]), "y2": up(y[-1])}
    return svg.tag("line", **ends, cls=kind)


def _mark(point: dict[str, Any], across: Any, up: Any) -> list[str]:
    x, y = across(point["x"]), up(point["y"])
    tip = (
        f"{point['model']}: {percent(point['x'])} → {percent(point['y'])} "
        f"({percent(point['low_y'])} to {percent(point['high_y'])})"
    )
    flat = {"x1": across(point["low_x"]), "x2": across(point["high_x"]), "y1": y, "y2": y}
    tall = {"x1": x, "x2": x, "y1": up(point["low_y"]), "y2": up(point["high_y"])}
    return [
        svg.tag("line", **flat, cls="grid"),
        svg.tag("line", **tall, cls="grid"),
        svg.tag("circle", svg.title(tip), cx=x, cy=y, r=3.5, cls="dot hue0"),
    ]
