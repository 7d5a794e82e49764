"""The report on a game of Name That Dataset: one HTML file that needs nothing else."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from curate.report.charts.curves import draw_curves
from curate.report.charts.identification_charts import (
    draw_accuracy_curve,
    draw_confusion,
    draw_cross,
    draw_exchange,
    market_curves,
)
from curate.report.page import wide_and_narrow, write_page
from curate.report.sources.galleries import source_examples
from curate.report.sources.properties import property_charts
from curate.report.sources.tables import (
    columns_table,
    dropped_table,
    overlap_tables,
    pairs_table,
)
from curate.report.text import clean, count, percent

if TYPE_CHECKING:
    from curate.bias import CrossDataset, Identification, MarketValue

Figures = dict[str, Any]

_CURVES = 8  # sources, at most, of which the curves of every market are drawn


def write_identification(
    path: str | os.PathLike[str],
    found: "Identification",
    *,
    title: str,
    image: Callable[[str, Any], np.ndarray | None] | None = None,
    label: Callable[[str, Any], str | None] | None = None,
    cross: "CrossDataset | None" = None,
    market: "MarketValue | None" = None,
    facts: Mapping[str, object] | None = None,
    left_out: str | None = None,
) -> Path:
    """Write what a game found: confusion, learning curve, controls, galleries.

    Args:
        path: the file to write, whole or not at all; parent folders are made.
        found: what :func:`curate.bias.name_that_dataset` gave.
        title: the heading.
        image: source's name, example id -> uint8 picture (height, width) or (height, width, 3),
            or None; without it there are no galleries.
        label: source's name, example id -> the name of its class, or None.
        cross: adds the table of :func:`curate.bias.cross_dataset`.
        market: adds the exchange table and curves of :func:`curate.bias.market_value`.
        facts: short texts on the run by name.
        left_out: which tables there are not, and why.

    Returns:
        The path.

    Raises:
        OSError: the file cannot be written.
    """
    telling = source_examples(found.probabilities, list(found.names), image, label)
    properties = [] if found.audit is None else property_charts(found.audit)
    return write_page(
        path,
        "identification.html.jinja",
        contents=_contents(found, bool(properties), cross is not None, market is not None),
        title=clean(title, 160),
        headline=_headline(found),
        conclusion=clean(found.conclusion, 900),
        overlap=overlap_tables(found),
        notes=[clean(note, 400) for note in found.notes],
        left_out=clean(left_out or "", 600),
        warnings=[clean(warning.text, 900) for warning in found.warnings],
        figures=_key_figures(found),
        facts=[(clean(name, 60), clean(value, 300)) for name, value in (facts or {}).items()],
        confusion=wide_and_narrow(lambda width: draw_confusion(found, width)),
        curve=wide_and_narrow(lambda width: draw_accuracy_curve(found, width))
        if len(found.curve)
        else None,
        sources=_sources(found),
        columns=columns_table(found),
        dropped=dropped_table(found),
        null_control="" if found.null_control is None else clean(found.null_control, 400),
        causes=None if found.audit is None else _causes(found.audit.table),
        pairs=None if found.audit is None else pairs_table(found.audit.pairs),
        equalised="" if found.audit is None else clean(found.audit.equalised, 400),
        cross=None if cross is None else _cross(cross),
        crossed=None if cross is None else wide_and_narrow(lambda width: draw_cross(cross, width)),
        exchange=None
        if market is None
        else wide_and_narrow(lambda width: draw_exchange(market, width)),
        baskets=None if market is None else _baskets(market),
        markets=[] if market is None else _markets(market),
        properties=properties,
        groups=telling.groups,
        examples=telling.examples,
    )


def _contents(found: "Identification", drawn: bool, crossed: bool, worth: bool) -> dict[str, str]:
    """The parts of the page that there are: anchor and heading."""
    shared = found.overlap is not None and len(found.overlap.counts) > 0
    controlled = found.null_control is not None or found.audit is not None
    parts = {
        "shared": "What the sources share" if shared else "",
        "confusion": "Who is taken for whom",
        "controls": "Can this be trusted?" if controlled else "",
        "properties": "How the sources look" if drawn else "",
        "cross": "Trained here, tested there" if crossed else "",
        "worth": "What one example is worth elsewhere" if worth else "",
        "examples-to-look-at": "What gives a source away",
        "terms": "How to read this",
    }
    return {anchor: title for anchor, title in parts.items() if title}


def _headline(found: "Identification") -> str:
    low, high = found.interval
    return (
        f"A classifier names the source of {percent(found.accuracy)} of the examples that it has "
        f"not seen ({percent(low)} to {percent(high)}, 95 %). By chance it would be "
        f"{percent(found.chance)}."
    )


def _key_figures(found: "Identification") -> list[dict[str, str]]:
    examples = len(found.probabilities)
    return [
        {"name": "sources", "value": count(len(found.names)), "share": ""},
        {"name": "examples", "value": count(examples), "share": ""},
        {"name": "accuracy", "value": percent(found.accuracy), "share": ""},
        {"name": "chance", "value": percent(found.chance), "share": ""},
        {"name": "p-value, permutation", "value": _p(found.p_value), "share": ""},
    ]


def _p(value: float) -> str:
    """A p-value; the least that so many permutations can give, 1 in N, is an upper bound."""
    least = abs(1 / value - round(1 / value)) < 1e-9 and value < 0.05
    return f"≤ {value:.2g}" if least else f"{value:.2g}"


def _sources(found: "Identification") -> Figures:
    rows = [
        [
            clean(row["source"], 60),
            count(row["examples"]),
            percent(row["recall"]),
            f"{percent(row['low'])} to {percent(row['high'])}",
        ]
        for row in found.per_source.to_pylist()
    ]
    note = (
        f"{count(found.train_size)} examples of each to train on, {count(found.test_size)} to test."
    )
    heads = ["Source", "Examples", "Named right", "95 % interval"]
    return {"title": "Source by source.", "note": note, "heads": heads, "rows": rows}


def _causes(table: pa.Table) -> Figures:
    rows = [
        [
            row["cause"],
            percent(row["accuracy"]),
            f"{percent(row['low'])} to {percent(row['high'])}",
            percent(row["explained"], digits=0),
        ]
        for row in table.to_pylist()
    ]
    return {
        "title": "What the files alone tell.",
        "note": "How well each cause tells all sources apart, and the share that this is of what "
        "the scenes’ outlines (HOG) gain over chance.",
        "heads": ["Cause", "Accuracy", "95 % interval", "Explains"],
        "rows": rows,
    }


def _cross(cross: "CrossDataset") -> Figures:
    rows = []
    for row in cross.table.to_pylist():
        drop = f"{row['percent_drop']:.0f} %"
        if row["percent_drop_low"] is not None:
            drop += f" ({row['percent_drop_low']:.0f} to {row['percent_drop_high']:.0f})"
        cells = [f"{row['self']:.2f}", f"{row['mean_others']:.2f}", drop]
        rows.append([clean(row["source"], 60), *cells])
    measure = "Balanced accuracy" if cross.task == "classify" else "Mean average precision"
    return {
        "title": "Cross-dataset generalisation.",
        "note": f"{measure} on {len(cross.classes)} shared classes, trained on "
        f"{count(cross.train_size)} examples of each source: tested on itself, on the others "
        "(mean), and what that loses. " + clean(" ".join(cross.left_out), 600),
        "heads": ["Trained on", "Self", "Others", "Drop"],
        "rows": rows,
    }


def _baskets(market: "MarketValue") -> Figures:
    rows = []
    for row in market.baskets.to_pylist():
        value = "undefined" if row["value"] is None else f"{row['value']:.2f}"
        interval = "–" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
        rows.append([clean(row["source"], 60), value, interval, count(row["markets"])])
    return {
        "title": "Basket of currencies.",
        "note": "The mean worth of a source’s examples on the other markets that define one.",
        "heads": ["Source", "Worth", "95 % interval", "Markets"],
        "rows": rows,
    }


def _markets(market: "MarketValue") -> list[tuple[str, dict[str, str]]]:
    if len(market.names) > _CURVES:
        return []
    measure = "balanced accuracy" if market.task == "classify" else "mean average precision"
    return [
        (clean(name, 60), wide_and_narrow(partial(draw_curves, curves, measure=measure)))
        for name, curves in market_curves(market)
    ]
