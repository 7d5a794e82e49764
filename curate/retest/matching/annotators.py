"""Two annotators on one sheet: how far do they agree, and on what not?"""

import csv
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.stats import clopper_pearson, generator

_RESAMPLES = 2000


@dataclass(frozen=True, eq=False, repr=False)
class AnnotatorAgreement:
    """How two annotators answered.

    Attributes:
        table: one row per example: example_id, first, second (their answers), agree.
        agreement: share of the examples with one answer, and its exact 95 % interval.
        kappa: Cohen's κ, agreement beyond what chance gives annotators of these habits, with its
            95 % bootstrap interval over examples; None where only one answer was ever given.
    """

    table: pa.Table
    agreement: tuple[float, float, float]
    kappa: tuple[float, float, float] | None

    @property
    def disputed(self) -> pa.Table:
        """The rows on which they differ, for a third look."""
        return self.table.filter(pa.compute.invert(self.table["agree"]))

    def __repr__(self) -> str:
        kappa = "undefined" if self.kappa is None else f"{self.kappa[0]:.3f}"
        return (
            f"AnnotatorAgreement({len(self.table):,} examples, {self.agreement[0]:.1%} alike, "
            f"kappa={kappa})"
        )

    def __str__(self) -> str:
        share, low, high = self.agreement
        said = (
            f"Both gave one answer for {share:.1%} of {len(self.table):,} examples (95 %: "
            f"{low:.1%} to {high:.1%})"
        )
        if self.kappa is None:
            return f"{said}; only one answer was ever given, so that κ is undefined."
        value, low, high = self.kappa
        return f"{said}; Cohen's κ is {value:.2f} ({low:.2f} to {high:.2f})."


def annotator_agreement(first: Any, second: Any, *, seed: int = 0) -> AnnotatorAgreement:
    """Compare two filled-in labelling sheets (:func:`curate.report.write_labelling_sheets`).

    Args:
        first: the path of a CSV file with the columns ``example_id`` and ``answer``, or
            example id -> answer.
        second: that of the other annotator, on the same examples in any order.
        seed: of the bootstrap.

    Raises:
        CurateError: no such file or columns, an empty answer, an example that is there twice or
            on one sheet only.
    """
    answers = [_answers(first, "first"), _answers(second, "second")]
    for name, other, mine, theirs in (
        ("first", "second", *answers),
        ("second", "first", *answers[::-1]),
    ):
        alone = next((one for one in mine if one not in theirs), None)
        if alone is not None:
            raise CurateError(
                f"{name}: example {alone!r} is not on the sheet {other}; give both all"
            )
    ids = list(answers[0])
    if not ids:
        raise CurateError("first: the sheet has no rows")
    pair = [[sheet[one] for one in ids] for sheet in answers]
    names = sorted(set(pair[0]) | set(pair[1]))
    codes = np.array([[names.index(answer) for answer in sheet] for sheet in pair])
    agree = codes[0] == codes[1]
    share = (float(agree.mean()), *clopper_pearson(int(agree.sum()), len(ids)))
    kappa = cohen_kappa(codes[0], codes[1])
    table = pa.table({"example_id": ids, "first": pair[0], "second": pair[1], "agree": agree})
    if kappa is None:
        return AnnotatorAgreement(table, share, None)
    draws = generator(seed).integers(0, len(ids), (_RESAMPLES, len(ids)))
    again = [cohen_kappa(*codes[:, rows]) for rows in draws]
    known = [1.0 if value is None else value for value in again]
    low, high = np.quantile(known, (0.025, 0.975)).tolist()
    return AnnotatorAgreement(table, share, (kappa, low, high))


def cohen_kappa(first: np.ndarray, second: np.ndarray) -> float | None:
    """Cohen's κ (1960) of two lists of answers, integers from 0; None where all are one."""
    kinds = int(max(first.max(), second.max())) + 1
    shares = [np.bincount(codes, minlength=kinds) / len(codes) for codes in (first, second)]
    chance = float(shares[0] @ shares[1])
    return None if chance >= 1 else (float((first == second).mean()) - chance) / (1 - chance)


def _answers(given: Any, name: str) -> dict[str, str]:
    if isinstance(given, Mapping):
        return {str(one): str(answer).strip() for one, answer in given.items()}
    try:
        with open(os.fspath(given), encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, TypeError, UnicodeDecodeError, csv.Error) as error:
        raise CurateError(f"{name}: {given!r} is no CSV file that can be read ({error})") from error
    for column in ("example_id", "answer"):
        if rows and rows[0].get(column) is None:
            raise CurateError(f"{name}: it has no column {column!r}, only {list(rows[0])[:6]}")
    twice = [one for one, times in Counter(row["example_id"] for row in rows).items() if times > 1]
    if twice:
        raise CurateError(f"{name}: example {twice[0]!r} is there twice; give it one row")
    empty = next((row["example_id"] for row in rows if not (row["answer"] or "").strip()), None)
    if empty is not None:
        raise CurateError(f"{name}: example {empty!r} has no answer; fill in every row")
    return {row["example_id"]: row["answer"].strip() for row in rows}
