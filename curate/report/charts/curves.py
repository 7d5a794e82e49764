"""Learning curves: a measure against the number of training examples, on a log axis."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from curate.report.charts import svg
from curate.report.charts.letters import fit, width_of
from curate.report.text import clean, count

Scale: TypeAlias = Callable[[float], float]
_COLOURS = 6


@dataclass(frozen=True)
class Curve:
    """One line: sizes rise; low and high bound the mean."""

    name: str
    sizes: Sequence[int]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def draw_curves(
    curves: Sequence[Curve], width: int, *, measure: str, chance: float | None = None
) -> str:
    """Curves with their bands and their names at the end, without the stylesheet.

    Args:
        curves: at least one, each with at least one size.
        width: in pixels; below 480 the layout suits a phone.
        measure: what the vertical axis shows (0..1).
        chance: drawn as a dotted line.
    """
    narrow = width < svg.NARROW
    height = 260 if narrow else 340
    named = len(curves) > 1
    names = [fit(clean(curve.name), width * 0.24, bold=True) for curve in curves] if named else []
    longest = max((width_of(name, bold=True) for name in names), default=0.0)
    left, right, top, bottom = 44, 14 + longest, 28, 42
    if named:  # every name has a line of its own
        height = max(height, top + bottom + 15 * len(curves))
    floor = height - bottom
    sizes = sorted({size for curve in curves for size in curve.sizes})
    low, high = _range(curves, chance)
    start, reach = math.log(sizes[0]), math.log(max(sizes[-1] / sizes[0], 1.01))

    def across(size: float) -> float:
        return left + (width - left - right) * (math.log(size) - start) / reach

    def up(value: float) -> float:
        return floor - (floor - top) * (value - low) / (high - low)

    parts = [svg.text(0, 14, measure, cls="axis-title")]
    for mark in svg.ticks(low, high, 5):
        parts.append(
            svg.tag("line", x1=left, x2=width - right, y1=up(mark), y2=up(mark), cls="grid")
        )
        parts.append(
            svg.text(left - 8, up(mark) + 4, f"{mark:.2g}", cls="muted", text_anchor="end")
        )
    if chance is not None:
        level = up(chance)
        parts.append(
            svg.tag("line", x1=left, x2=width - right, y1=level, y2=level, cls="reference")
        )
        parts.append(svg.text(left + 4, level - 5, "chance", cls="region"))
    parts += _size_marks(sizes, across, floor, width)
    for index, curve in enumerate(curves):
        parts += _curve(curve, index % _COLOURS, across, up)
    if named:
        parts += _names(curves, names, width - right + 8, up, top, floor)
    parts.append(svg.tag("line", x1=left, x2=width - right, y1=floor, y2=floor, cls="baseline"))
    middle = (left + width - right) / 2
    title = fit("training examples per source (log scale)", 2 * min(middle, width - middle))
    parts.append(svg.text(middle, height - 5, title, cls="axis-title", text_anchor="middle"))
    ends = "; ".join(
        f"{clean(c.name, 40)} {c.mean[0]:.2f} at {count(c.sizes[0])} to {c.mean[-1]:.2f} at "
        f"{count(c.sizes[-1])}"
        for c in curves
    )
    return svg.drawing(width, height, f"{measure} against training examples: {ends}.", parts)


def _range(curves: Sequence[Curve], chance: float | None) -> tuple[float, float]:
    values = [value for curve in curves for end in (curve.low, curve.high) for value in end]
    values += [] if chance is None else [chance]
    air = max(0.06 * (max(values) - min(values)), 0.01)
    return max(0.0, min(values) - air), min(1.0, max(values) + air)


def _size_marks(sizes: list[int], across: Scale, floor: float, width: float) -> list[str]:
    """Sizes below the axis, as many as do not touch; the largest, which matters most, first."""
    parts: list[str] = []
    last = math.inf
    for size in reversed(sizes):
        half = width_of(count(size)) / 2
        x = min(across(size), width - half)
        if x + half + 10 <= last and x >= half:
            parts.append(svg.text(x, floor + 18, count(size), cls="muted", text_anchor="middle"))
            last = x - half
    return parts


def _curve(curve: Curve, colour: int, across: Scale, up: Scale) -> list[str]:
    x = [across(size) for size in curve.sizes]
    over = [f"{a:.1f},{up(b):.1f}" for a, b in zip(x, curve.high, strict=True)]
    under = [f"{a:.1f},{up(b):.1f}" for a, b in zip(x, curve.low, strict=True)]
    line = [f"{a:.1f},{up(b):.1f}" for a, b in zip(x, curve.mean, strict=True)]
    band = svg.tag("polygon", points=" ".join(over + under[::-1]), cls=f"band hue{colour}")
    stroke = svg.tag("polyline", points=" ".join(line), cls=f"curve hue{colour}")
    dots = [
        svg.tag(
            "circle",
            svg.title(f"{curve.name}: {mean:.3f} ({low:.3f} to {high:.3f}) at {count(size)}"),
            cx=a,
            cy=up(mean),
            r=3,
            cls=f"dot hue{colour}",
        )
        for a, size, mean, low, high in zip(
            x, curve.sizes, curve.mean, curve.low, curve.high, strict=True
        )
    ]
    return [band, stroke, *dots]


def _names(
    curves: Sequence[Curve], names: list[str], x: float, up: Scale, top: float, floor: float
) -> list[str]:
    """The names beside the ends of their curves, pushed apart so that none covers another."""
    order = sorted(range(len(curves)), key=lambda i: up(curves[i].mean[-1]))
    gap = min(15.0, (floor - top) / max(1, len(curves)))
    places: dict[int, float] = {}
    last = top - gap
    for i in order:
        last = max(up(curves[i].mean[-1]), last + gap)
        places[i] = last
    over = max(0.0, last - floor)
    return [
        svg.text(x, y - over + 4, names[i], cls=f"name hue{i % _COLOURS}")
        for i, y in places.items()
    ]
