"""How images look, source by source: a histogram of each measured property."""

from typing import TYPE_CHECKING

import numpy as np

from curate.report.charts.strips import draw_strips

if TYPE_CHECKING:
    from curate.bias.audit.result import Audit

_WIDTH = 330


def property_charts(audit: "Audit") -> list[str]:
    """One drawing for each property that the audit measured, without the stylesheet."""
    if audit.properties is None:
        return []
    found: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for row in audit.properties.to_pylist():
        bins = found.setdefault(row["property"], {}).setdefault(row["source"], [])
        bins.append((row["low"], row["high"], row["share"]))
    charts = []
    for title, sources in found.items():
        first = next(iter(sources.values()))
        edges = [first[0][0], *(high for _, high, _ in first)]
        shares = np.array([[share for _, _, share in bins] for bins in sources.values()])
        charts.append(draw_strips(list(sources), edges, shares, _WIDTH, title=title))
    return charts
