"""A table of numbers drawn as shaded cells: a confusion matrix, an exchange table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from curate.report.charts import svg
from curate.report.text import clean

_LETTERS = 22


@dataclass(frozen=True)
class Cell:
    """One cell: what it says, how dark it is (0..1; None: not known), what it says on a touch."""

    words: str
    shade: float | None
    tip: str


def draw_matrix(
    names: Sequence[str],
    cell: Callable[[int, int], Cell],
    width: int,
    *,
    rows: str,
    columns: str,
    summary: str,
) -> str:
    """A square matrix without its stylesheet; ``rows`` and ``columns`` title the two sides.

    Args:
        names: of the rows and the columns, in order.
        cell: row, column -> what stands there.
        width: in pixels; below 480 the layout suits a phone.
        rows: what a row is.
        columns: what a column is.
        summary: what a screen reader says.
    """
    narrow = width < svg.NARROW
    letters = 10 if narrow else _LETTERS
    longest = max(len(clean(name, letters)) for name in names)
    left, top = 14 + longest * svg.GLYPH, 40 + 0.75 * longest * svg.GLYPH
    right = 0.7 * longest * svg.GLYPH  # the last heading leans over the edge
    side = min((width - left - right) / len(names), 64.0)
    parts = [svg.text(0, 12, f"{rows} ↓  {columns} →", cls="axis-title")]
    for index, name in enumerate(names):
        short = clean(name, letters)
        middle = top + side * (index + 0.5)
        parts.append(svg.text(left - 8, middle + 4, short, text_anchor="end"))
        x = left + side * (index + 0.5)
        turn = f"rotate(-48 {x + 3:.1f} {top - 8:.1f})"
        parts.append(svg.text(x + 3, top - 8, short, transform=turn))
    for row in range(len(names)):
        for column in range(len(names)):
            place = (left + side * column, top + side * row)
            parts += _cell(cell(row, column), place, side)
    return svg.drawing(width, top + side * len(names) + 4, summary, parts)


def _cell(cell: Cell, place: tuple[float, float], side: float) -> list[str]:
    x, y = place

    def box(content: str, **look: str) -> str:
        size = side - 1
        return svg.tag("rect", content, x=x, y=y, width=size, height=size, **look)

    tip = svg.title(cell.tip)
    if cell.shade is None:
        parts = [box(tip, cls="unknown")]
    else:
        shaded = box(tip, cls="kept", fill_opacity=f"{cell.shade:.3f}")
        parts = [box("", cls="wash"), shaded]
    if side < len(cell.words) * svg.GLYPH + 2:
        return parts
    dark = cell.shade is not None and cell.shade > 0.55
    words = svg.text(
        x + side / 2,
        y + side / 2 + 4,
        cell.words,
        cls="on-dark" if dark else "on-light",
        text_anchor="middle",
        pointer_events="none",
    )
    return [*parts, words]
