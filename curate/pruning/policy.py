"""The arguments of a selection, checked."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa

from curate.errors import CurateError, is_choice
from curate.pruning.counts import is_count, keep_fraction
from curate.pruning.registry import STRATEGIES, Strategy, StrategyName, find_strategy
from curate.scores.registry import By, check_by, columns_of, name_of, registered_name
from curate.table.column import missing_column

_CHOICES = {
    "stratify": (None, "label"),
    "never_learned": ("keep", "drop"),
    "unknown": ("error", "keep", "drop"),
    "ties": ("hash", "margin"),
    "duplicates": ("keep", "drop"),
}

COPIES = ("duplicate_of", "nearest_test")
"""Columns that are null for examples that are no copies."""

MARGIN = "margin_mean"
"""The column by which ``ties="margin"`` tells equal scores apart."""


@dataclass(frozen=True)
class Policy:
    """What :func:`curate.prune` was asked for."""

    keep: int | float | Fraction | Decimal
    by: By
    strategy: str  # its name, or the qualified name of a function
    rule: Strategy
    options: Mapping[str, Any]
    stratify: str | None
    never_learned: str
    unknown: str
    seed: int
    ties: str = "hash"
    min_per_class: int | None = None
    duplicates: str = "keep"

    def share(self, total: int) -> Fraction:
        """The exact fraction of ``total`` rows to keep."""
        if total == 0:
            raise CurateError("table: it has no rows; record some examples first")
        return keep_fraction(self.keep, total)

    @property
    def purpose(self) -> str:
        """What the hashes are for: a random draw does not share its luck with tie-breaking."""
        return "random" if self.strategy == "random" else "ties"

    def settings(self, total: int, kept: int) -> dict[str, Any]:
        """The arguments as JSON values, and the counts."""
        options = {
            name: float(value) if isinstance(value, Fraction) else value
            for name, value in self.options.items()
        }
        keep = int(self.keep) if is_count(self.keep) else float(self.keep)
        given: dict[str, Any] = {}  # a default is not named: policies are compared and stored
        if self.ties != "hash":
            given["ties"] = self.ties
        if self.min_per_class is not None:
            given["min_per_class"] = self.min_per_class
        if self.duplicates != "keep":
            given["duplicates"] = self.duplicates
        return {
            "by": name_of(self.by),
            "strategy": self.strategy,
            **options,
            "keep": keep,
            "stratify": self.stratify,
            "never_learned": self.never_learned,
            "unknown": self.unknown,
            **given,
            "seed": self.seed,
            "total": total,
            "kept": kept,
        }


def make_policy(
    keep: int | float | Fraction | Decimal,
    by: By,
    strategy: StrategyName | str | Callable[..., Any],
    options: Mapping[str, Any],
    **choices: Any,
) -> Policy:
    """The checked arguments; whether the table can be ranked by ``by`` shows with the table.

    Raises:
        CurateError: one that cannot be used, named with its value and what it may be.
    """
    by = registered_name(by)
    strategy_name, rule, filled = find_strategy(strategy, options)
    for name, allowed in _CHOICES.items():
        if name in choices and not is_choice(choices[name], allowed):
            shown = " or ".join(repr(value) for value in allowed)
            raise CurateError(f"{name}: {choices[name]!r} is not a choice; give {shown}")
    seed = choices["seed"]
    try:
        choices["seed"] = operator.index(seed)
    except TypeError:
        raise CurateError(f"seed: {seed!r:.80} is not an integer") from None
    if isinstance(seed, bool):
        raise CurateError(f"seed: {seed!r} is not an integer")
    if choices.get("ties", "hash") != "hash" and not rule.ranks:
        ranking = ", ".join(name for name, entry in STRATEGIES.items() if entry.ranks)
        raise CurateError(
            f"ties: {choices['ties']!r} refines a ranking, and the strategy {strategy_name!r} does "
            f"more than cut one; give ties='hash', or one of the strategies {ranking}"
        )
    least = choices.get("min_per_class")
    if least is not None and not (is_count(least) and least >= 1):
        raise CurateError(
            f"min_per_class: {least!r}; give a number of examples, at least 1, or None"
        )
    return Policy(keep, by, strategy_name, rule, filled, **choices)


def needed_columns(policy: Policy, schema: pa.Schema) -> list[str]:
    """The columns of an example table that a selection reads.

    Raises:
        CurateError: the table lacks one of them, or its labels are no integers.
    """
    available = schema.names
    check_by(policy.by, available)
    needed = ["example_id", *columns_of(policy.by, available)]
    if policy.never_learned == "drop":
        needed += ["presentations", "first_learned"]
    if policy.duplicates == "drop":
        copies = [name for name in COPIES if name in available]
        if not copies:
            raise CurateError(
                f"duplicates: 'drop' needs the column {COPIES[0]!r} or {COPIES[1]!r}; join what "
                "curate.retest.near_duplicates(...).columns() gives"
            )
        needed += copies
    needed += policy.rule.columns
    if policy.stratify is not None:
        needed.append(policy.stratify)
    if policy.min_per_class is not None:
        needed.append("label")
    if policy.ties == "margin":
        if MARGIN not in available:
            raise CurateError(
                f"ties: 'margin' tells equal scores apart by the column {MARGIN!r}, which the "
                "table lacks; record with track='all', or give ties='hash'"
            )
        needed.append(MARGIN)
    for name in needed:
        if name not in available:
            raise missing_column(name, available)
    if "label" in available and not pa.types.is_integer(schema.field("label").type):
        raise CurateError(
            f"table: its column 'label' is of type {schema.field('label').type}; labels are class "
            "indices, int64, so cast or encode them"
        )
    if "label" in available:
        needed.append("label")
    return list(dict.fromkeys(needed))
