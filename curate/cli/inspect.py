"""``curate inspect``: look at a table in the terminal."""

import json
from typing import Annotated

import typer

from curate.cli.options import Json


def inspect(
    table: Annotated[str, typer.Argument(help="A Parquet file of examples, or a folder of them.")],
    as_json: Json = False,
) -> None:
    """Show a table's schema, counts, histogram and the ten most forgotten examples."""
    from rich.console import Console

    from curate.report import inspect as look

    summary = look(table)
    if as_json:
        print(json.dumps(summary.to_dict()))
    else:
        Console().print(summary)
