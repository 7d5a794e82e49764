"""``curate export``: from a selection to a data set on disk."""

import json
from typing import Annotated

import typer

from curate.cli.options import Data, Errors, Format, Json


def export(
    dataset: Annotated[
        str, typer.Argument(help="What was recorded: digits, mnist, cifar10, PATH or hf:NAME.")
    ],
    selection: Annotated[str, typer.Argument(help="A selection that curate prune wrote.")],
    out: Annotated[str, typer.Option(help="The folder to make.")],
    format: Format = "huggingface",
    split: Annotated[str, typer.Option(help="'train' or 'test'.")] = "train",
    data: Data = None,
    errors: Errors = "raise",
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier export.")] = False,
    as_json: Json = False,
) -> None:
    """Write the kept examples as a data set of their own, with a card."""
    from curate import data as sets
    from curate.exporting import export as write
    from curate.pruning import Selection

    chosen = Selection.load(selection)
    source = sets.load(dataset, split, data, errors=errors)  # type: ignore[arg-type]
    folder = write(source, chosen, out, format, overwrite=overwrite)
    if as_json:
        print(json.dumps({"path": str(folder), "format": format, "examples": len(chosen)}))
    else:
        print(f"{len(chosen):,} examples written to {folder} ({format})")
