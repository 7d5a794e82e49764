"""The histogram of forgetting events."""

import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from curate.report.charts import svg
from curate.report.charts.letters import width_of
from curate.report.outcomes import Bar, Outcomes, bars, outcomes_of
from curate.report.selection_rows import kept_rows
from curate.report.text import count, plural


def forgetting_histogram_svg(
    table: pa.Table, selection: object | None = None, *, width: int = 720
) -> str:
    """Histogram of forgetting events as a standalone SVG (Toneva et al., ICLR 2019, figure 1).

    Examples that were never learned stand apart in a bar of their own; with a selection, every
    bar is divided in proportion into kept and removed. The y axis turns logarithmic when most
    bars would be too low to see.

    Args:
        table: the example table, of one run or merged.
        selection: a ``Selection`` over the same ids.
        width: in pixels; below 480 the layout suits a phone.

    Raises:
        CurateError: a needed column is missing, or the selection lacks an example of the table.
    """
    kept = kept_rows(table, selection)
    return svg.standalone(draw_histogram(outcomes_of(table), kept, width))


def draw_histogram(outcomes: Outcomes, kept: np.ndarray | None, width: int) -> str:
    """The chart without its stylesheet; ``kept`` is bool (rows,) or None."""
    narrow = width < svg.NARROW
    learned, apart = outcomes.presented & ~outcomes.unlearned, outcomes.unlearned
    chosen = np.zeros(len(learned), bool) if kept is None else kept
    values, group = np.unique(outcomes.events[learned], return_inverse=True)
    totals = np.bincount(group, minlength=len(values))
    kept_totals = np.bincount(group, chosen[learned], len(values)).astype(np.int64)
    shown = bars(values, totals, kept_totals, limit=14 if narrow else 26)
    never = Bar("never learned", int(apart.sum()), int((apart & chosen).sum()))
    merged = bool((outcomes.unlearned & ~outcomes.never_learned).any())
    return _draw(shown, never, merged, kept is not None, width)


def _draw(shown: list[Bar], never: Bar, merged: bool, shaded: bool, width: int) -> str:
    narrow = width < svg.NARROW
    height = 250 if narrow else 320
    left, right, top, bottom = 46, 6, 34, 44
    heights = [bar.total for bar in (*shown, never) if bar.total]
    log = bool(heights) and max(heights) > 50 * float(np.median(heights))
    scale, marks = _scale(max(heights, default=1), log, height - top - bottom)
    floor = height - bottom

    parts = [svg.text(0, 14, f"examples{' (logarithmic)' if log else ''}", cls="axis-title")]
    for mark in marks:
        y = floor - scale(mark)
        parts.append(svg.tag("line", x1=left, x2=width - right, y1=y, y2=y, cls="grid"))
        parts.append(svg.text(left - 8, y + 4, _short(mark), cls="muted", text_anchor="end"))

    gap = 0.9  # in bars: what sets the never learned apart
    slot = (width - left - right) / (max(1, len(shown)) + gap + (2.2 if narrow else 1.4))
    for index, bar in enumerate(shown):
        x = left + slot * index
        parts += _bar(bar, x + slot * 0.09, slot * 0.82, floor, scale, shaded, log, "forgotten")
    for index in _labelled(shown, slot):
        x = left + slot * (index + 0.5)
        parts.append(svg.text(x, floor + 17, shown[index].label, text_anchor="middle"))
    x = left + slot * (max(1, len(shown)) + gap)
    room = width - right - x
    parts += _bar(never, x + room * 0.12, room * 0.76, floor, scale, shaded, log, "")
    words = ("not learned", "in every run") if merged else ("never", "learned")
    title, start = "forgetting events", float(width)  # the title ends before these words start
    for line, word in enumerate(words):
        centre = min(x + room / 2, width - width_of(word) / 2)
        start = min(start, centre - width_of(word) / 2)
        parts.append(svg.text(centre, floor + 17 + 15 * line, word, text_anchor="middle"))
    parts.append(svg.tag("line", x1=left, x2=width - right, y1=floor, y2=floor, cls="baseline"))
    middle = min(left + slot * max(1, len(shown)) / 2, start - 8 - width_of(title) / 2)
    parts.append(svg.text(middle, height - 6, title, cls="axis-title", text_anchor="middle"))
    if shaded:
        parts += _legend(width - right)
    return svg.drawing(width, height, _summary(shown, never, shaded), parts)


def _bar(
    bar: Bar,
    x: float,
    width: float,
    floor: float,
    scale: Callable[[float], float],
    shaded: bool,
    log: bool,
    verb: str,
) -> list[str]:
    """One bar; on a logarithmic axis, where stacked parts would mislead, its parts side by side."""
    if not bar.total:
        return []
    full = max(2.0, scale(bar.total))
    share = bar.kept / bar.total if shaded else 1.0
    head = f"{verb} {bar.label}×".strip() if verb else bar.label
    tip = f"{head}: {plural(bar.total, 'example')}"
    tip += f", {count(bar.kept)} kept" if shaded else ""
    parts = []
    if shaded and log:
        for place, (number, cls) in enumerate(
            ((bar.kept, "kept"), (bar.total - bar.kept, "removed"))
        ):
            if number:
                tall = max(2.0, scale(number))
                at = x + place * width / 2
                parts.append(
                    svg.tag("rect", x=at, y=floor - tall, width=width / 2, height=tall, cls=cls)
                )
        full = max(2.0, scale(max(bar.kept, bar.total - bar.kept)))
    elif share < 1:
        removed = full * (1 - share)
        parts.append(
            svg.tag("rect", x=x, y=floor - full, width=width, height=removed, cls="removed")
        )
    if share > 0 and not (shaded and log):
        kept = full * share
        parts.append(svg.tag("rect", x=x, y=floor - kept, width=width, height=kept, cls="kept"))
    if width_of(_short(bar.total), 10.5) <= width * 1.2:
        label = svg.text(
            x + width / 2, floor - full - 5, _short(bar.total), cls="small", text_anchor="middle"
        )
        parts.append(label)
    return [svg.tag("g", svg.title(tip) + "".join(parts))]


def _scale(largest: int, log: bool, room: float) -> tuple[Callable[[float], float], list[float]]:
    """Count -> height in pixels, and the counts to mark."""
    room -= 14  # for the number above the tallest bar
    if log:
        low, high = math.log10(0.6), math.log10(largest)  # a bar of one example stays visible
        marks = [10.0**power for power in range(int(math.log10(largest)) + 1)]
        return lambda value: room * (math.log10(value) - low) / (high - low), marks
    marks = [mark for mark in svg.ticks(0, largest, 4) if mark == int(mark)]
    return lambda value: room * value / largest, marks


def _labelled(shown: list[Bar], slot: float) -> list[int]:
    """The bars whose labels are written: every so many, and the tail's, so that none touch."""
    widths = [width_of(bar.label) for bar in shown]
    every = max(1, math.ceil((max(widths, default=1.0) + 6) / slot))
    kept = list(range(0, len(shown), every))
    last = len(shown) - 1
    if shown and shown[-1].label.endswith("+") and last not in kept:
        if (last - kept[-1]) * slot < (widths[last] + widths[kept[-1]]) / 2 + 6:
            kept.pop()
        kept.append(last)
    return kept


def _short(number: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            size = 1e3 if unit == "k" else size
            return f"{number / size:.3g}{unit}"
    return count(int(number))


def _legend(right: float) -> list[str]:
    parts = []
    for word, offset in (("kept", 146), ("removed", 82)):
        parts.append(svg.tag("rect", x=right - offset, y=4, width=12, height=12, cls=word))
        parts.append(svg.text(right - offset + 18, 14, word))
    return parts


def _summary(shown: list[Bar], never: Bar, shaded: bool) -> str:
    total = sum(bar.total for bar in shown) + never.total
    words = f"Histogram of forgetting events of {plural(total, 'example')}."
    if shown:
        words += f" {count(shown[0].total)} were learned and never forgotten;"
    words += f" {count(never.total)} were never learned."
    if shaded:
        words += f" {count(sum(bar.kept for bar in (*shown, never)))} are kept."
    return words
