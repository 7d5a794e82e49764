"""The report on models tested on two sets: a folder of tables, a picture, and an HTML page."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from curate.files import atomic_path
from curate.report.charts import svg
from curate.report.charts.two_sets import draw_two_sets
from curate.report.page import wide_and_narrow, write_page
from curate.report.text import clean, count, percent
from curate.table import open_writer

if TYPE_CHECKING:
    from curate.retest import AccuracyGap

_REVERSALS = 20


def save_retest(
    folder: str | os.PathLike[str],
    found: "AccuracyGap",
    *,
    title: str,
    facts: Mapping[str, object] | None = None,
) -> Path:
    """Write all that a comparison found, each file whole or not at all.

    ``table``, ``accuracies``, ``pairs``, ``fits`` and ``robustness``, all .parquet;
    ``accuracies.svg``; and report.html.

    Args:
        folder: made if need be; files of these names in it are replaced.
        found: what :func:`curate.retest.accuracy_gap` gave.
        title: the report's heading.
        facts: short texts on the run by name, for the report.

    Returns:
        The path of the report.

    Raises:
        OSError: a file cannot be written.
    """
    place = Path(folder)
    for name in ("table", "accuracies", "pairs", "fits", "robustness"):
        table = getattr(found, name)
        with open_writer(place / f"{name}.parquet", table.schema) as writer:
            writer.write_table(table)
    with atomic_path(place / "accuracies.svg") as path:
        path.write_text(svg.standalone(draw_two_sets(found, 700)), encoding="utf-8")
    return write_page(
        place / "report.html",
        "retest.html.jinja",
        title=clean(title, 160),
        verdicts=[clean(verdict, 900) for verdict in found.verdicts],
        figures=_key_figures(found),
        facts=[(clean(name, 60), clean(value, 300)) for name, value in (facts or {}).items()],
        chart=wide_and_narrow(lambda width: draw_two_sets(found, width)),
        models=_models(found),
        fits=_fits(found.fits) if len(found.fits) else None,
        reversals=_reversals(found.reversals) if len(found.reversals) else None,
    )


def _key_figures(found: "AccuracyGap") -> list[dict[str, str]]:
    gap, low, high = found.mean_gap
    return [
        {"name": "models", "value": count(len(found.models)), "share": ""},
        {"name": "images, original", "value": count(found.images[0]), "share": ""},
        {"name": "images, new", "value": count(found.images[1]), "share": ""},
        {"name": "mean gap", "value": percent(gap), "share": f"{percent(low)} to {percent(high)}"},
        {"name": "Kendall’s τ_b", "value": f"{found.kendall:.3f}", "share": ""},
    ]


def _models(found: "AccuracyGap") -> dict[str, Any]:
    intervals = {
        (row["set"], row["model"]): f"{_points(row['low'])}–{_points(row['high'])}"
        for row in found.accuracies.to_pylist()
    }
    robust = dict(
        zip(
            found.robustness["model"].to_pylist(),
            found.robustness["probit"].to_pylist(),
            strict=True,
        )
    )
    rows = []
    for row in found.table.to_pylist():
        model = row["model"]
        rows.append(
            [
                clean(model, 48),
                f"{_points(row['accuracy_original'])} ({intervals['original', model]})",
                f"{_points(row['accuracy_new'])} ({intervals['new', model]})",
                f"{_points(row['gap'])} ({_points(row['low'])} to {_points(row['high'])})",
                f"{row['rank_original']} → {row['rank_new']}",
                "–" if robust[model] is None else f"{100 * robust[model]:+.1f}",
            ]
        )
    return {
        "title": "Model by model.",
        "note": "Accuracies in percent with their exact 95 % intervals, the gap in points, and by "
        "how many points the new accuracy is above the line on the probit scale.",
        "heads": ["Model", "Original", "New", "Gap", "Rank", "Robustness"],
        "rows": rows,
    }


def _fits(fits: pa.Table) -> dict[str, Any]:
    rows = [
        [
            row["scale"],
            *(_interval(row, name) for name in ("slope", "true_slope", "intercept")),
            *(_number(row[name]) for name in ("r_squared", "reliability")),
        ]
        for row in fits.to_pylist()
    ]
    return {
        "title": "The line from original to new accuracy.",
        "note": "Least squares; 95 % by a bootstrap over models and images. The true slope is "
        "corrected for the noise of the original set, which flattens a slope.",
        "heads": ["Scale", "Slope", "True slope", "Intercept", "R²", "Reliability"],
        "rows": rows,
    }


def _reversals(pairs: pa.Table) -> dict[str, Any]:
    rows = [
        [
            f"{clean(row['model_a'], 36)} / {clean(row['model_b'], 36)}",
            f"{100 * row['better_original']:+.2f}",
            f"{100 * row['better_new']:+.2f}",
            f"{row['p_original']:.2g}",
            f"{row['p_new']:.2g}",
            f"{row['p_reversal_holm']:.2g}",
        ]
        for row in pairs.slice(0, _REVERSALS).to_pylist()
    ]
    return {
        "title": "Pairs whose order is reversed, the surest first.",
        "note": f"The first {len(rows)} of {count(len(pairs))}: how far the first is ahead on "
        "each set, in points; McNemar’s exact p on each; and the larger of the two after Holm’s "
        "correction for all pairs.",
        "heads": ["Pair", "Original", "New", "p, original", "p, new", "p, both"],
        "rows": rows,
    }


def _points(share: float) -> str:
    return f"{100 * share:.1f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(row: dict[str, Any], name: str) -> str:
    if row[name] is None or row[f"{name}_low"] is None:
        return _number(row[name])
    return f"{row[name]:.2f} ({row[f'{name}_low']:.2f} to {row[f'{name}_high']:.2f})"
