"""Sheets on which two annotators say, each alone, which candidates belong into a test set."""

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.errors import CurateError
from curate.files import atomic_path
from curate.report.page import write_page
from curate.report.text import clean, count
from curate.report.thumbnail import thumbnail
from curate.stats import generator

if TYPE_CHECKING:
    from curate.retest import Matched


def write_labelling_sheets(
    folder: str | os.PathLike[str],
    matched: "Matched",
    *,
    image: Callable[[Any], np.ndarray | None] | None = None,
    class_names: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[Path, Path]:
    """Write ``annotator_1.csv`` and ``annotator_2.csv``, and with images a page beside each.

    Both have all examples, each in an order of its own, so that tiredness and neighbours do not
    make the two err together. An annotator fills the column ``answer``: "keep", the name of
    another class, or "drop". :func:`curate.retest.annotator_agreement` reads both.

    Args:
        folder: made if need be. Sheets that are there already are refused, as they may be filled.
        matched: what :func:`curate.retest.match` gave.
        image: example id -> uint8 picture (height, width) or (height, width, 3), or None; makes
            ``annotator_1.html`` and ``annotator_2.html``.
        class_names: of the class indices in the column ``label``, if that is what it holds.
        seed: of the orders.

    Returns:
        The paths of both CSV files.

    Raises:
        CurateError: a sheet is there already, or a class index without a name.
        OSError: a file cannot be written.
    """
    place = Path(folder)
    paths = place / "annotator_1.csv", place / "annotator_2.csv"
    there = next((path for path in paths if path.exists()), None)
    if there is not None:
        raise CurateError(f"folder: {str(there)!r} is there and may be filled in; give another")
    rows = matched.table.to_pylist()
    by = matched.options["by"] if matched.options["by"] != "embedding" else "subclass"
    for row in rows:
        row["shown"] = _class(row, class_names)
    for number, path in enumerate(paths):
        order = generator(seed, number).permutation(len(rows)).tolist()
        with (
            atomic_path(path) as temporary,
            open(temporary, "w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(["position", "example_id", "class", "subclass", "answer"])
            for position, index in enumerate(order, 1):
                row = rows[index]
                cells = (row["example_id"], row["shown"], row[by])
                writer.writerow([position, *(clean(cell, 200) for cell in cells), ""])
        if image is not None:
            cards = [
                _card(position, rows[index], by, image) for position, index in enumerate(order, 1)
            ]
            write_page(
                path.with_suffix(".html"),
                "labelling.html.jinja",
                title=f"Annotator {number + 1}: {count(len(rows))} candidates",
                sheet=path.name,
                cards=cards,
            )
    return paths


def _class(row: dict[str, Any], names: Sequence[str] | None) -> str:
    label = row.get("label")
    if label is None or names is None:
        return "" if label is None else str(label)
    if not isinstance(label, int) or not 0 <= label < len(names):
        raise CurateError(
            f"class_names: the label {label!r} of example {row['example_id']!r} has no name in a "
            f"list of {len(names)}"
        )
    return names[label]


def _card(
    position: int, row: dict[str, Any], by: str, image: Callable[[Any], np.ndarray | None]
) -> dict[str, Any]:
    example_id = row["example_id"]
    pixels = image(example_id)
    picture, pixelated = (None, False) if pixels is None else thumbnail(pixels, example_id)
    words = [str(position), *(clean(row[key], 40) for key in ("shown", by) if row[key] != "")]
    return {
        "picture": picture,
        "pixelated": pixelated,
        "words": " · ".join(words),
        "example_id": clean(example_id),
    }
