"""Accuracy of the models trained on the full, the pruned and the randomly pruned set."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.report.charts import svg
from curate.report.charts.letters import fit, width_of
from curate.report.text import clean, count, percent

_TITLES = {"full": "Full set", "pruned": "Pruned set", "random": "Random subset"}
_MOST_ARMS = 12
_MOST_DOTS = 60


@dataclass(frozen=True)
class Arm:
    """The runs on one training set; accuracies in 0..1, the interval's ends None if not known."""

    name: str
    accuracies: tuple[float, ...]
    seeds: tuple[int, ...]
    mean: float
    low: float | None
    high: float | None
    train_size: int | None

    @property
    def title(self) -> str:
        """The arm's name for people."""
        return _TITLES.get(self.name, clean(self.name, 24))

    @property
    def interval(self) -> str:
        """'97.1% (96.5 to 97.6)', or only the mean."""
        mean = percent(self.mean, digits=2)
        if self.low is None or self.high is None:
            return mean
        return f"{mean} ({100 * self.low:.2f} to {100 * self.high:.2f})"


def group_by_arm(accuracies: pa.Table, intervals: pa.Table | None = None) -> list[Arm]:
    """Group runs by arm: full, pruned, random, then the others as they come.

    Raises:
        CurateError: a column is missing, or an accuracy is not within 0..1.
    """
    _need(accuracies, "accuracies", ("arm", "seed", "accuracy"))
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in accuracies.to_pylist():
        accuracy = row["accuracy"]
        if accuracy is None or not 0 <= accuracy <= 1:
            raise CurateError(
                f"accuracies: accuracy {accuracy!r} of arm {row['arm']!r} is not within 0..1; give "
                "fractions, not percent"
            )
        rows.setdefault(str(row["arm"]), []).append(row)
    bounds: dict[str, dict[str, float]] = {}
    if intervals is not None:
        _need(intervals, "intervals", ("arm", "mean", "low", "high"))
        bounds = {str(row["arm"]): row for row in intervals.to_pylist()}
    order = [*(name for name in _TITLES if name in rows), *(n for n in rows if n not in _TITLES)]
    return [_arm(name, rows[name], bounds.get(name, {})) for name in order[:_MOST_ARMS]]


def accuracy_svg(
    accuracies: pa.Table, intervals: pa.Table | None = None, *, width: int = 720
) -> str:
    """Accuracy of every run and the mean of every arm, as a standalone SVG.

    Args:
        accuracies: columns arm ('full', 'pruned', 'random', …), seed, accuracy (0..1) and, if
            known, train_size (examples).
        intervals: columns arm, mean, low, high (0..1), drawn around the means.
        width: in pixels; below 480 the layout suits a phone.

    Raises:
        CurateError: a column is missing, or an accuracy is not within 0..1.
    """
    return svg.standalone(draw_accuracy(group_by_arm(accuracies, intervals), width))


def draw_accuracy(arms: list[Arm], width: int) -> str:
    """The chart without its stylesheet."""
    narrow = width < svg.NARROW
    lane = 62 if narrow else 52
    left, right, top, bottom = 8.0, 8.0, 6, 42
    if not narrow:
        titles = [fit(arm.title, 0.3 * width, bold=True) for arm in arms]
        sizes = [_size(arm) for arm in arms]
        words = [width_of(title, bold=True) for title in titles] + [*map(width_of, sizes)]
        left = 16 + max(words, default=0.0)
        right = 20 + max((width_of(arm.interval, bold=True) for arm in arms), default=0.0)
    height = top + lane * max(1, len(arms)) + bottom
    low, high = _range(arms)

    def x_of(accuracy: float) -> float:
        return left + (width - left - right) * (accuracy - low) / (high - low)

    marks = svg.ticks(low, high, 4 if narrow else 6)
    floor = height - bottom
    digits = 1
    if len(marks) > 1:  # as many as a step has: 0.5 points apart need one
        digits = max(0, math.ceil(-math.log10(marks[1] - marks[0]) - 1e-9) - 2)
    parts, last = [], -math.inf
    for mark in marks:
        x = x_of(mark)
        parts.append(svg.tag("line", x1=x, x2=x, y1=top, y2=floor, cls="grid"))
        label = percent(mark, digits=digits)
        half = width_of(label) / 2
        x = min(max(x, half), width - half)
        if x - half >= last + 6:
            parts.append(svg.text(x, floor + 18, label, cls="muted", text_anchor="middle"))
            last = x + half
    if arms and arms[0].name == "full":  # the mark to meet
        x = x_of(arms[0].mean)
        parts.append(svg.tag("line", x1=x, x2=x, y1=top, y2=floor, cls="reference"))
    for index, arm in enumerate(arms):
        centre = top + lane * index + (lane * 0.66 if narrow else lane / 2)
        parts += _labels(arm, narrow, centre, left, width, right)
        parts += _dots(arm, centre, x_of)
    parts.append(svg.tag("line", x1=left, x2=width - right, y1=floor, y2=floor, cls="baseline"))
    middle = (left + width - right) / 2
    parts.append(
        svg.text(middle, height - 5, "test accuracy", cls="axis-title", text_anchor="middle")
    )
    return svg.drawing(width, height, _summary(arms), parts)


def _labels(
    arm: Arm, narrow: bool, centre: float, left: float, width: float, right: float
) -> list[str]:
    size = _size(arm)
    if narrow:
        mean = percent(arm.mean, digits=2)
        head = f"{arm.title}, {size}" if size else arm.title
        head = fit(head, width - left - right - width_of(mean) - 10, bold=True)
        return [
            svg.text(left, centre - 22, head, cls="strong"),
            svg.text(width - right, centre - 22, mean, text_anchor="end"),
        ]
    value = svg.text(width - right + 16, centre + 4, arm.interval, cls="strong")
    head = fit(arm.title, left - 16, bold=True)
    if not size:
        return [svg.text(0, centre + 4, head, cls="strong"), value]
    title = svg.text(0, centre - 3, head, cls="strong")
    return [title, svg.text(0, centre + 13, size, cls="muted"), value]


def _size(arm: Arm) -> str:
    return "" if arm.train_size is None else f"{count(arm.train_size)} examples"


def _dots(arm: Arm, centre: float, x_of: Callable[[float], float]) -> list[str]:
    name = arm.name if arm.name in _TITLES else "other"
    parts = []
    if arm.low is not None and arm.high is not None:
        start, end = x_of(arm.low), x_of(arm.high)
        tip = svg.title(f"{arm.title}: {arm.interval}")
        size = {"x": start, "width": max(2, end - start), "y": centre - 9, "height": 18, "rx": 3}
        parts.append(svg.tag("rect", tip, cls=f"interval {name}", **size))
    for seed, accuracy in list(zip(arm.seeds, arm.accuracies, strict=True))[:_MOST_DOTS]:
        tip = svg.title(f"{arm.title}, seed {seed}: {percent(accuracy, digits=2)}")
        parts.append(svg.tag("circle", tip, cx=x_of(accuracy), cy=centre, r=3.5, cls="run"))
    x = x_of(arm.mean)
    line = svg.tag("line", x1=x, x2=x, y1=centre - 13, y2=centre + 13, cls=f"mean {name}")
    return [*parts, line]


def _arm(name: str, rows: list[dict[str, Any]], bound: dict[str, float]) -> Arm:
    accuracies = tuple(float(row["accuracy"]) for row in rows)
    sizes = {row["train_size"] for row in rows if row.get("train_size") is not None}
    ends = [bound.get(end) for end in ("low", "high")]
    for end in ends:
        if end is not None and not np.isfinite(end):
            raise CurateError(f"intervals: {end!r} of arm {name!r} is not a number; leave it null")
    return Arm(
        name=name,
        accuracies=accuracies,
        seeds=tuple(int(row["seed"]) for row in rows),
        mean=float(bound.get("mean", np.mean(accuracies))),
        low=ends[0],
        high=ends[1],
        train_size=int(next(iter(sizes))) if len(sizes) == 1 else None,
    )


def _range(arms: list[Arm]) -> tuple[float, float]:
    """The accuracies and intervals with some air, within 0..1."""
    values = [value for arm in arms for value in (*arm.accuracies, arm.mean, arm.low, arm.high)]
    known = [value for value in values if value is not None] or [0.0, 1.0]
    air = max(0.12 * (max(known) - min(known)), 0.004)
    low, high = max(0.0, min(known) - air), min(1.0, max(known) + air)
    return low, high


def _summary(arms: list[Arm]) -> str:
    parts = [f"{arm.title} {arm.interval}, runs: {len(arm.accuracies)}" for arm in arms]
    return "Test accuracy. " + "; ".join(parts) + "."


def _need(table: pa.Table, parameter: str, names: tuple[str, ...]) -> None:
    for name in names:
        if name not in table.column_names:
            raise CurateError(
                f"{parameter}: it has the columns {table.column_names} but no {name!r}; add it"
            )
