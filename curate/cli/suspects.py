"""``curate suspects``: whose label is likely wrong?"""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import typer

from curate.cli.options import Data, Json, Seed, check_range, one_of, opened
from curate.cli.output import check_out, folder_name, progress_bar, progress_callback, write_json
from curate.errors import CurateError
from curate.features import FEATURES

_SHOWN = 20


def suspects(
    source: Annotated[
        str,
        typer.Argument(
            help="A data set: digits, mnist, cifar10, PATH or hf:NAME; or a Parquet file of "
            "examples, as a recorder wrote it."
        ),
    ],
    features: Annotated[str, typer.Option(help=f"Of a data set: {one_of(FEATURES)}.")] = "hog",
    precision: Annotated[
        float, typer.Option(help="Estimated share of the suspects that is to be wrong.")
    ] = 0.8,
    data: Data = None,
    seed: Seed = 0,
    out: Annotated[str | None, typer.Option(help="Folder of results; runs/NAME-suspects.")] = None,
    as_json: Json = False,
) -> None:
    """List the examples whose label is likely wrong, the most doubtful first."""
    from curate import scores, table
    from curate.files import atomic_path
    from curate.table import read

    if not 0 < precision < 1:
        raise CurateError(f"--precision: {precision:g}; give a share between 0 and 1")
    if features not in FEATURES:
        raise CurateError(f"--features: {features!r}; give {one_of(FEATURES)}")
    check_range("--seed", seed, 0, 10**9)
    check_out(out)
    folder = Path(out) if out is not None else Path("runs") / f"{folder_name(source)}-suspects"
    names = None
    if source.endswith(".parquet") and Path(source).is_file():
        examples = read(source)
    else:
        with progress_bar(as_json) as bar:
            examples, names = _evidence(source, features, data, seed, bar)
    found = scores.suspects(examples, precision=precision)
    folder.mkdir(parents=True, exist_ok=True)
    kept = {"suspects": found.table} | ({} if names is None else {"examples": examples})
    for name, rows in kept.items():
        with atomic_path(folder / f"{name}.parquet") as path:
            table.write(rows, path)
    summary: dict[str, Any] = {
        "source": source, "by": found.by, "examples": found.examples, "suspects": len(found),
        "threshold": found.threshold if len(found) else None, "precision": found.precision,
        "noise": found.noise, "file": str(folder / "suspects.parquet"),
    }  # fmt: skip
    write_json(summary, folder / "summary.json")
    if as_json:
        print(json.dumps(summary))
    else:
        _show(found, names, folder / "suspects.parquet")


def _evidence(
    source: str, features: str, data: str | None, seed: int, bar: Any
) -> tuple[pa.Table, Any]:
    """A table of a data set, by its features; and a function from a label to its class name."""
    from curate.data import open_view
    from curate.features import extract
    from curate.scores import label_noise_table

    dataset = opened(source, "train", data)
    view = open_view(dataset)
    if view.labels is None:
        raise CurateError(f"source: {source!r} has no labels; give a data set that has")
    values = extract(dataset, features, on_progress=progress_callback(bar, features))
    bar.add_task("comparing labels", total=None)
    labels = np.asarray(view.labels)
    return label_noise_table(values, labels, ids=view.ids, seed=seed), view.class_name


def _show(found: Any, names: Any, path: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if len(found):
        shown = Table(title=f"the {min(_SHOWN, len(found))} most doubtful labels")
        for name in found.table.column_names:
            shown.add_column(name, justify="right" if name == found.by else "left")
        for row in found.table.slice(0, _SHOWN).to_pylist():
            if names is not None:
                row["label"] = names(int(row["label"]))
            shown.add_row(
                *(Text(f"{v:.2f}" if isinstance(v, float) else str(v)) for v in row.values())
            )
        console.print(shown)
    console.print(f"{found}.", highlight=False)
    console.print(f"All of them: {path}", highlight=False, soft_wrap=True)
