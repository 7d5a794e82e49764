"""A selection: which examples are kept, which are not, and why."""

import os
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate import table as tables
from curate.errors import CurateError
from curate.notebook import Shown
from curate.pruning.checksum import RowChecksum, hash_rows
from curate.table.column import mask_to_numpy

_TYPES = {"kept": pa.bool_(), "score": pa.float64()}
_MOST_CLASSES = 20  # that are printed


class Selection(Shown):
    """Which examples of a table are kept, which are removed, and why (:func:`curate.prune`).

    Attributes:
        table: one row per example, in the order of the input: ``example_id``, ``label`` (if known),
            ``kept`` bool, ``score`` float64 (high = hard; null if not known), ``reason`` string
            (dictionary). Its metadata has the ``fingerprint`` and ``class_names`` of the data set.
    """

    def __init__(self, table: pa.Table, settings: dict[str, Any]) -> None:
        self.table = table
        self._settings = settings

    @cached_property
    def policy(self) -> dict[str, Any]:
        """How the selection was made, as JSON values.

        The arguments of :func:`curate.prune`, ``total`` and ``kept`` rows, and two checksums that
        do not depend on the order of rows: ``table_checksum`` of the rows pruned (id, label,
        score) and ``kept_checksum`` of those kept.
        """
        return {**self._settings, **_checksums(self.table)}

    @property
    def kept_ids(self) -> pa.Array:
        """Ids of the kept examples, in table order."""
        return self._ids(self.table["kept"])

    @property
    def removed_ids(self) -> pa.Array:
        """Ids of the removed examples, in table order."""
        return self._ids(pc.invert(self.table["kept"]))

    def _ids(self, mask: pa.ChunkedArray) -> pa.Array:
        return self.table["example_id"].filter(mask).combine_chunks()

    def __len__(self) -> int:
        """Number of kept examples."""
        return int(pc.sum(self.table["kept"], min_count=0).as_py())

    def summary(self) -> pa.Table:
        """One row per class: ``label``, ``total``, ``kept`` (counts), ``fraction`` kept.

        In order of the label; a null label comes last and stands for examples without one.
        """
        labels = (
            self.table["label"] if "label" in self.table.column_names else _nulls(len(self.table))
        )
        grouped = pa.table({"label": labels, "kept": self.table["kept"].cast(pa.int64())})
        counted = grouped.group_by("label").aggregate([("kept", "count"), ("kept", "sum")])
        counted = counted.sort_by("label")
        total, kept = counted["kept_count"], counted["kept_sum"]
        fraction = pc.divide(kept.cast(pa.float64()), total.cast(pa.float64()))
        return pa.table(
            {"label": counted["label"], "total": total, "kept": kept, "fraction": fraction}
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write table and policy to one Parquet file, whole or not at all."""
        tables.write(tables.annotate(self.table, selection=self.policy), path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Selection":
        """Read a selection that :meth:`save` or ``curate.pruning.prune_file`` wrote.

        Raises:
            CurateError: a file that holds no selection, or one whose rows are not those it was
                saved with.
        """
        table = tables.read(path)
        policy = tables.metadata(table).get("selection")
        where = repr(os.fspath(path))
        if not isinstance(policy, dict):
            raise CurateError(
                f"path: {where} holds no selection, only the columns {table.column_names[:8]}; "
                "make one with curate.prune(...).save(path)"
            )
        _check(table, policy, where)
        selection = cls(tables.annotate(table, selection=None), policy)
        selection.policy = policy
        return selection

    def __repr__(self) -> str:
        """One line."""
        by, strategy = (_printable(self._settings[key], 18) for key in ("by", "strategy"))
        return f"Selection(kept {len(self):,} of {len(self.table):,}, by={by!r}, {strategy=})"

    def __str__(self) -> str:
        """What was kept, by class and by reason."""
        kept, total, seed = len(self), len(self.table), self._settings["seed"]
        by, strategy = (_printable(self._settings[key], 80) for key in ("by", "strategy"))
        lines = [
            f"{kept:,} of {total:,} examples kept ({kept / max(1, total):.1%}), by {by}, "
            f"strategy {strategy}, seed {seed}",
            "",
            *_class_lines(self.summary(), tables.metadata(self.table).get("class_names")),
            "",
        ]
        counts = pc.value_counts(self.table["reason"].cast(pa.string())).to_pylist()
        for entry in sorted(counts, key=lambda entry: (entry["values"], entry["counts"])):
            lines.append(f"{entry['counts']:>11,}  {entry['values']}")
        return "\n".join(lines)


def _class_lines(summary: pa.Table, class_names: list[str] | None) -> list[str]:
    lines = [f"{'class':<24} {'total':>11} {'kept':>11} {'share':>7}"]
    for row in summary.slice(0, _MOST_CLASSES).to_pylist():
        name = "(no label)" if row["label"] is None else str(row["label"])
        if class_names and row["label"] is not None and 0 <= row["label"] < len(class_names):
            name += f" {class_names[row['label']]}"
        lines.append(
            f"{_printable(name):<24} {row['total']:>11,} {row['kept']:>11,} {row['fraction']:>7.1%}"
        )
    if len(summary) > _MOST_CLASSES:
        lines.append(f"... and {len(summary) - _MOST_CLASSES:,} more classes")
    return lines + words_on_empty_classes(summary)


def words_on_empty_classes(summary: pa.Table) -> list[str]:
    """A sentence where classes have no example left, by :meth:`Selection.summary`; else none."""
    empty = pc.and_(pc.equal(summary["kept"], 0), pc.is_valid(summary["label"]))
    count = pc.sum(empty).as_py()
    if not count:
        return []
    return [f"{count:,} of {len(summary):,} classes have no example left (see min_per_class)."]


def _printable(name: object, most: int = 24) -> str:
    """The name, which comes from data: no line breaks or terminal codes, and not too long."""
    shown = "".join(char if char.isprintable() else "?" for char in str(name))
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _nulls(rows: int) -> pa.Array:
    return pa.nulls(rows, pa.int64())


def _checksums(table: pa.Table) -> dict[str, str]:
    labels = table["label"] if "label" in table.column_names else None
    scores = table["score"].to_numpy()
    rows = hash_rows(table["example_id"], labels, scores)
    every, kept = RowChecksum(), RowChecksum()
    every.add(rows)
    kept.add(rows * mask_to_numpy(table["kept"]))
    return {"table_checksum": every.hexdigest(), "kept_checksum": kept.hexdigest()}


def _check(table: pa.Table, policy: dict[str, Any], where: str) -> None:
    for name, type_ in _TYPES.items():
        if name not in table.column_names or table.schema.field(name).type != type_:
            raise CurateError(
                f"path: the selection in {where} lacks the column {name!r} of type {type_}; save "
                "it again with Selection.save"
            )
    known = {"by", "strategy", "seed", "table_checksum", "kept_checksum"} <= policy.keys()
    if not known or _checksums(table).items() - policy.items():
        raise CurateError(
            f"path: the rows of the selection in {where} are not those it was saved with; it was "
            "changed since, so make it again with curate.prune"
        )
