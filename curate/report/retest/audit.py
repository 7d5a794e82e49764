"""The report on a training and a test set: a folder of tables and an HTML page of pairs to see."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.data import View
from curate.report.page import write_page
from curate.report.text import clean, count, percent
from curate.report.thumbnail import thumbnail
from curate.table import open_writer, write

if TYPE_CHECKING:
    from curate.retest import NearDuplicates, SplitAudit

_SHOWN = 60


def save_audit(
    folder: str | os.PathLike[str],
    found: "SplitAudit",
    views: tuple[View, View],
    *,
    title: str,
    facts: Mapping[str, object] | None = None,
) -> Path:
    """Write all that an audit found, each file whole or not at all.

    ``train`` and ``test`` (columns for the example tables), ``leaks``, ``test_duplicates``,
    ``train_duplicates``, ``label_conflicts``, ``label_errors`` and ``classes``, all .parquet; and
    report.html.

    Args:
        folder: made if need be; files of these names in it are replaced.
        found: what :func:`curate.retest.audit_split` gave.
        views: of the training and the test set (:func:`curate.data.open_view`).
        title: the report's heading.
        facts: short texts on the run by name.

    Returns:
        The path of the report.

    Raises:
        OSError: a file cannot be written.
    """
    place = Path(folder)
    write(found.columns("train"), place / "train.parquet")
    write(found.columns("test"), place / "test.parquet")
    tables = {
        "leaks": found.leaks.pairs,
        "test_duplicates": found.test_duplicates.pairs,
        "train_duplicates": found.train_duplicates.pairs,
        "label_conflicts": found.label_conflicts,
        "label_errors": found.label_errors,
        "classes": found.classes,
    }
    for name, table in tables.items():
        with open_writer(place / f"{name}.parquet", table.schema) as writer:
            writer.write_table(table)
    train, test = views
    return write_page(
        place / "report.html",
        "audit.html.jinja",
        title=clean(title, 160),
        verdicts=[clean(each, 600) for each in str(found).splitlines()],
        facts=[(clean(name, 60), clean(value, 300)) for name, value in (facts or {}).items()],
        classes={
            "title": "Classes.",
            "note": "Examples of each in both sets.",
            "heads": ["Class", "Training", "Test"],
            "rows": [
                [clean(row["name"], 48), count(row["train"]), count(row["test"])]
                for row in found.classes.slice(0, 200).to_pylist()
            ],
        },
        galleries=[
            gallery
            for gallery in (
                _pairs("Test images in the training set", found.leaks, test, train),
                _pairs("Copies within the test set", found.test_duplicates, test, test),
                _pairs("Copies within the training set", found.train_duplicates, train, train),
            )
            if gallery["pairs"]
        ],
    )


def _pairs(title: str, found: "NearDuplicates", one: View, other: View) -> dict[str, Any]:
    """Up to 60 pairs: the surest, the most doubtful, and what is between them."""
    total = len(found.pairs)
    step = max(1, -(-total // _SHOWN))
    rows = found.pairs.take(np.arange(0, total, step))
    places = [{str(value): row for row, value in enumerate(view.ids)} for view in (one, other)]
    pairs = []
    for row in rows.to_pylist():
        pictures = [
            thumbnail(view.image(place[str(row[name])]), row[name])
            for view, place, name in (
                (one, places[0], "example_id"),
                (other, places[1], "neighbour_id"),
            )
        ]
        chance = "equal pixels" if row["exact"] else percent(row["probability"])
        pairs.append(
            {
                "pictures": pictures,
                "chance": chance,
                "ids": f"{clean(row['example_id'], 40)} · {clean(row['neighbour_id'], 40)}",
            }
        )
    return {"title": title, "total": total, "pairs": pairs}
