"""The removal curve: accuracy against the share of the training set that is kept."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import pyarrow as pa

from curate.errors import CurateError
from curate.report.charts import svg
from curate.report.charts.letters import fit, width_of
from curate.report.text import clean, count, percent

Scale: TypeAlias = Callable[[float], float]

_LOG_BELOW = 0.4  # the smallest share for which a linear axis has the sizes well apart
_HUES = {"all": "hue5", "random": "hue1"}  # the score has hue0
_APART = 3.0  # pixels between arms of one size, so that no interval hides another


@dataclass(frozen=True)
class Point:
    """The models of one arm and size; accuracies in 0..1, the interval's ends None for one model.

    Attributes:
        size: examples trained on.
        share: of the training set, in 0..1.
        mean, low, high: accuracy over seeds and its 95 % interval.
        seeds: how many models.
    """

    size: int
    share: float
    mean: float
    low: float | None
    high: float | None
    seeds: int

    @property
    def ends(self) -> tuple[float, float]:
        """The interval within 0..1; the mean alone where there is none."""
        if self.low is None or self.high is None:
            return self.mean, self.mean
        return max(0.0, self.low), min(1.0, self.high)

    @property
    def words(self) -> str:
        """'99.31% (99.10 to 99.52) on 389 examples (30.0%)'."""
        interval = ""
        if self.low is not None and self.high is not None:
            interval = f" ({100 * self.low:.2f} to {100 * self.high:.2f})"
        kept = f"{count(self.size)} examples ({percent(self.share)})"
        return f"{percent(self.mean, digits=2)}{interval} on {kept}"


def curve_svg(curve: pa.Table, *, certified: int | None = None, width: int = 720) -> str:
    """The removal curve as a standalone SVG.

    One line for every arm, with the 95 % interval of every mean; the models trained on all
    examples are a horizontal line with its interval. The share is on a log axis where one is
    under 40 %.

    Args:
        curve: as :attr:`curate.experiment.SmallestSet.curve`: columns arm ('all', 'random', or a
            score), size (examples), share (0..1), accuracy (mean, 0..1), low, high (null where
            not known), seeds.
        certified: the size whose point is filled and named.
        width: in pixels; below 480 the layout suits a phone.

    Raises:
        CurateError: a column is missing, or there are no rows.
    """
    return svg.standalone(draw_curve(points_by_arm(curve), width, certified))


def points_by_arm(curve: pa.Table) -> dict[str, list[Point]]:
    """The points of every arm from small to large: all, the scores, random.

    Raises:
        CurateError: a column is missing, or there are no rows.
    """
    for name in ("arm", "size", "share", "accuracy", "low", "high", "seeds"):
        if name not in curve.column_names:
            raise CurateError(
                f"curve: it has the columns {curve.column_names} but no {name!r}; give the curve "
                "of a SmallestSet"
            )
    if len(curve) == 0:
        raise CurateError("curve: it has no rows; give the curve of a finished search")
    arms: dict[str, list[Point]] = {}
    for row in curve.sort_by("size").to_pylist():
        ends = (row["accuracy"], row["low"], row["high"])
        point = Point(row["size"], row["share"], *ends, row["seeds"])
        arms.setdefault(str(row["arm"]), []).append(point)
    order = {"all": 0, "random": 2}
    return dict(sorted(arms.items(), key=lambda arm: order.get(arm[0], 1)))


def draw_curve(arms: dict[str, list[Point]], width: int, certified: int | None = None) -> str:
    """The chart without its stylesheet."""
    narrow = width < svg.NARROW
    names = _legend_rows(arms, width)
    left, right, top, bottom = 52, 16, 34 + 18 * len(names), 42
    height = top + (210 if narrow else 270) + bottom
    floor = height - bottom
    points = [point for arm in arms.values() for point in arm]
    low, high = _range(points)
    across, log = _axis(points, left, width - right)

    def up(accuracy: float) -> float:
        return floor - (floor - top) * (accuracy - low) / (high - low)

    parts = [svg.text(0, 14, "test accuracy", cls="axis-title")]
    parts += _legend(names)
    parts += _accuracy_marks(svg.ticks(low, high, 5), up, left, width - right)
    parts += _share_marks(points, across, floor)
    if "all" in arms:
        parts += _full_set(arms["all"][-1], up, left, width - right)
    lines = [name for name in arms if name != "all"]
    for index, name in enumerate(lines):
        shift = _APART * (index - (len(lines) - 1) / 2)
        parts += _line(name, arms, partial(_shifted, across, shift), up, certified)
    if "all" in arms:
        parts += _dots("all", arms["all"], across, up, None)
        parts += _certified(arms, certified, across, up, (left, width - right))
    parts.append(svg.tag("line", x1=left, x2=width - right, y1=floor, y2=floor, cls="baseline"))
    title = "share of the training set kept" + (" (log scale)" if log else "")
    middle = (left + width - right) / 2
    parts.append(svg.text(middle, height - 5, title, cls="axis-title", text_anchor="middle"))
    return svg.drawing(width, height, _summary(arms), parts)


def _axis(points: Sequence[Point], start: float, end: float) -> tuple[Scale, bool]:
    """Where a share lies, and whether the axis is logarithmic."""
    least = min(point.share for point in points)
    if least >= _LOG_BELOW:
        return lambda share: start + (end - start) * share, False
    reach = math.log(1 / min(least, 0.99))
    inner = start + 14  # the first point does not lie on the axis
    return lambda share: inner + (end - inner) * (1 + math.log(share) / reach), True


def _shifted(across: Scale, shift: float, share: float) -> float:
    return across(share) + shift


def _range(points: Sequence[Point]) -> tuple[float, float]:
    """The accuracies and intervals with some air, within 0..1."""
    values = [end for point in points for end in (*point.ends, point.mean)]
    air = max(0.06 * (max(values) - min(values)), 0.002)
    return max(0.0, min(values) - air), min(1.0, max(values) + air)


def _legend_rows(arms: dict[str, list[Point]], width: int) -> list[list[tuple[float, str, str]]]:
    """Rows of (x, name of the arm, its words), as wide as the drawing at most."""
    rows: list[list[tuple[float, str, str]]] = [[]]
    x = 0.0
    for name in arms:
        words = {"all": "all examples", "random": "as many at random"}.get(name, clean(name))
        words = fit(words, width - 24, bold=True)
        needed = 24 + width_of(words, bold=True) + 16
        if rows[-1] and x + needed - 16 > width:
            rows.append([])
            x = 0.0
        rows[-1].append((x, name, words))
        x += needed
    return rows


def _legend(rows: list[list[tuple[float, str, str]]]) -> list[str]:
    parts = []
    for index, row in enumerate(rows):
        y = 34 + 18 * index
        for x, name, words in row:
            hue = _hue(name)
            kind = "full-set" if name == "all" else f"curve {hue}"
            parts.append(svg.tag("line", x1=x, x2=x + 18, y1=y - 4, y2=y - 4, cls=kind))
            parts.append(svg.text(x + 24, y, words, cls=f"name {hue}"))
    return parts


def _accuracy_marks(marks: Sequence[float], up: Scale, start: float, end: float) -> list[str]:
    step = marks[1] - marks[0] if len(marks) > 1 else 0.01
    digits = max(0, math.ceil(-math.log10(step) - 1e-9) - 2)
    parts = []
    for mark in marks:
        y = up(mark)
        parts.append(svg.tag("line", x1=start, x2=end, y1=y, y2=y, cls="grid"))
        label = percent(mark, digits=digits)
        parts.append(svg.text(start - 8, y + 4, label, cls="muted", text_anchor="end"))
    return parts


def _share_marks(points: Sequence[Point], across: Scale, floor: float) -> list[str]:
    parts: list[str] = []
    last = math.inf
    for share in sorted({point.share for point in points}, reverse=True):
        words = percent(share, digits=0 if share >= 0.1 else 1).replace(".0%", "%")
        wide = width_of(words)
        end = across(share) + (0 if share == 1 else wide / 2)  # '100%' ends where the axis does
        if end + 8 > last:
            continue
        parts.append(svg.text(end - wide / 2, floor + 18, words, cls="muted", text_anchor="middle"))
        last = end - wide
    return parts


def _full_set(point: Point, up: Scale, start: float, end: float) -> list[str]:
    """The accuracy on all examples and its interval, over the whole width."""
    low, high = point.ends
    size = {"x": start, "width": end - start, "y": up(high), "height": max(1.0, up(low) - up(high))}
    band = svg.tag("rect", svg.title(f"all: {point.words}"), cls="band hue5", **size)
    y = up(point.mean)
    return [band, svg.tag("line", x1=start, x2=end, y1=y, y2=y, cls="full-set")]


def _line(
    name: str, arms: dict[str, list[Point]], across: Scale, up: Scale, certified: int | None
) -> list[str]:
    """The arm's points, joined with each other and with the full set that it ends in."""
    points = arms[name]
    ends = [*points, *(arms["all"][-1:] if "all" in arms else ())]
    path = " ".join(f"{across(point.share):.1f},{up(point.mean):.1f}" for point in ends)
    stroke = svg.tag("polyline", points=path, cls=f"curve {_hue(name)}")
    return [stroke, *_dots(name, points, across, up, certified if name != "random" else None)]


def _dots(
    name: str, points: Sequence[Point], across: Scale, up: Scale, filled: int | None
) -> list[str]:
    parts = []
    for point in points:
        x, (low, high) = across(point.share), point.ends
        if high > low:
            kind = f"whisker {_hue(name)}"
            parts.append(svg.tag("line", x1=x, x2=x, y1=up(high), y2=up(low), cls=kind))
        tip = svg.title(f"{name}: {point.words}, {point.seeds} models")
        kind = "certified" if point.size == filled else "dot"
        radius = 5 if point.size == filled else 3.5
        place = {"cx": x, "cy": up(point.mean), "r": radius}
        parts.append(svg.tag("circle", tip, cls=f"{kind} {_hue(name)}", **place))
    return parts


def _certified(
    arms: dict[str, list[Point]],
    size: int | None,
    across: Scale,
    up: Scale,
    ends: tuple[float, float],
) -> list[str]:
    """The words '389 of 1,297' over the certified point."""
    total = arms["all"][-1].size
    points = [one for name in arms for one in arms[name] if name != "random" and one.size == size]
    if not points:
        return []
    words = f"{count(points[0].size)} of {count(total)} certified"
    half = width_of(words) / 2
    x = min(max(across(points[0].share), ends[0] + half), ends[1] - half)
    y = up(points[0].ends[1]) - 9
    return [svg.text(x, y, words, cls="region", text_anchor="middle")]


def _hue(name: str) -> str:
    return _HUES.get(name, "hue0")


def _summary(arms: dict[str, list[Point]]) -> str:
    lines = (
        f"{clean(name, 40)} {', '.join(point.words for point in points)}"
        for name, points in arms.items()
    )
    return f"Test accuracy against the share of the training set kept: {'; '.join(lines)}."
