"""``curate identify``: which data set is this from, and what is one worth to another?"""

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curate.cli.options import Errors, Json, Seed, check_range, completed, one_of
from curate.cli.output import check_out, folder_name, progress_bar, progress_callback, write_json
from curate.errors import CurateError
from curate.features import FEATURES

if TYPE_CHECKING:
    from curate.bias import CrossDataset, Identification, MarketValue, Source

_MOST = 10**9
_LISTED = 1000  # what is left out of sources, in summary.json; all of it is in left_out.parquet


def identify(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Two or more: a folder, a Parquet file of images or features, a data set's name; "
            "NAME=PATH to call it NAME."
        ),
    ],
    features: Annotated[
        str,
        typer.Option(
            help=f"{one_of(FEATURES)}; 'network' trains on the pixels.",
            autocompletion=completed([*FEATURES, "network"]),
        ),
    ] = "hog+colour",
    train_size: Annotated[int, typer.Option(help="Training examples per source.")] = 1000,
    test_size: Annotated[int, typer.Option(help="Test examples per source.")] = 300,
    repeats: Annotated[int, typer.Option(help="Random splits of the learning curve.")] = 20,
    controls: Annotated[bool, typer.Option(help="Null control and nuisance audit.")] = True,
    groups: Annotated[
        str | None,
        typer.Option(
            help="What belongs together, such as patients: a column that all tables have, or a "
            "file (.parquet, .csv) with the columns example_id, group and perhaps source."
        ),
    ] = None,
    errors: Errors = "raise",
    seed: Seed = 0,
    out: Annotated[str | None, typer.Option(help="Folder of results; runs/identify.")] = None,
    as_json: Json = False,
) -> None:
    """Tell data sets apart, ask what gives them away, and what one is worth to another."""
    from curate.bias import name_that_dataset
    from curate.report import save_identification

    named = parse_sources(sources)
    if features != "network" and features not in FEATURES:
        raise CurateError(f"--features: {features!r}; give {one_of([*FEATURES, 'network'])}")
    check_range("--train-size", train_size, 1, _MOST)
    check_range("--test-size", test_size, 1, _MOST)
    check_range("--repeats", repeats, 1, 10_000)
    check_range("--seed", seed, 0, _MOST)
    check_out(out)
    folder = Path(out) if out is not None else Path("runs") / "identify"
    network = features == "network"
    with progress_bar(as_json) as bar:
        opened = open_sources(named, errors, groups)
        result = name_that_dataset(
            opened,
            features="hog+colour" if network else features,
            classifier="network" if network else "linear",
            train_size=train_size,
            test_size=test_size,
            repeats=repeats,
            controls=controls,
            seed=seed,
            cache=folder / "features",
            on_progress=progress_callback(bar, "identifying"),
        )
        cross, market, left_out = cross_dataset_tables(opened, features, seed, folder, bar)
    summary = _summary(result, named) | {"left_out": left_out}
    if cross is not None:
        summary["classes_left_out"] = list(cross.left_out)
    page = save_identification(
        folder,
        result,
        title=" · ".join(result.names[:4]) + (" …" if len(result.names) > 4 else ""),
        sources=opened,
        cross=cross,
        market=market,
        facts=named,
        left_out=left_out,
    )
    write_json(summary, folder / "summary.json")
    if as_json:
        print(json.dumps({**summary, "folder": str(folder), "report": str(page)}))
    else:
        for shown in (result, cross, market):
            if shown is not None:
                print(shown, end="\n\n")
        if left_out is not None:
            print(f"Left out: {left_out}", end="\n\n")
        print(page)


def parse_sources(arguments: list[str]) -> dict[str, str]:
    """Sources by name: ``NAME=PATH``, else the last part of the path."""
    named: dict[str, str] = {}
    for argument in arguments:
        name, mark, path = argument.partition("=")
        if not mark or Path(argument).exists():
            name, path = folder_name(argument).removesuffix(".parquet"), argument
        if name in named:
            raise CurateError(
                f"sources: two are called {name!r}; name one of them, such as other={path}"
            )
        named[name] = path
    if len(named) < 2:
        raise CurateError(f"sources: {len(named)}; give two or more to tell apart")
    return named


def open_sources(named: dict[str, str], errors: str, groups: str | None) -> "list[Source]":
    """The sources, with the groups in a column or in a file.

    Raises:
        CurateError: a file without the columns, a column that a source lacks.
    """
    from curate.bias import as_sources

    if groups is None or not Path(groups).is_file():
        return as_sources(named, errors=errors, groups=groups)
    opened = as_sources(named)
    return as_sources(opened, errors=errors, groups=_marks(groups, opened))


def _marks(path: str, sources: "list[Source]") -> dict[str, list[Any]]:
    """For every source the group of each of its examples, or None, by its id."""
    from curate.table import read

    if path.endswith(".csv"):
        with open(path, newline="", encoding="utf-8") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
    else:
        rows = read(path).to_pylist()
    if not rows or not {"example_id", "group"} <= rows[0].keys():
        raise CurateError(
            f"--groups: {path!r} has the columns {sorted(rows[0]) if rows else []}; give "
            "example_id and group, and source where two sources have the same ids"
        )
    marks = {(row.get("source"), str(row["example_id"])): row["group"] for row in rows}
    names = [source.name for source in sources]
    unknown = next((name for name, _ in marks if name is not None and name not in names), None)
    if unknown is not None:
        raise CurateError(f"--groups: {path!r} names the source {unknown!r}, none of {names}")
    found = {}
    for source in sources:
        keys = [str(example_id) for example_id in source.ids]
        found[source.name] = [marks.get((source.name, key), marks.get((None, key))) for key in keys]
    return found


def cross_dataset_tables(
    sources: "list[Source]", features: str, seed: int, folder: Path, bar: Any
) -> "tuple[CrossDataset | None, MarketValue | None, str | None]":
    """Cross-dataset generalisation and market value, or the reason why there are none."""
    from curate.bias import cross_dataset, market_value

    if any(source.labels is None for source in sources):
        return None, None, "cross-dataset tables: not all sources have labels"
    kind = "hog" if features in ("network", "hog+colour") else features  # what a class looks like
    cache = folder / "features"
    try:
        cross = cross_dataset(
            sources,
            kind,
            seed=seed,
            cache=cache,
            on_progress=progress_callback(bar, "testing elsewhere"),
        )
        market = market_value(
            sources,
            kind,
            seed=seed,
            cache=cache,
            on_progress=progress_callback(bar, "market value"),
        )
    except CurateError as error:
        return None, None, f"cross-dataset tables: {error}"
    return cross, market, None


def _summary(result: "Identification", named: dict[str, str]) -> dict[str, Any]:
    return {
        "overlap": [] if result.overlap is None else result.overlap.counts.to_pylist(),
        "accuracy": result.accuracy,
        "chance": result.chance,
        "interval": list(result.interval),
        "p_value": result.p_value,
        "per_source": result.per_source.to_pylist(),
        "warnings": [
            {
                "cause": warning.cause,
                "sources": list(warning.sources),
                "text": warning.text,
            }
            for warning in result.warnings
        ],
        "notes": list(result.notes),
        "conclusion": result.conclusion,
        "left_out_of_sources": []
        if result.left_out is None
        else result.left_out.slice(0, _LISTED).to_pylist(),
        "single_columns": []
        if result.single_columns is None
        else [row for row in result.single_columns.to_pylist() if row["named"]],
        "sources": named,
        "train_size": result.train_size,
        "test_size": result.test_size,
    }
