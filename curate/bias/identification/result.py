"""The result of Name That Dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.bias.identification.null_control import NullControl
from curate.errors import CurateError
from curate.stats.exact import clopper_pearson

if TYPE_CHECKING:
    from curate.bias.audit.result import Audit
    from curate.bias.audit.shortcut import Shortcut
    from curate.bias.overlap.result import Overlap
    from curate.bias.sources.source import Source


@dataclass(frozen=True, eq=False, repr=False)
class Identification:
    """How well a classifier tells which source an example is from.

    Accuracy, interval, p-values, confusion and recalls are of one split: one classifier, trained
    on ``train_size`` examples of each source and tested on ``test_size`` others of each, every
    one counted once. So they hold for that classifier and new examples of these sources; the
    curve shows how far other splits differ.

    Attributes:
        names: of the k sources.
        accuracy: share of test examples whose source was named; as every source has equally
            many, this is the balanced accuracy.
        chance: 1 / k.
        interval: exact 95 % interval of that accuracy (Clopper & Pearson).
        p_value: of the accuracy, by permuting the labels of the test examples (ties are broken at
            random): valid for any classifier, and at least 1 / (permutations + 1).
        binomial_p_value: the exact probability that so many test examples or more are named
            right by chance.
        train_size: training examples of each source.
        test_size: test examples of each source.
        confusion: one row per pair: ``source``, ``named``, ``count`` of ``test_size``, ``rate``,
            and its exact 95 % interval ``low``, ``high``.
        curve: one row per size: ``size`` (training examples of each source), ``mean`` accuracy,
            ``low``, ``high`` (2.5 and 97.5 percentiles over repeats), ``repeats``.
        per_source: one row per source: ``source``, ``examples`` that it has, ``recall``, exact 95 %
            interval ``low``, ``high``, ``n`` tested.
        probabilities: one row per example of any source, out of fold (by a classifier that was
            trained without it and without its copies): ``source``, ``example_id``,
            ``p_<source>`` (calibrated, for sources of equal size), ``source_margin`` (logit of
            its own source minus the largest other logit).
        null_control: random halves of the sources; None if left out.
        audit: what file format, resolution and the like explain; None if left out or if the
            sources are not images.
        warnings: causes and alarms, each with ``cause``, ``sources`` and ``text``.
        overlap: what the sources share; equal examples and near copies are on one side.
        notes: what this classifier cannot see, and what was not looked at.
        left_out: one row per file, example or column of a source that is no part of this:
            ``source``, ``name``, ``reason``.
        single_columns: of tables with the same columns, how well each column alone tells each two
            sources apart, the best first: ``column``, ``first``, ``second``, ``accuracy``,
            ``p_value``, ``p_holm``, ``named``; else None.
    """

    names: tuple[str, ...]
    accuracy: float
    chance: float
    interval: tuple[float, float]
    p_value: float
    binomial_p_value: float
    train_size: int
    test_size: int
    confusion: pa.Table
    curve: pa.Table
    per_source: pa.Table
    probabilities: pa.Table
    null_control: NullControl | None
    audit: "Audit | None"
    warnings: "tuple[Caution | Shortcut, ...]"
    overlap: "Overlap | None" = None
    notes: tuple[str, ...] = ()
    left_out: pa.Table | None = None
    single_columns: pa.Table | None = None

    @cached_property
    def table(self) -> pa.Table:
        """``per_source`` with a column for every name: the share of its examples so named."""
        table = self.per_source
        rates = self.confusion["rate"].to_numpy().reshape(len(self.names), len(self.names))
        for position, name in enumerate(self.names):
            table = table.append_column(f"named_{name}", pa.array(rates[:, position].copy()))
        return table

    @property
    def conclusion(self) -> str:
        """What to do, in two or three sentences."""
        low, high = self.interval
        shared = self.overlap is not None and len(self.overlap.counts) > 0
        said = ["First take the shared examples out of one of the sources."] if shared else []
        if low <= self.chance <= high:
            said.append(
                "This classifier does not tell the sources apart; what it cannot see is noted."
            )
        elif high < self.chance:
            said.append("The sources are told apart worse than by chance: look for near copies.")
        else:
            said.append("Mixing these sources teaches a model which source an example is from.")
        if self.audit is not None and self.audit.warnings:
            causes = ", ".join(warning.cause for warning in self.audit.warnings)
            said.append(f"Their files differ in {causes}: make them alike first.")
        if self.audit is not None:
            after = self.audit.equalised
            if after.after_interval[0] > after.chance:
                said.append(
                    f"Made alike, the audit's images are still told apart with {after.after:.1%}, "
                    "by content."
                )
        named = [] if self.single_columns is None else self.single_columns.to_pylist()
        columns = list(dict.fromkeys(row["column"] for row in named if row["named"]))
        if columns:
            shown = ", ".join(columns[:3]) + (" …" if len(columns) > 3 else "")
            said.append(f"Columns that do so alone: {shown}.")
        return " ".join(said)

    def columns(self, source: str) -> pa.Table:
        """One source's rows of ``probabilities``, ready for :func:`curate.join` by example_id.

        Raises:
            CurateError: no source of that name.
        """
        if source not in self.names:
            raise CurateError(f"source: {source!r} is none of {list(self.names)}")
        own = pc.equal(self.probabilities["source"].cast(pa.string()), source)
        table = self.probabilities.filter(own).drop_columns(["source"])
        kind = (self.probabilities.schema.metadata or {}).get(source.encode())
        if kind == b"int64" and not pa.types.is_integer(table["example_id"].type):
            table = table.set_column(0, "example_id", table["example_id"].cast(pa.int64()))
        return table.replace_schema_metadata(None)

    def __repr__(self) -> str:
        return (
            f"Identification({len(self.names)} sources, accuracy {self.accuracy:.1%}, chance "
            f"{self.chance:.1%}, p = {self.p_value:.2g}, warnings: {len(self.warnings)})"
        )

    def __str__(self) -> str:
        """What is shared, accuracy and how sure it is, recalls, controls, notes and warnings."""
        low, high = self.interval
        shared = self.overlap is not None and len(self.overlap.counts)
        lines = [
            *([str(self.overlap), ""] if shared else []),
            f"{len(self.names)} sources are told apart with {self.accuracy:.1%} (chance "
            f"{self.chance:.1%}; exact 95 % interval {low:.1%} to {high:.1%}; permutation "
            f"{p_shown(self.p_value)}),",
            f"by {self.train_size:,} training and {self.test_size:,} test examples of each.",
            "",
            f"In short: {self.conclusion}",
            "",
            f"{'source':<24} {'examples':>9} {'recall':>7}   {'95 % interval':<16}   taken for",
        ]
        rates = self.confusion["rate"].to_numpy().reshape(len(self.names), len(self.names)).copy()
        np.fill_diagonal(rates, -1)
        for row, others in zip(self.per_source.to_pylist(), rates, strict=True):
            other = int(others.argmax())
            lines.append(
                f"{printable(row['source']):<24} {row['examples']:>9,} {row['recall']:>7.1%}   "
                f"{row['low']:>6.1%} to {row['high']:>6.1%}   {printable(self.names[other])} "
                f"({others[other]:.0%})"
            )
        if len(self.curve):
            points = [f"{row['size']:,}: {row['mean']:.1%}" for row in self.curve.to_pylist()]
            lines += ["", f"Training examples of each source: accuracy   {', '.join(points)}"]
        if self.null_control is not None:
            lines += ["", str(self.null_control)]
        if self.audit is not None:
            lines += ["", self.audit.summary]
        if self.notes:
            lines += ["", *(f"Note: {note}" for note in self.notes)]
        if self.warnings:
            lines += [
                "",
                *(f"Warning ({warning.cause}): {warning.text}" for warning in self.warnings),
            ]
        return "\n".join(lines)


def confusion_table(names: tuple[str, ...], y: np.ndarray, guesses: np.ndarray) -> pa.Table:
    """The confusion of test examples, one row per source and name, with exact intervals."""
    k = len(names)
    counts = np.bincount(y * k + guesses, minlength=k * k)
    tested = np.bincount(y, minlength=k).repeat(k)
    bounds = [clopper_pearson(*pair) for pair in zip(counts.tolist(), tested.tolist(), strict=True)]
    return pa.table(
        {
            "source": [name for name in names for _ in names],
            "named": list(names) * k,
            "count": counts,
            "rate": counts / np.maximum(tested, 1),
            "low": [low for low, _ in bounds],
            "high": [high for _, high in bounds],
        }
    )


def recall_table(names: tuple[str, ...], examples: list[int], confusion: pa.Table) -> pa.Table:
    """One row per source, from its cell on the diagonal of the confusion."""
    k = len(names)
    diagonal = confusion.take(np.arange(k) * (k + 1))
    tested = confusion["count"].to_numpy().reshape(k, k).sum(1)
    return pa.table(
        {
            "source": list(names),
            "examples": pa.array(examples, pa.int64()),
            "recall": diagonal["rate"],
            "low": diagonal["low"],
            "high": diagonal["high"],
            "n": tested,
        }
    )


def left_out_table(sources: "Sequence[Source]") -> pa.Table:
    """What is no part of the sources: ``source``, ``name``, ``reason``."""
    rows = [
        {"source": source.name, "name": name, "reason": reason}
        for source in sources
        for name, reason in source.left_out.items()
    ]
    return pa.Table.from_pylist(rows, LEFT_OUT)


LEFT_OUT = pa.schema([(name, pa.string()) for name in ("source", "name", "reason")])


def printable(name: str) -> str:
    """A name comes from outside: no line breaks or terminal codes, and not too long."""
    shown = "".join(char if char.isprintable() else "?" for char in name)
    return shown if len(shown) <= 24 else shown[:23] + "…"


def p_shown(p_value: float) -> str:
    """A permutation p-value as text."""
    return f"p = {p_value:.2g}"


@dataclass(frozen=True, repr=False)
class Caution:
    """Something to know before the figures are believed.

    Attributes:
        cause: one or two words.
        sources: which ones it concerns.
        text: a sentence.
    """

    cause: str
    sources: tuple[str, ...]
    text: str

    def __repr__(self) -> str:
        return f"Caution({self.cause!r}, sources: {len(self.sources)})"

    def __str__(self) -> str:
        return self.text
