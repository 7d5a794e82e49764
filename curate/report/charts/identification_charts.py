"""The pictures of a game of Name That Dataset, and of what sources are worth to each other."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from curate.report.charts import svg
from curate.report.charts.curves import Curve, draw_curves
from curate.report.charts.matrix import Cell, draw_matrix
from curate.report.text import percent

if TYPE_CHECKING:
    from curate.bias import CrossDataset, Identification, MarketValue

_WIDTH = 700
_MANY = 12  # sources of whose confusions zeros are not written


def identification_charts(
    found: "Identification", market: "MarketValue | None" = None
) -> dict[str, str]:
    """Standalone SVG files by name: confusion, learning_curve, exchange.

    Args:
        found: what :func:`curate.bias.name_that_dataset` gave.
        market: what :func:`curate.bias.market_value` gave, for the exchange table.
    """
    charts = {"confusion": draw_confusion(found, _WIDTH)}
    if len(found.curve):
        charts["learning_curve"] = draw_accuracy_curve(found, _WIDTH)
    if market is not None:
        charts["exchange"] = draw_exchange(market, _WIDTH)
    return {name: svg.standalone(chart) for name, chart in charts.items()}


def draw_confusion(found: "Identification", width: int) -> str:
    """The confusion matrix without its stylesheet."""
    cells = found.confusion.to_pylist()
    k = len(found.names)

    def cell(row: int, column: int) -> Cell:
        each = cells[row * k + column]
        tip = (
            f"{each['source']} taken for {each['named']}: {percent(each['rate'])} "
            f"({percent(each['low'])} to {percent(each['high'])})"
        )
        words = f"{100 * each['rate']:.0f}"
        if words == "0" and k > _MANY:
            words = ""
        return Cell(words, each["rate"], tip)

    summary = (
        f"Confusion of {k} sources; right in {percent(found.accuracy)}, by chance in "
        f"{percent(found.chance)}."
    )
    return draw_matrix(
        found.names, cell, width, rows="true source", columns="named, percent", summary=summary
    )


def draw_accuracy_curve(found: "Identification", width: int) -> str:
    """Accuracy against training examples, without the stylesheet."""
    rows = found.curve.to_pydict()
    curve = Curve("accuracy", rows["size"], rows["mean"], rows["low"], rows["high"])
    return draw_curves([curve], width, measure="accuracy", chance=found.chance)


def draw_exchange(market: "MarketValue", width: int) -> str:
    """What an example of each source is worth on each market, without the stylesheet."""
    cells = {(row["market"], row["source"]): row for row in market.table.to_pylist()}
    names = market.names

    def cell(row: int, column: int) -> Cell:
        each = cells.get((names[row], names[column]))
        pair = f"{names[column]} on the market of {names[row]}"
        if each is None:
            return Cell("", None, f"{pair}: not asked")
        if each["value"] is None:
            return Cell("", None, f"{pair}: undefined, {each['reason']}")
        bounds = "" if each["low"] is None else f" ({each['low']:.2f} to {each['high']:.2f})"
        shade = min(1.0, each["value"])
        return Cell(f"{each['value']:.2f}", shade, f"{pair}: {each['value']:.2f}{bounds}")

    summary = f"Worth of one example of each of {len(names)} sources on each market."
    return draw_matrix(names, cell, width, rows="market", columns="source", summary=summary)


def draw_cross(cross: "CrossDataset", width: int) -> str:
    """How well what was trained on a row's source does on the column's, without the stylesheet."""
    mean = cross.scores.mean(0)

    def cell(row: int, column: int) -> Cell:
        value = float(mean[row, column])
        tip = f"trained on {cross.names[row]}, tested on {cross.names[column]}: {value:.3f}"
        return Cell(f"{value:.2f}".removeprefix("0"), max(0.0, min(1.0, value)), tip)

    summary = f"Performance trained on each of {len(cross.names)} sources and tested on each."
    return draw_matrix(
        cross.names, cell, width, rows="trained on", columns="tested on", summary=summary
    )


def market_curves(market: "MarketValue") -> Iterator[tuple[str, list[Curve]]]:
    """The learning curves on every market, by its name."""
    rows = market.curves.to_pylist()
    for name in market.markets:
        curves = []
        for source in market.names:
            own = [row for row in rows if row["market"] == name and row["source"] == source]
            columns = ([row[key] for row in own] for key in ("size", "mean", "low", "high"))
            curves.append(Curve(source, *columns))
        yield name, curves
