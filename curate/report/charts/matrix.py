"""A table of numbers drawn as shaded cells: a confusion matrix, an exchange table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from curate.report.charts import svg
from curate.report.charts.letters import fit, width_of
from curate.report.text import clean

_LINE = 14.0  # from one name to the next, at least


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
    shown = [fit(clean(name), width * (0.26 if width < svg.NARROW else 0.2)) for name in names]
    longest = max(map(width_of, shown))
    left = 12 + longest
    lean = 0.7 * (longest + 10)  # of a heading at 45°, to the right and upwards
    wide = min((width - left - lean) / len(names), 64.0)
    upright = wide < 1.45 * _LINE  # leaning headings of narrower columns would touch
    if upright:
        wide = min((width - left - 4) / len(names), 64.0)
    top = 26 + (longest + 4 if upright else lean)
    tall = max(wide, _LINE)  # of many sources the cells are taller than wide: rows keep their names
    parts = [svg.text(0, 12, f"{rows} ↓  {columns} →", cls="axis-title")]
    every = -(-_LINE // wide) if upright else 1
    for index, short in enumerate(shown):
        middle = top + tall * (index + 0.5)
        parts.append(svg.text(left - 8, middle + 4, short, text_anchor="end"))
        x = left + wide * (index + 0.5) + (4 if upright else 3)
        turn = f"rotate({-90 if upright else -45} {x:.1f} {top - 6:.1f})"
        if index % every == 0:
            parts.append(svg.text(x, top - 6, short, transform=turn))
    for row in range(len(names)):
        for column in range(len(names)):
            place = (left + wide * column, top + tall * row)
            parts += _cell(cell(row, column), place, (wide, tall))
    return svg.drawing(width, top + tall * len(names) + 4, summary, parts)


def _cell(cell: Cell, place: tuple[float, float], size: tuple[float, float]) -> list[str]:
    (x, y), (wide, tall) = place, size

    def box(content: str, **look: str) -> str:
        return svg.tag("rect", content, x=x, y=y, width=wide - 1, height=tall - 1, **look)

    tip = svg.title(cell.tip)
    if cell.shade is None:
        parts = [box(tip, cls="unknown")]
    else:
        shaded = box(tip, cls="kept", fill_opacity=f"{cell.shade:.3f}")
        parts = [box("", cls="wash"), shaded]
    if not cell.words or wide < width_of(cell.words, 11) + 2:
        return parts
    dark = cell.shade is not None and cell.shade > 0.55
    words = svg.text(
        x + wide / 2,
        y + tall / 2 + 4,
        cell.words,
        cls="on-dark" if dark else "on-light",
        text_anchor="middle",
        pointer_events="none",
    )
    return [*parts, words]
