"""``curate merge``: one table of the tables of several runs."""

import json
from typing import Annotated

import typer

from curate.cli.options import Json


def merge(
    tables: Annotated[
        list[str], typer.Argument(help="One table per run: Parquet files, or folders of them.")
    ],
    out: Annotated[str, typer.Option(help="The Parquet file to write.")],
    as_json: Json = False,
) -> None:
    """Merge the tables of several runs (seeds) over the same examples; they need not fit in memory.

    For example: curate merge seed0.parquet seed1.parquet --out merged.parquet
    """
    from curate.table import merge_files

    examples = merge_files(tables, out)
    if as_json:
        print(json.dumps({"tables": len(tables), "examples": examples, "merged": out}))
    else:
        print(f"{len(tables)} tables merged: {examples:,} examples\n\nwritten to {out}")
