"""``curate identify``: which data set is this from, and what is one worth to another?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curate.cli.options import Json, Seed, check_range, one_of
from curate.cli.output import check_out, folder_name, progress_bar, progress_callback, write_json
from curate.errors import CurateError
from curate.features import FEATURES

if TYPE_CHECKING:
    from curate.bias import CrossDataset, Identification, MarketValue, Source

_MOST = 10**9


def identify(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Two or more: a folder, a Parquet file of images or features, a data set's name; "
            "NAME=PATH to call it NAME."
        ),
    ],
    features: Annotated[
        str, typer.Option(help=f"{one_of(FEATURES)}; 'network' trains on the pixels.")
    ] = "hog+colour",
    train_size: Annotated[int, typer.Option(help="Training examples per source.")] = 1000,
    test_size: Annotated[int, typer.Option(help="Test examples per source.")] = 300,
    repeats: Annotated[int, typer.Option(help="Random splits of the learning curve.")] = 20,
    controls: Annotated[bool, typer.Option(help="Null control and nuisance audit.")] = True,
    seed: Seed = 0,
    out: Annotated[str | None, typer.Option(help="Folder of results; runs/identify.")] = None,
    as_json: Json = False,
) -> None:
    """Tell data sets apart, ask what gives them away, and what one is worth to another."""
    from curate.bias import as_sources, name_that_dataset
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
        opened = as_sources(named)
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
        "sources": named,
        "train_size": result.train_size,
        "test_size": result.test_size,
    }
