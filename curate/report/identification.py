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
    draw_exchange,
    market_curves,
)
from curate.report.page import wide_and_narrow, write_page
from curate.report.source_galleries import source_galleries
from curate.report.text import clean, count, percent

if TYPE_CHECKING:
    from curate.bias import CrossDataset, Identification, MarketValue

Figures = dict[str, Any]


def write_identification(
    path: str | os.PathLike[str],
    found: "Identification",
    *,
    title: str,
    image: Callable[[str, Any], np.ndarray | None] | None = None,
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
        cross: adds the table of :func:`curate.bias.cross_dataset`.
        market: adds the exchange table and curves of :func:`curate.bias.market_value`.
        facts: short texts on the run by name.
        left_out: which tables there are not, and why.

    Returns:
        The path.

    Raises:
        OSError: the file cannot be written.
    """
    names = list(found.names)
    return write_page(
        path,
        "identification.html.jinja",
        script="tables.js",
        title=clean(title, 160),
        headline=_headline(found),
        conclusion=clean(_conclusion(found), 900),
        overlap=_overlap(found),
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
        null_control="" if found.null_control is None else clean(found.null_control, 400),
        causes=None if found.audit is None else _causes(found.audit.table),
        pairs=None if found.audit is None else _pairs(found.audit.pairs),
        equalised="" if found.audit is None else clean(found.audit.equalised, 400),
        cross=None if cross is None else _cross(cross),
        exchange=None
        if market is None
        else wide_and_narrow(lambda width: draw_exchange(market, width)),
        baskets=None if market is None else _baskets(market),
        markets=[] if market is None else _markets(market),
        galleries=[] if image is None else source_galleries(found.probabilities, names, image),
    )


def _headline(found: "Identification") -> str:
    low, high = found.interval
    return (
        f"A classifier names the source of {percent(found.accuracy)} of the examples that it has "
        f"not seen ({percent(low)} to {percent(high)}, 95 %). By chance it would be "
        f"{percent(found.chance)}."
    )


def _conclusion(found: "Identification") -> str:
    """What to do, in two or three sentences."""
    low, high = found.interval
    shared = found.overlap is not None and len(found.overlap.counts) > 0
    said = ["First take the shared examples out of one of the sources."] if shared else []
    if low <= found.chance <= high:
        said.append(
            "This classifier does not tell the sources apart; what it cannot see is said below."
        )
    elif high < found.chance:
        said.append("The sources are told apart worse than by chance: look for near copies.")
    else:
        said.append("Mixing these sources teaches a model which source an example is from.")
    audit = found.audit
    if audit is not None and audit.warnings:
        causes = ", ".join(warning.cause for warning in audit.warnings)
        said.append(f"Their files differ in {causes}: make them alike first.")
    if audit is not None and audit.equalised.after_interval[0] > audit.equalised.chance:
        after = percent(audit.equalised.after)
        said.append(
            f"Made alike, the audit’s images are still told apart with {after}, by content."
        )
    return " ".join(said)


def _pairs(table: pa.Table) -> Figures | None:
    """The causes that were named, by pair of sources."""
    rows = [
        [
            clean(row["first"], 60),
            clean(row["second"], 60),
            row["cause"],
            percent(row["accuracy"]),
            f"{row['p_value']:.1g}",
        ]
        for row in table.to_pylist()
        if row["named"]
    ]
    if not rows:
        return None
    return {
        "title": "Causes by pair.",
        "note": "How well a cause tells two sources apart by itself; chance is 50 %.",
        "heads": ["Source", "Other", "Cause", "Accuracy", "p-value"],
        "rows": rows,
    }


def _key_figures(found: "Identification") -> list[dict[str, str]]:
    examples = len(found.probabilities)
    return [
        {"name": "sources", "value": count(len(found.names)), "share": ""},
        {"name": "examples", "value": count(examples), "share": ""},
        {"name": "accuracy", "value": percent(found.accuracy), "share": ""},
        {"name": "chance", "value": percent(found.chance), "share": ""},
        {"name": "p-value, permutation", "value": f"{found.p_value:.2g}", "share": ""},
    ]


_LISTED = 200


def _overlap(found: "Identification") -> Figures | None:
    """Counts of what sources share, and the first ids; None where they share nothing."""
    overlap = found.overlap
    if overlap is None or not len(overlap.counts):
        return None
    counts = [
        [
            clean(row["source"], 60),
            clean(row["other"], 60),
            count(row["examples"]),
            count(row["equal"]),
            count(row["near"]),
        ]
        for row in overlap.counts.to_pylist()
    ]
    columns = ("source", "other", "example_id", "other_id", "kind")
    pairs = [
        [*(clean(row[name], 160) for name in columns), f"{row['distance']:.2f}"]
        for row in overlap.pairs.slice(0, _LISTED).to_pylist()
    ]
    more = len(overlap.pairs) - len(pairs)
    rest = f" The first {_LISTED}; {count(more)} more are in overlap.parquet." if more else ""
    return {
        "sentences": [clean(sentence, 900) for sentence in overlap.sentences],
        "counts": {
            "title": "What the sources share.",
            "note": "Equal: to the last byte. Near: saved again, made smaller, lighter or darker. "
            "Copies never stand on both sides of a split.",
            "heads": ["Source", "Other", "Examples", "Equal in the other", "Near copy there"],
            "rows": counts,
        },
        "pairs": {
            "title": "Copies.",
            "note": f"Each example with its nearest copy in the other source.{rest}",
            "heads": ["Source", "Other", "Example", "Its copy", "Kind", "Distance"],
            "rows": pairs,
        },
    }


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
    mean = cross.scores.mean(0)
    rows = []
    for place, row in enumerate(cross.table.to_pylist()):
        cells = [f"{value:.2f}" for value in mean[place]] if place < len(mean) else [""] * len(mean)
        drop = f"{row['percent_drop']:.0f} %"
        if row["percent_drop_low"] is not None:
            drop += f" ({row['percent_drop_low']:.0f} to {row['percent_drop_high']:.0f})"
        rows.append(
            [
                clean(row["source"], 60),
                *cells,
                f"{row['self']:.2f}",
                f"{row['mean_others']:.2f}",
                drop,
            ]
        )
    measure = "Balanced accuracy" if cross.task == "classify" else "Mean average precision"
    return {
        "title": "Cross-dataset generalisation.",
        "note": f"{measure} on {len(cross.classes)} shared classes, trained on "
        f"{count(cross.train_size)} examples of the row’s source, tested on the column’s.",
        "heads": [
            "Trained on",
            *(clean(name, 24) for name in cross.names),
            "Self",
            "Others",
            "Drop",
        ],
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
    measure = "balanced accuracy" if market.task == "classify" else "mean average precision"
    return [
        (clean(name, 60), wide_and_narrow(partial(draw_curves, curves, measure=measure)))
        for name, curves in market_curves(market)
    ]
