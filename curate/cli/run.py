"""``curate run``: the whole experiment, the export of the pruned set, and the report."""

import json
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curate.cli.config import Config, write_config
from curate.cli.options import (
    Data,
    Errors,
    Format,
    Json,
    MinPerClass,
    NeverLearned,
    Strategy,
    Stratify,
    Ties,
    check_range,
    completed,
    keep_of,
    one_of,
    stratified,
    with_strategy_options,
)
from curate.cli.output import check_out, folder_name, progress_bar, write_json
from curate.errors import CurateError
from curate.scores import SCORES
from curate.train import NETS

if TYPE_CHECKING:
    from curate.experiment import Experiment, SmallestSet
    from curate.train import Settings


@with_strategy_options
def run(
    ctx: typer.Context,
    dataset: Annotated[
        str, typer.Option(help="digits, mnist, cifar10, a folder or file, or hf:NAME.")
    ] = "digits",
    keep: Annotated[
        str,
        typer.Option(
            help="'auto': find the smallest set that does, and certify it. A list such as "
            "0.5,0.3,0.1: certify these sizes. Or the one fraction to keep, such as 0.7, or a "
            "count, such as 35000."
        ),
    ] = "auto",
    by: Annotated[
        str | None,
        typer.Option(
            help=f"Score: {one_of(SCORES)}; or a column of numbers. High = hard = keep. "
            "With --keep auto all are tried; otherwise it is forgetting.",
            autocompletion=completed(SCORES),
        ),
    ] = None,
    strategy: Strategy = "hardest",
    stratify: Stratify = "label",
    never_learned: NeverLearned = "keep",
    ties: Ties = "hash",
    min_per_class: MinPerClass = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the set each model sees.")] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="With --keep auto, 'epochs': smaller sets take fewer steps; 'steps': as many."
        ),
    ] = "epochs",
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Models per arm; 5, or with --keep auto 10 for under 2,000 test examples, without "
            "it 3 for 10,000 examples and more."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(NETS)}; or timm:NAME.")
    ] = None,
    margin: Annotated[
        float, typer.Option(help="Accuracy (0..1) that pruning may lose and be 'as good'.")
    ] = 0.01,
    budget: Annotated[
        str | None,
        typer.Option(help="With --keep auto: the time to end in, such as 20m or 2h."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, …")] = None,
    data: Data = None,
    errors: Errors = "raise",
    format: Format = "huggingface",
    out: Annotated[str | None, typer.Option(help="Folder of results; runs/NAME.")] = None,
    config: Config = None,
    as_json: Json = False,
    **options: Any,
) -> None:
    """How small can this training set get? Train, search, certify, export, report."""
    from curate import data as sets
    from curate.cli.report import has_report, render
    from curate.experiment import Candidate, Experiment, SmallestSet, run_experiment, smallest_set
    from curate.experiment.search.candidates import check_candidate
    from curate.exporting import FORMATS, check_export, export
    from curate.train import settings_for

    start = time.perf_counter()
    # whatever is wrong is said before hours of training
    if format not in FORMATS:
        raise CurateError(f"--format: {format!r}; give one of {', '.join(FORMATS)}")
    check_out(out)
    if seeds is not None:
        check_range("--seeds", seeds, 1, 10_000)
    if epochs is not None:
        check_range("--epochs", epochs, 1, 1_000_000)
    for name, text in (("--device", device), ("--model", model)):
        if text == "":
            raise CurateError(f"{name}: it is empty; give a name, or leave it out")
    if not 0 <= margin < 1:
        raise CurateError(f"--margin: {margin}; give an accuracy between 0 and 1, such as 0.01")
    sizes = [keep_of(part) for part in keep.split(",")] if keep != "auto" else []
    searched = len(sizes) != 1
    if not searched and (budget is not None or protocol != "epochs"):
        name = "--budget" if budget is not None else "--protocol"
        raise CurateError(
            f"{name}: it is for --keep auto or a list; leave it out with --keep {keep}"
        )
    train_set = sets.load(dataset, "train", data, errors=errors)  # type: ignore[arg-type]
    test_set = sets.load(dataset, "test", data, errors=errors)  # type: ignore[arg-type]
    settings = settings_for(
        train_set.shape,
        text=train_set.texts is not None,
        model=model,
        epochs=epochs,
        device=device,
        examples=len(train_set),
    )
    choices = {"never_learned": never_learned, "ties": ties, "min_per_class": min_per_class}
    candidate = Candidate(by or "aum", strategy, {**choices, **options})
    by_class = stratified(stratify)
    if searched:
        check_candidate(candidate, 0.5, by_class, train_set)
        chosen = strategy != "hardest" or options or set(choices.values()) != {"keep", "hash", None}
        if by is None and chosen:
            raise CurateError(
                f"--by: it is searched, with strategies that suit it; give it as well, as in --by "
                f"aum --strategy {strategy}, or leave the other options out"
            )
    folder = Path(out) if out is not None else Path("runs") / folder_name(dataset)
    check_export(train_set, folder / "pruned", format, overwrite=True)
    result: Experiment | SmallestSet
    with progress_bar(as_json) as bar:
        task = bar.add_task("training", total=None)

        def on_progress(what: str, done: float, total: float) -> None:
            bar.update(task, completed=done, total=total, description=what)

        if searched:
            result = smallest_set(
                train_set,
                test_set,
                margin=margin,
                by="auto" if by is None else candidate,
                sizes=sizes or "auto",
                seeds=seeds,
                protocol=protocol,  # type: ignore[arg-type]
                settings=settings,
                stratify=by_class,  # type: ignore[arg-type]
                budget=budget,
                folder=folder,
                on_progress=on_progress,
            )
        else:
            result = run_experiment(
                train_set,
                test_set,
                settings=settings,
                keep=sizes[0],
                by=by or "forgetting",
                strategy=strategy,
                stratify=by_class,  # type: ignore[arg-type]
                seeds=seeds,
                margin=margin,
                folder=folder,
                on_progress=on_progress,
                **choices,  # type: ignore[arg-type]
                **options,
            )
    if result.selection is not None:
        export(train_set, result.selection, folder / "pruned", format, overwrite=True)
    seconds = time.perf_counter() - start
    shown = _summary(result) if isinstance(result, Experiment) else _search_summary(result)
    summary = {**_facts(dataset, settings, len(train_set), seconds), **shown}
    summary["title"] = f"{folder_name(dataset)}: {summary['title']}"
    summary["facts"]["seeds"] = str(summary["seeds"])
    write_config(ctx, folder)
    write_json(summary, folder / "summary.json")
    page = render(folder, summary, train_set) if has_report(summary) else None
    if page is None:
        (folder / "report.html").unlink(missing_ok=True)  # of an earlier run
    if as_json:
        print(json.dumps({**summary, "folder": str(folder), "report": page and str(page)}))
    else:
        _print(summary, page, folder)


def _facts(dataset: str, settings: "Settings", examples: int, seconds: float) -> dict[str, Any]:
    """What was run, whatever came out."""
    import torch

    from curate.table import library_version

    return {
        "dataset": dataset,
        "facts": {
            "data set": dataset,
            "examples": f"{examples:,}",
            "model": settings.model,
            "epochs": str(settings.epochs),
            "device": settings.device,
            "time": f"{seconds:,.0f} s",
        },
        "settings": settings.to_dict(),
        "seconds": seconds,
        "versions": {
            "curate": library_version(),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def _summary(experiment: "Experiment") -> dict[str, Any]:
    comparison, selection = experiment.comparison, experiment.selection
    seeds = len({run.seed for run in comparison.runs})
    sizes = {run.arm: run.train_size for run in comparison.runs}
    intervals = comparison.intervals.to_pylist()
    return {
        "title": f"{len(selection):,} of {len(selection.table):,} kept",
        "seeds": seeds,
        "policy": selection.policy,
        "margin": comparison.margin,
        "accuracies": comparison.table.to_pylist(),
        "intervals": intervals,
        "curve": [{**row, "size": sizes[row["arm"]], "seeds": seeds} for row in intervals],
        "verdicts": comparison.verdicts,
    }


def _search_summary(result: "SmallestSet") -> dict[str, Any]:
    curve = [{**row, "mean": row["accuracy"]} for row in result.curve.to_pylist()]
    best = result.smallest or next(iter(result.certified.sizes), None)
    shown = () if best is None else (len(result.labels), best.size)
    tables = {"claims": result.claims, "search": result.search, "classes": result.classes}
    return {
        "title": "nothing smaller is shown to do"
        if result.smallest is None
        else f"{result.smallest.size:,} of {result.examples:,} will do",
        "seeds": len(result.certified.everything),
        "policy": None if result.selection is None else result.selection.policy,
        "margin": result.margin,
        "protocol": result.protocol,
        "look": result.looks,
        "accuracies": [
            {**row, "train_size": row["size"]}
            for row in result.table.to_pylist()
            if row["arm"] == "all" or row["size"] in shown
        ],
        "intervals": [row for row in curve if row["arm"] == "all" or row["size"] in shown],
        "curve": curve,
        "runs": result.table.to_pylist(),
        **{name: None if rows is None else rows.to_pylist() for name, rows in tables.items()},
        "verdicts": result.verdicts,
    }


def _print(summary: dict[str, Any], page: Path | None, folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in ("arm", "examples", "accuracy", "95 % interval over seeds", "seeds"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for row in summary["curve"]:
        interval = "" if row["low"] is None else f"{row['low']:.2%} to {row['high']:.2%}"
        table.add_row(
            row["arm"], f"{row['size']:,}", f"{row['mean']:.2%}", interval, str(row["seeds"])
        )
    console = Console(highlight=False)
    console.print(table)
    for verdict in summary["verdicts"]:
        console.print(verdict, markup=False)
    if summary["policy"] is None:
        old = folder / "pruned"
        older = f"; {old} is that of an earlier run" if old.exists() else ""
        console.print(f"No smaller set is exported{older}.", markup=False, soft_wrap=True)
    where = "no report" if page is None else f"report: {page}"
    console.print(f"{summary['seconds']:,.0f} s; {where}", markup=False, soft_wrap=True)
