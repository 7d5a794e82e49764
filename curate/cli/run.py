"""``curate run``: record, prune, export, prove it, report."""

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curate.cli.options import (
    By,
    Data,
    Json,
    Keep,
    NeverLearned,
    Strategy,
    keep_of,
)
from curate.cli.output import folder_name, progress_bar, write_json
from curate.errors import CurateError

if TYPE_CHECKING:
    from curate.data import ExampleSet
    from curate.experiment import Comparison
    from curate.pruning import Selection
    from curate.train import Settings


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
        int | None, typer.Option(help="Models an arm; 5, or 3 for 10,000 examples and more.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="mlp, cnn, resnet18 or lightconv.")] = None,
    margin: Annotated[
        float, typer.Option(help="Accuracy (0..1) that pruning may lose and be 'as good'.")
    ] = 0.01,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, …")] = None,
    data: Data = None,
    format: Annotated[
        str, typer.Option(help="Of the pruned set: huggingface, parquet, imagefolder, …")
    ] = "huggingface",
    out: Annotated[str | None, typer.Option(help="Folder of results; runs/NAME.")] = None,
    as_json: Json = False,
) -> None:
    """Train, record, prune, export, and show what the pruning cost."""
    from curate import data as sets
    from curate.cli.report import render
    from curate.exporting import FORMATS, export
    from curate.pruning.policy import make_policy
    from curate.scores.registry import check_by
    from curate.table import COLUMNS
    from curate.train import settings_for

    start = time.perf_counter()
    # whatever is wrong is said before hours of training
    choice: dict[str, Any] = {
        "stratify": None if stratify == "none" else stratify,
        "never_learned": never_learned,
    }
    check_by(by, COLUMNS)
    policy = make_policy(keep_of(keep), by, strategy, {}, unknown="error", seed=0, **choice)
    if format not in FORMATS:
        raise CurateError(f"--format: {format!r}; give one of {', '.join(FORMATS)}")
    if seeds is not None and seeds < 1:
        raise CurateError(f"--seeds: {seeds}; give at least 1")
    if not 0 <= margin < 1:
        raise CurateError(f"--margin: {margin}; give an accuracy within 0 and 1, such as 0.01")
    train_set = sets.load(dataset, "train", data)
    test_set = sets.load(dataset, "test", data)
    policy.share(len(train_set))
    settings = settings_for(
        train_set.shape,
        text=train_set.texts is not None,
        model=model,
        epochs=epochs,
        device=device,
    )
    count = seeds or (5 if len(train_set) < 10_000 else 3)
    folder = Path(out) if out is not None else Path("runs") / folder_name(dataset)

    def prune(table: Any) -> "Selection":
        from curate.pruning import prune as select

        return select(table, keep_of(keep), by, strategy, **choice)

    selection, comparison = _train_all(
        train_set, test_set, settings, count, prune, margin, folder, as_json
    )
    export(train_set, selection, folder / "pruned", format, overwrite=True)
    seconds = time.perf_counter() - start
    summary = _summary(dataset, settings, count, selection, comparison, seconds)
    write_json(summary, folder / "summary.json")
    page = render(folder, summary, train_set)
    if as_json:
        print(json.dumps({**summary, "folder": str(folder), "report": str(page)}))
    else:
        _print(comparison, page, seconds)


def _train_all(
    train_set: "ExampleSet",
    test_set: "ExampleSet",
    settings: "Settings",
    count: int,
    prune: Callable[[Any], "Selection"],
    margin: float,
    folder: Path,
    quiet: bool,
) -> tuple["Selection", "Comparison"]:
    """Record the full arm, prune, and train the other arms, with one progress bar."""
    from curate.data import fingerprint
    from curate.experiment import Comparison, Run, compare, run_arm
    from curate.record import Recorder
    from curate.table import annotate, merge, write

    with progress_bar(quiet) as progress:
        task = progress.add_task("training", total=None)
        done = {"full": 0.0, "pruned": 0.0, "random": 0.0}
        weights = {"full": 1.0, "pruned": 1.0, "random": 1.0}

        def follow(arm: str, seed: int) -> Callable[[int], None]:
            before = done[arm]

            def on_epoch(epoch: int) -> None:
                done[arm] = before + epoch / settings.epochs
                finished = sum(done[each] * weights[each] for each in done)
                progress.update(
                    task,
                    completed=finished,
                    total=count * sum(weights.values()),
                    description=f"{arm}, seed {seed}",
                )

            return on_epoch

        full, recorded = [], []
        content = fingerprint(train_set)
        for seed in range(count):
            result, table = run_arm(
                "full",
                seed,
                train_set,
                test_set,
                settings,
                recorder=Recorder(train_set.ids, history=True),
                folder=folder,
                on_epoch=follow("full", seed),
            )
            full.append(result)
            recorded.append(table)
        merged = merge([table for table in recorded if table is not None])
        merged = annotate(merged, fingerprint=content, class_names=train_set.class_names)
        write(merged, folder / "examples.parquet")
        selection = prune(merged)
        selection.save(folder / "selection.parquet")
        weights["pruned"] = weights["random"] = len(selection) / len(train_set)

        def train_on(arm: str, seed: int, rows: Any) -> Run:
            return run_arm(
                arm,
                seed,
                train_set,
                test_set,
                settings,
                rows=rows,
                folder=folder,
                on_epoch=follow(arm, seed),
            )[0]

        comparison: Comparison = compare(train_on, full, selection, margin)
    return selection, comparison


def _summary(
    dataset: str,
    settings: "Settings",
    count: int,
    selection: "Selection",
    comparison: "Comparison",
    seconds: float,
) -> dict[str, Any]:
    import torch

    from curate.table import library_version

    policy = selection.policy
    trained = settings.to_dict()
    facts = {
        "data set": dataset,
        "examples": f"{len(selection.table):,}",
        "model": settings.model,
        "epochs": str(settings.epochs),
        "seeds": str(count),
        "device": settings.device,
        "time": f"{seconds:,.0f} s",
    }
    return {
        "title": f"{folder_name(dataset)}: {len(selection):,} of {len(selection.table):,} kept",
        "dataset": dataset,
        "facts": facts,
        "settings": trained,
        "seeds": count,
        "policy": policy,
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
    sizes = {each.arm: each.train_size for each in comparison.runs}
    for row in comparison.intervals.to_pylist():
        interval = "" if row["low"] is None else f"{row['low']:.2%} to {row['high']:.2%}"
        seeds = sum(each.arm == row["arm"] for each in comparison.runs)
        table.add_row(
            row["arm"], f"{sizes[row['arm']]:,}", f"{row['mean']:.2%}", interval, str(seeds)
        )
    console = Console(highlight=False)
    console.print(table)
    for verdict in comparison.verdicts:
        console.print(verdict, markup=False)
    console.print(f"{seconds:,.0f} s; report: {page}", markup=False, soft_wrap=True)
