"""From scores to a selection."""

import os
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import table as tables
from curate.errors import CurateError, CurateWarning
from curate.pruning.counts import round_half_up
from curate.pruning.fates import (
    KEPT_UNKNOWN,
    REMOVED,
    REMOVED_HARDEST,
    decided_before,
    reasons,
    selection_rows,
)
from curate.pruning.floors import choose_with_floors
from curate.pruning.groups import Group, by_label, check_enough, whole_table
from curate.pruning.policy import MARGIN, Policy, make_policy, needed_columns
from curate.pruning.registry import StrategyName
from curate.pruning.selection import Selection
from curate.pruning.top import refined, top
from curate.scores.registry import By, score
from curate.table._as_table import unified_schema
from curate.table._hash_ids import hash_ids
from curate.table.column import floats
from curate.table.row_groups import open_row_groups


def prune(
    table: Any,
    keep: int | float | Fraction | Decimal = 0.7,
    by: By = "forgetting",
    strategy: StrategyName | str | Callable[..., Any] = "hardest",
    *,
    stratify: Literal["label"] | None = None,
    never_learned: Literal["keep", "drop"] = "keep",
    unknown: Literal["error", "keep", "drop"] = "error",
    ties: Literal["hash", "margin"] = "hash",
    min_per_class: int | None = None,
    duplicates: Literal["keep", "drop"] = "keep",
    seed: int = 0,
    **options: Any,
) -> Selection:
    """Choose which examples to keep.

    The same call gives the same selection on any machine and for any order of the rows: ties are
    broken by a hash of (seed, example_id), see ``curate.table.hash_ids``.

    Args:
        table: an example table, of ``pyarrow`` or anything with ``__arrow_c_stream__`` (pandas,
            Polars, DuckDB …), or the path of one (only the columns needed are read; for more
            than fits in memory see ``curate.pruning.prune_file``).
        keep: a fraction of all rows (0.7 keeps exactly 7/10 of them, rounded half up), or, as an
            int, a count: 1 keeps one row, 1.0 all.
        by: what to rank by, high = hard = keep: a score (``curate.scores.SCORES``), a numeric
            column such as ``"influence"``, an array of shape (rows,) in the order of the table
            (NumPy, torch, Arrow, or a list), or a function ``table -> array``. A score goes
            before a column of the same name. Infinite values are ranked at the ends.
        strategy: a name in ``curate.pruning.STRATEGIES``, or a function ``(scores, keep, ties,
            **options) -> mask``: ``scores`` float64 of shape (n,) without NaN, the number to
            keep, and ``ties``, which takes row numbers, int64 of shape (k,), and returns a uint64
            hash of each row's id, to break ties by whatever the order of the rows; the mask is
            bool of shape (n,) with exactly ``keep`` True. It is called once, or, with
            ``stratify``, once per class.
        stratify: ``"label"`` applies the strategy within each class, and keeps of each the same
            fraction: rounded down or up so that the total is exact, up where the remainder is
            largest. A class whose share rounds to none is left empty, with a warning.
        never_learned: ``"keep"`` ranks examples that no run learned as their score says (for
            forgetting, the hardest of all); ``"drop"`` removes them first. ``keep`` stays a
            fraction of all rows.
        unknown: what to do with examples that have no score (never presented, never with finite
            logits; null or NaN in a column or array): ``"keep"`` keeps them first, ``"drop"``
            removes them first, ``"error"`` asks for a decision. The strategy ``"random"`` needs
            no score, and draws from them all.
        ties: how equal scores are told apart: ``"hash"`` draws, ``"margin"`` counts the example
            of lower mean margin (column ``margin_mean``) as the harder, and draws where that is
            equal too. It makes a ranking of a score that counts, such as forgetting events, and
            is for strategies that cut a ranking: hardest, easiest, window.
        min_per_class: keep at least so many examples of each class, and all that may be kept of
            a smaller class: a class that falls below is chosen from by itself, by the same
            strategy, and the others share what is left of ``keep``.
        duplicates: ``"drop"`` first removes the examples whose ``duplicate_of`` or
            ``nearest_test`` is not null (``curate.retest.near_duplicates``); ``keep`` stays a
            fraction of all rows.
        seed: breaks ties and draws at random.
        **options: of the strategy, such as ``drop_hardest=0.1`` for ``"window"``, as a fraction
            of the examples left after ``never_learned`` and ``unknown`` are applied (per class if
            stratified).

    Returns:
        The selection; its rows are in the order of the table. In its policy, ``by`` and
        ``strategy`` are names: of a score, column or strategy, the qualified name of a function,
        or "array".

    Raises:
        CurateError: an argument that cannot be used, a missing column, an id that occurs twice,
            fewer examples than ``keep`` asks for once those to drop are gone, or more than it in
            ``min_per_class`` of each class.
    """
    policy = make_policy(
        keep,
        by,
        strategy,
        options,
        stratify=stratify,
        never_learned=never_learned,
        unknown=unknown,
        ties=ties,
        min_per_class=min_per_class,
        duplicates=duplicates,
        seed=seed,
    )
    table = _load(table, policy)
    ids = table["example_id"]
    labels = table["label"] if "label" in table.column_names else None
    share = policy.share(len(table))
    _check_unique(ids)
    scores = score(table, by, seed=policy.seed)
    ranked = scores if policy.ties == "hash" else refined(scores, floats(table, MARGIN))
    decided = decided_before(table, scores, policy)
    besides = {name: floats(table, name) for name in policy.rule.columns}

    def choose(groups: list[Group]) -> np.ndarray:
        fates = decided.copy()
        for group in groups:
            _select(group, ranked, fates, ids, policy, besides)
        return fates

    if stratify:
        groups = by_label(labels, decided, share, policy.min_per_class)
        fates = choose(groups)
        _warn_of_empty_classes(groups, policy)
    elif policy.min_per_class is None:
        fates = choose(whole_table(len(table), share))
    else:
        fates = choose_with_floors(labels, decided, share, policy.min_per_class, choose)
    words = reasons(policy.rule, policy.options, policy.duplicates)
    rows = selection_rows(ids, labels, scores, fates, words)
    origin = tables.metadata(table)
    names = {name: origin.get(name) for name in ("fingerprint", "class_names")}
    count = round_half_up(share * len(table))
    return Selection(tables.annotate(rows, **names), policy.settings(len(table), count))


def _warn_of_empty_classes(groups: list[Group], policy: Policy) -> None:
    empty = [group.name.removeprefix("class ") for group in groups if group.keep == 0]
    if empty:
        shown = ", ".join(empty[:5]) + (", …" if len(empty) > 5 else "")
        warnings.warn(
            f"stratify: {len(empty):,} of {len(groups):,} classes have no example left (label "
            f"{shown}), as their share of keep={policy.keep!r} rounds to none; give "
            "min_per_class=1 to keep at least one of each",
            CurateWarning,
            stacklevel=3,
        )


def _load(table: Any, policy: Policy) -> pa.Table:
    if not isinstance(table, str | os.PathLike):
        table = tables.as_table(table, paths=True)
        needed_columns(policy, table.schema)
        return table
    schema = unified_schema(open_row_groups(table).schema)
    return tables.read(table, needed_columns(policy, schema))


def _check_unique(ids: pa.ChunkedArray) -> None:
    keys = ids.to_numpy() if pa.types.is_integer(ids.type) and not ids.null_count else hash_ids(ids)
    if (keys[1:] > keys[:-1]).all():  # in order: the usual case, and cheap to see
        return
    keys = np.sort(keys)
    if (keys[1:] != keys[:-1]).all() or pc.count_distinct(ids).as_py() == len(ids):
        return
    counts = pc.value_counts(ids)
    repeated = counts.filter(pc.greater(counts.field("counts"), 1))[0]["values"].as_py()
    raise CurateError(
        f"example_id: {repeated!r} occurs more than once; keep one row per id (merge the tables of "
        "several runs with curate.merge)"
    )


def _select(
    group: Group,
    scores: np.ndarray,
    fates: np.ndarray,
    ids: pa.ChunkedArray,
    policy: Policy,
    besides: dict[str, np.ndarray],
) -> None:
    """Apply the strategy to one group and write the fates of its rows.

    ``besides`` are the columns that the strategy takes besides the scores.
    """
    before = fates[group.rows]
    open_ = before == REMOVED
    keep = group.keep - int(np.count_nonzero(before == KEPT_UNKNOWN))
    check_enough(group, keep, int(np.count_nonzero(open_)), policy)
    rows = group.rows if open_.all() else np.arange(len(fates))[group.rows][open_]

    def ties(indices: np.ndarray) -> np.ndarray:
        chosen = indices if isinstance(rows, slice) else rows[indices]
        return hash_ids(ids.take(chosen), seed=policy.seed, purpose=policy.purpose)

    columns = {name: values[rows] for name, values in besides.items()}
    mask = policy.rule.function(scores[rows], keep, ties, **columns, **policy.options)
    chosen_fates = (~mask).view(np.int8)  # KEPT is 0 and REMOVED 1
    if policy.rule.cut is not None:
        cut = round_half_up(policy.options[policy.rule.cut] * len(mask))
        chosen_fates[top(scores[rows], cut, ties)] = REMOVED_HARDEST
    fates[rows] = chosen_fates
