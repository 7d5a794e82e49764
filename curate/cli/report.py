"""``curate report``: write the report of a run again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import typer

from curate.cli.options import Data
from curate.errors import CurateError


def report(
    run: Annotated[str, typer.Argument(help="A folder that curate run wrote.")],
    data: Data = None,
    pictures: Annotated[bool, typer.Option(help="Show the examples themselves.")] = True,
) -> None:
    """Write the report of a run again, from its files."""
    from curate import data as sets

    folder = Path(run)
    summary = read_summary(folder)
    dataset = sets.load(summary["dataset"], "train", data) if pictures else None
    print(render(folder, summary, dataset))


_KINDS: dict[str, type | tuple[type, ...]] = {
    "dataset": str,
    "title": str,
    "facts": dict,
    "accuracies": list,
    "intervals": (list, type(None)),
    "verdicts": list,
}
"""What a report reads of a summary."""


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary.json of a run.

    Raises:
        CurateError: the folder holds none, or a torn one.
    """
    path = folder / "summary.json"
    try:
        summary = json.loads(path.read_text())
    except FileNotFoundError:
        raise CurateError(
            f"run: {str(path)!r} does not exist; give a folder that curate run wrote"
        ) from None
    except ValueError as error:
        raise CurateError(f"run: {str(path)!r} is not whole JSON: {error}") from error
    known = isinstance(summary, dict) and all(
        isinstance(summary.get(name), kind) for name, kind in _KINDS.items()
    )
    if not known or not all(isinstance(row, dict) for row in summary["accuracies"]):
        raise CurateError(f"run: {str(path)!r} is not a summary that curate run wrote")
    return summary


def render(folder: Path, summary: dict[str, Any], dataset: Any | None) -> Path:
    """Write ``report.html`` and its charts as SVG files, from the files in the folder of a run."""
    from curate.files import atomic_path
    from curate.pruning import Selection
    from curate.report import accuracy_svg, forgetting_histogram_svg, write_report
    from curate.table import read

    table = read(folder / "examples.parquet")
    chosen = summary["policy"] is not None
    selection = Selection.load(folder / "selection.parquet") if chosen else None
    accuracies = pa.Table.from_pylist(summary["accuracies"])
    intervals = pa.Table.from_pylist(summary["intervals"]) if summary["intervals"] else None
    charts = {
        "forgetting.svg": forgetting_histogram_svg(table, selection),
        "accuracy.svg": accuracy_svg(accuracies, intervals),
    }
    for name, drawing in charts.items():
        with atomic_path(folder / name) as path:
            path.write_text(drawing, encoding="utf-8")
    return write_report(
        folder / "report.html",
        table=table,
        title=summary["title"],
        selection=selection,
        accuracies=accuracies,
        intervals=intervals,
        verdicts=summary["verdicts"],
        image=None if dataset is None else _pictures(dataset),
        words=None if dataset is None else _words(dataset),
        facts=summary["facts"],
    )


def _pictures(dataset: Any) -> Callable[[Any], np.ndarray | None] | None:
    """The function from an example's id to its picture; None for examples that are no images."""
    try:
        dataset.image(0)
    except CurateError:
        return None
    row_of = _rows_by_id(dataset)
    return lambda example_id: dataset.image(row_of[example_id])


def _words(dataset: Any) -> Callable[[Any], str] | None:
    """The function from an example's id to its text; None for examples that are no texts."""
    if dataset.texts is None:
        return None
    row_of = _rows_by_id(dataset)
    return lambda example_id: dataset.texts[row_of[example_id]]


def _rows_by_id(dataset: Any) -> dict[Any, int]:
    return {example_id: row for row, example_id in enumerate(list(dataset.ids))}
