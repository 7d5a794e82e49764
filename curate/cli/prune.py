"""``curate prune``: from a table to a selection."""

import json
from typing import Annotated, Any

import typer

from curate.cli.options import (
    By,
    Json,
    Keep,
    NeverLearned,
    Seed,
    Strategy,
    Stratify,
    keep_of,
)


def prune(
    table: Annotated[str, typer.Argument(help="A Parquet file of examples.")],
    out: Annotated[str, typer.Option(help="Where to write the selection (Parquet).")],
    keep: Keep = "0.7",
    by: By = "forgetting",
    strategy: Strategy = "hardest",
    stratify: Stratify = None,
    never_learned: NeverLearned = "keep",
    unknown: Annotated[
        str, typer.Option(help="'error', 'keep' or 'drop' for examples without a score.")
    ] = "error",
    drop_hardest: Annotated[
        float | None, typer.Option(help="window: fraction of the hardest to drop first.")
    ] = None,
    hard_cutoff: Annotated[
        float | None, typer.Option(help="ccs: fraction of the hardest to drop first.")
    ] = None,
    strata: Annotated[int | None, typer.Option(help="ccs: number of strata.")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Choose which examples to keep, and write the selection."""
    from curate.pruning import prune as select

    given = {"drop_hardest": drop_hardest, "hard_cutoff": hard_cutoff, "strata": strata}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    selection = select(
        table,
        keep_of(keep),
        by,
        strategy,
        stratify=stratify,  # type: ignore[arg-type]
        never_learned=never_learned,  # type: ignore[arg-type]
        unknown=unknown,  # type: ignore[arg-type]
        seed=seed,
        **options,
    )
    selection.save(out)
    if as_json:
        print(json.dumps({**selection.policy, "selection": out}))
    else:
        print(selection)
        print(f"\nwritten to {out}")
