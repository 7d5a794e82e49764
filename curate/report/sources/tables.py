"""Tables of the identification report: what is shared, what was left out, which cause and column.

Each is ``title``, ``note``, ``heads`` and ``rows``; None where there is nothing to show.
"""

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from curate.report.text import clean, count, percent

if TYPE_CHECKING:
    from curate.bias import Identification

Figures = dict[str, Any]

_LISTED = 200


def overlap_tables(found: "Identification") -> Figures | None:
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


def columns_table(found: "Identification") -> Figures | None:
    """Columns of tables that tell two sources apart by themselves."""
    table = found.single_columns
    if table is None:
        return None
    rows = [
        [
            clean(row["column"], 60),
            clean(row["first"], 60),
            clean(row["second"], 60),
            percent(row["accuracy"]),
            f"{row['p_holm']:.1g}",
            "yes" if row["named"] else "",
        ]
        for row in table.slice(0, _LISTED).to_pylist()
    ]
    return {
        "title": "Columns by themselves.",
        "note": "How well a small tree tells two sources apart by one column alone; chance is "
        "50 %. p-values after Holm’s correction.",
        "heads": ["Column", "Source", "Other", "Accuracy", "p-value", "Named"],
        "rows": rows,
    }


def dropped_table(found: "Identification") -> Figures | None:
    """Files, examples and columns that are no part of the sources."""
    if found.left_out is None or not len(found.left_out):
        return None
    rows = [
        [clean(row["source"], 60), clean(row["name"], 160), clean(row["reason"], 160)]
        for row in found.left_out.slice(0, _LISTED).to_pylist()
    ]
    more = len(found.left_out) - len(rows)
    rest = f" The first {_LISTED}; {count(more)} more are in left_out.parquet." if more else ""
    return {
        "title": "Left out.",
        "note": f"Files, examples and columns that are no part of the sources.{rest}",
        "heads": ["Source", "What", "Why"],
        "rows": rows,
    }


def pairs_table(table: pa.Table) -> Figures | None:
    """Causes by pair of sources: those that were named, then the others, the strongest first."""
    if not len(table):
        return None
    order = sorted(table.to_pylist(), key=lambda row: (not row["named"], -row["accuracy"]))
    rows = [
        [
            row["cause"],
            clean(row["first"], 60),
            clean(row["second"], 60),
            percent(row["accuracy"]),
            f"{row['p_value']:.1g}",
            "yes" if row["named"] else "no",
        ]
        for row in order[:_LISTED]
    ]
    named = sum(row["named"] for row in order)
    more = len(order) - len(rows)
    rest = (
        f" The first {_LISTED}; {count(more)} more are in nuisance_pairs.parquet." if more else ""
    )
    return {
        "title": "Causes by pair.",
        "note": "How well a cause tells two sources apart by itself; chance is 50 %. "
        f"{count(named)} are named: well and beyond chance, and not brought about by another "
        f"cause.{rest}",
        "heads": ["Cause", "Source", "Other", "Accuracy", "p-value", "Named"],
        "rows": rows,
    }
