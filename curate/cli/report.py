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


def has_report(summary: dict[str, Any]) -> bool:
    """Whether there is something to show: not of a search that ran out of time at once."""
    return "claims" not in summary or summary["seeds"] > 1


def render(folder: Path, summary: dict[str, Any], dataset: Any | None) -> Path:
    """Write ``report.html`` and its charts as SVG files, from the files in the folder of a run.

    Raises:
        CurateError: the run has nothing to show, see :func:`has_report`.
    """
    from curate.files import atomic_path
    from curate.pruning import Selection
    from curate.report import accuracy_svg, curve_svg, forgetting_histogram_svg, write_report
    from curate.table import read

    if not has_report(summary):
        raise CurateError(
            f"run: {str(folder)!r} ended before two models were trained on all examples; start "
            "the same command again with a larger --budget"
        )
    table = read(folder / "examples.parquet")
    chosen = summary["policy"] is not None
    selection = Selection.load(folder / "selection.parquet") if chosen else None
    accuracies, intervals = (_arms(summary, name) for name in ("accuracies", "intervals"))
    charts = {
        "forgetting.svg": forgetting_histogram_svg(table, selection),
        "accuracy.svg": accuracy_svg(accuracies, intervals if len(intervals) else None),
    }
    search = {}
    if "claims" in summary:
        search = {
            name: pa.Table.from_pylist(summary[key])
            for name, key in (("curve", "curve"), ("claims", "claims"), ("losses", "classes"))
            if summary[key]
        }
        certified = None if selection is None else len(selection)
        charts["curve.svg"] = curve_svg(search["curve"], certified=certified)
    for name, drawing in charts.items():
        with atomic_path(folder / name) as path:
            path.write_text(drawing, encoding="utf-8")
    return write_report(
        folder / "report.html",
        table=table,
        title=summary["title"],
        selection=selection,
        accuracies=accuracies,
        intervals=intervals if len(intervals) else None,
        **search,
        verdicts=summary["verdicts"],
        image=None if dataset is None else _pictures(dataset),
        words=None if dataset is None else _words(dataset),
        facts=summary["facts"],
    )


def _arms(summary: dict[str, Any], name: str) -> pa.Table:
    """Rows of the summary, with the arms of a search under the names that charts know."""
    rows = summary[name]
    if "claims" in summary:
        known = {"all": "full", "random": "random"}
        rows = [{**row, "arm": known.get(row["arm"], "pruned")} for row in rows]
    return pa.Table.from_pylist(rows)


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
