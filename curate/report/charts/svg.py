"""A few words of SVG: enough to draw a chart that follows the page from light to dark."""

import math
from importlib.resources import files
from xml.sax.saxutils import escape, quoteattr

from curate.report.text import clean

NARROW = 480
"""Below this width in pixels a chart is laid out for a phone."""


def stylesheet() -> str:
    """The charts' colours and type, for light and dark."""
    return (files("curate.report") / "templates" / "chart.css").read_text(encoding="utf-8")


def tag(name: str, content: str = "", **attributes: float | str) -> str:
    """An element; ``content`` is markup. ``cls`` stands for class, ``_`` for ``-``."""
    written = "".join(
        f" {'class' if key == 'cls' else key.replace('_', '-')}={quoteattr(_value(value))}"
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def text(x: float, y: float, words: str, **attributes: float | str) -> str:
    """A line of text, escaped."""
    return tag("text", escape(clean(words, 120)), x=x, y=y, **attributes)


def title(words: str) -> str:
    """What shows when the pointer rests on an element."""
    return tag("title", escape(clean(words, 200)))


def drawing(width: float, height: float, summary: str, parts: list[str]) -> str:
    """A chart without its stylesheet; ``summary`` is what a screen reader says."""
    paper = tag("rect", cls="paper", width=width, height=height)
    return tag(
        "svg",
        paper + "".join(parts),
        xmlns="http://www.w3.org/2000/svg",
        cls="chart",
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        width=width,
        height=height,
        role="img",
        aria_label=clean(summary, 600),
    )


def standalone(chart: str) -> str:
    """The chart with its stylesheet inside, for a file of its own."""
    start = chart.index(">") + 1
    return f"{chart[:start]}<style>{stylesheet()}</style>{chart[start:]}\n"


def ticks(low: float, high: float, intervals: int = 5) -> list[float]:
    """Round values within low..high, about ``intervals`` steps of 1, 2 or 5 times ten^k apart."""
    rough = (high - low) / intervals
    base = 10.0 ** math.floor(math.log10(rough))
    step = next(base * factor for factor in (1, 2, 5, 10) if base * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
