"""``curate prune``: from a table to a selection."""

import json
from typing import Annotated, Any

import typer

from curate.cli.options import (
    By,
    DropDuplicates,
    Json,
    Keep,
    MinPerClass,
    NeverLearned,
    Seed,
    Strategy,
    Stratify,
    Ties,
    Unknown,
    keep_of,
    stratified,
    with_strategy_options,
)


@with_strategy_options
def prune(
    table: Annotated[str, typer.Argument(help="A Parquet file of examples, or a folder of them.")],
    out: Annotated[
        str,
        typer.Option(help="Where to write the selection: Parquet, of a large table a new folder."),
    ],
    keep: Keep = "0.7",
    by: By = "forgetting",
    strategy: Strategy = "hardest",
    stratify: Stratify = "none",
    never_learned: NeverLearned = "keep",
    unknown: Unknown = "error",
    ties: Ties = "hash",
    min_per_class: MinPerClass = None,
    drop_duplicates: DropDuplicates = False,
    seed: Seed = 0,
    as_json: Json = False,
    **options: Any,
) -> None:
    """Choose which examples to keep, and write the selection."""
    from curate.pruning import prune as select
    from curate.pruning import prune_file
    from curate.pruning.on_disk.prune_file import LARGE, can_stream
    from curate.table.row_groups import open_row_groups

    arguments: dict[str, Any] = {
        "keep": keep_of(keep),
        "by": by,
        "strategy": strategy,
        "never_learned": never_learned,
        "unknown": unknown,
        "seed": seed,
        **options,
    }
    by_class = stratified(stratify)
    streams = not drop_duplicates and can_stream(by, strategy, by_class, ties, min_per_class)
    if streams and sum(open_row_groups(table).rows) > LARGE:
        policy = prune_file(table, out, **arguments)
        text = (
            f"{policy['kept']:,} of {policy['total']:,} examples kept, by {by}, strategy "
            f"{strategy}, seed {seed}; the table is large, so it was streamed from disk"
        )
        where = f"{out}, a folder"
    else:
        arguments |= {"stratify": by_class, "ties": ties, "min_per_class": min_per_class}
        if drop_duplicates:
            arguments["duplicates"] = "drop"
        selection = select(table, **arguments)
        selection.save(out)
        policy, text, where = selection.policy, str(selection), out
    if as_json:
        print(json.dumps({**policy, "selection": out}))
    else:
        print(f"{text}\n\nwritten to {where}")
