"""``curate run``: the whole experiment, the export of the pruned set, and the report."""

import json
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curate.cli.options import (
    By,
    Data,
    Format,
    Json,
    Keep,
    NeverLearned,
    Strategy,
    keep_of,
    with_strategy_options,
)
from curate.cli.output import folder_name, progress_bar, write_json
from curate.errors import CurateError
from curate.train import NETS

if TYPE_CHECKING:
    from curate.experiment import Comparison, Experiment


@with_strategy_options
def run(
    dataset: Annotated[
        str, typer.Option(help="digits, mnist, cifar10, a folder or file, or hf:NAME.")
    ] = "digits",
    keep: Keep = "0.7",
    by: By = "forgetting",
    strategy: Strategy = "hardest",
    stratify: Annotated[
        str, typer.Option(help="'label': keep the same share of each class; 'none': do not.")
    ] = "label",
    never_learned: NeverLearned = "keep",
    epochs: Annotated[int | None, typer.Option(help="Passes over the set each model sees.")] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Models per arm; 5, or 3 for 10,000 examples and more.")
    ] = None,
    model: Annotated[str | None, typer.Option(help=f"One of {', '.join(NETS)}.")] = None,
    margin: Annotated[
        float, typer.Option(help="Accuracy (0..1) that pruning may lose and be 'as good'.")
    ] = 0.01,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, …")] = None,
    data: Data = None,
    format: Format = "huggingface",
    out: Annotated[str | None, typer.Option(help="Folder of results; runs/NAME.")] = None,
    as_json: Json = False,
    **options: Any,
) -> None:
    """Train, record, prune, export, and show what the pruning cost."""
    from curate import data as sets
    from curate.cli.report import render
    from curate.experiment import run_experiment
    from curate.exporting import FORMATS, export
    from curate.train import settings_for

    start = time.perf_counter()
    # whatever is wrong is said before hours of training
    if format not in FORMATS:
        raise CurateError(f"--format: {format!r}; give one of {', '.join(FORMATS)}")
    if seeds is not None and seeds < 1:
        raise CurateError(f"--seeds: {seeds}; give at least 1")
    if not 0 <= margin < 1:
        raise CurateError(f"--margin: {margin}; give an accuracy between 0 and 1, such as 0.01")
    fraction = keep_of(keep)
    train_set = sets.load(dataset, "train", data)
    test_set = sets.load(dataset, "test", data)
    settings = settings_for(
        train_set.shape,
        text=train_set.texts is not None,
        model=model,
        epochs=epochs,
        device=device,
    )
    folder = Path(out) if out is not None else Path("runs") / folder_name(dataset)
    with progress_bar(as_json) as bar:
        task = bar.add_task("training", total=None)
        experiment = run_experiment(
            train_set,
            test_set,
            settings=settings,
            keep=fraction,
            by=by,
            strategy=strategy,
            stratify=None if stratify == "none" else stratify,  # type: ignore[arg-type]
            never_learned=never_learned,  # type: ignore[arg-type]
            seeds=seeds,
            margin=margin,
            folder=folder,
            on_progress=lambda what, done, total: bar.update(
                task, completed=done, total=total, description=what
            ),
            **options,
        )
    export(train_set, experiment.selection, folder / "pruned", format, overwrite=True)
    seconds = time.perf_counter() - start
    summary = _summary(dataset, experiment, seconds)
    write_json(summary, folder / "summary.json")
    page = render(folder, summary, train_set)
    if as_json:
        print(json.dumps({**summary, "folder": str(folder), "report": str(page)}))
    else:
        _print(experiment.comparison, page, seconds)


def _summary(dataset: str, experiment: "Experiment", seconds: float) -> dict[str, Any]:
    import torch

    from curate.table import library_version

    comparison, selection = experiment.comparison, experiment.selection
    settings = experiment.settings
    seeds = len({run.seed for run in comparison.runs})
    facts = {
        "data set": dataset,
        "examples": f"{len(selection.table):,}",
        "model": settings.model,
        "epochs": str(settings.epochs),
        "seeds": str(seeds),
        "device": settings.device,
        "time": f"{seconds:,.0f} s",
    }
    return {
        "title": f"{folder_name(dataset)}: {len(selection):,} of {len(selection.table):,} kept",
        "dataset": dataset,
        "facts": facts,
        "settings": settings.to_dict(),
        "seeds": seeds,
        "policy": selection.policy,
        "margin": comparison.margin,
        "accuracies": comparison.table.to_pylist(),
        "intervals": comparison.intervals.to_pylist(),
        "verdicts": comparison.verdicts,
        "seconds": seconds,
        "versions": {
            "curate": library_version(),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def _print(comparison: "Comparison", page: Path, seconds: float) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in ("arm", "examples", "accuracy", "95 % interval over seeds", "seeds"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    sizes = {run.arm: run.train_size for run in comparison.runs}
    for row in comparison.intervals.to_pylist():
        interval = "" if row["low"] is None else f"{row['low']:.2%} to {row['high']:.2%}"
        seeds = sum(run.arm == row["arm"] for run in comparison.runs)
        table.add_row(
            row["arm"], f"{sizes[row['arm']]:,}", f"{row['mean']:.2%}", interval, str(seeds)
        )
    console = Console(highlight=False)
    console.print(table)
    for verdict in comparison.verdicts:
        console.print(verdict, markup=False)
    console.print(f"{seconds:,.0f} s; report: {page}", markup=False, soft_wrap=True)
