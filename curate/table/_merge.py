"""Merging the tables of several runs (seeds) of the same data set into one."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import CurateError
from curate.table._as_table import as_table
from curate.table.schema import COLUMNS, annotate, describe, metadata

_NEEDED = ("example_id", "label", "presentations", "forgetting_events", "first_learned")


def merge(tables: Iterable[Any]) -> pa.Table:
    """One table for several runs over the same examples.

    Counts are summed (Toneva et al., 2019, sum forgetting events over seeds). Means and the
    standard deviation become those of all presentations together, as if the runs were one;
    ``last_loss`` and ``margin_last`` are means over runs (null where one run's is),
    ``first_learned`` is the mean over the runs that learned the example. ``runs`` and
    ``runs_learned`` count the runs that presented it and that learned it. Merging merged tables
    gives the same as merging all at once. Histories are left out: presentations of different
    runs have no common order.

    Args:
        tables: one per run, with the same columns: example tables or merged ones, as
            ``pyarrow`` tables or anything with ``__arrow_c_stream__`` (pandas, Polars …).

    Returns:
        One row per example, in the order of first appearance. Of the metadata it has the entries
        that all tables share.

    Raises:
        CurateError: no table, ids of different types, a column that only some tables have,
            different fingerprints, or an example whose label differs between runs.
    """
    if isinstance(tables, str | bytes | pa.Table) or not isinstance(tables, Iterable):
        raise CurateError(f"tables: a {type(tables).__name__}; give a list of tables to merge")
    try:
        tables = list(tables)
    except (TypeError, RuntimeError) as error:  # a tensor without an axis, or nested
        raise CurateError(f"tables: {error}; give a list of tables to merge") from None
    tables = [as_table(table, f"tables: number {n}") for n, table in enumerate(tables)]
    if not tables:
        raise CurateError("tables: an empty list; give at least one table to merge")
    names = [f"number {n}" for n in range(len(tables))]
    stacked = stack(tables, names)
    encoded = stacked["example_id"].combine_chunks().dictionary_encode()
    merged = merge_groups(stacked, encoded.indices.to_numpy(), encoded.dictionary)
    return annotate(describe(merged), **common_metadata([table.schema for table in tables]))


def stack(tables: Sequence[pa.Table], names: Sequence[str]) -> pa.Table:
    """The rows of all tables, one after the other, with ``runs`` and ``runs_learned``.

    Args:
        tables: one per run.
        names: of the tables, for an error.

    Raises:
        CurateError: tables that are not of one kind.
    """
    parts = [_with_runs(table, name) for table, name in zip(tables, names, strict=True)]
    _check_alike(parts, names)
    return pa.concat_tables([part.replace_schema_metadata() for part in parts])


def merge_groups(stacked: pa.Table, groups: np.ndarray, ids: pa.Array) -> pa.Table:
    """The merged columns of stacked rows.

    Args:
        stacked: n rows, see :func:`stack`.
        groups: (n,) int, which example each row is of.
        ids: (examples,) of the examples.
    """
    sums = _Sums(stacked, groups, len(ids))
    columns: dict[str, pa.Array] = {"example_id": ids, "label": _labels(stacked, groups, ids)}
    presented = sums("presentations") > 0
    finite = sums("finite")
    for name in stacked.column_names:
        how = COLUMNS[name].merged
        if how == "sum":
            known = None if name == "presentations" else ~presented
            columns[name] = pa.array(sums(name).astype(np.int32), mask=known)
        elif how == "mean of presentations":
            columns[name] = _ratio(sums(name, weight="finite"), finite)
        elif how == "std of presentations":
            columns[name] = _pooled_std(sums, name, finite)
        elif how == "mean of runs":
            complete = sums.known(name, weight="runs") == sums("runs")
            columns[name] = _ratio(sums(name, weight="runs"), sums("runs") * complete)
    columns["first_learned"] = _ratio(
        sums("first_learned", weight="runs_learned"), sums("runs_learned")
    )
    columns["runs"] = pa.array(sums("runs").astype(np.int32))
    columns["runs_learned"] = pa.array(sums("runs_learned").astype(np.int32))
    return pa.table({name: columns[name] for name in COLUMNS if name in columns})


class _Sums:
    """Sums of columns over the rows of each example; nulls add nothing."""

    def __init__(self, table: pa.Table, groups: np.ndarray, size: int) -> None:
        self.values = {
            name: table[name].to_numpy().astype(np.float64, copy=False)
            for name in table.column_names
            if name not in ("example_id", "label")
        }
        non_finite = np.nan_to_num(self.values.get("non_finite", np.zeros(len(table))))
        self.values["finite"] = self.values["presentations"] - non_finite
        self.groups, self.size = groups, size
        runs, rest = divmod(len(groups), max(size, 1))
        in_turn = np.tile(np.arange(size), runs)
        self.side_by_side = size > 0 and rest == 0 and np.array_equal(groups, in_turn)

    def __call__(self, name: str, weight: str | None = None) -> np.ndarray:
        values = self.values[name]
        return self._add(values if weight is None else values * self.values[weight])

    def known(self, name: str, weight: str) -> np.ndarray:
        """The weight of the rows where the column is not null."""
        return self._add(np.where(np.isnan(self.values[name]), 0.0, self.values[weight]))

    def squared_deviations(self, name: str, centre: np.ndarray) -> np.ndarray:
        """Over presentations, the squared distance from ``centre``, by ``_mean`` and ``_std``."""
        mean, std = self.values[f"{name}_mean"], self.values[f"{name}_std"]
        return self._add(((mean - centre[self.groups]) ** 2 + std**2) * self.values["finite"])

    def _add(self, weights: np.ndarray) -> np.ndarray:
        if not np.isfinite(weights).all():
            weights = np.nan_to_num(weights)
        if self.side_by_side:  # the same sums, without going through the groups
            return np.add.reduce(weights.reshape(-1, self.size), axis=0)
        return np.bincount(self.groups, weights=weights, minlength=self.size)


def _pooled_std(sums: _Sums, column: str, finite: np.ndarray) -> pa.Array:
    name = column.removesuffix("_std")
    counts = np.maximum(finite, 1)
    mean = sums(f"{name}_mean", weight="finite") / counts
    return pa.array(np.sqrt(sums.squared_deviations(name, mean) / counts), mask=finite == 0)


def _ratio(total: np.ndarray, count: np.ndarray) -> pa.Array:
    return pa.array(total / np.maximum(count, 1), mask=count == 0)


def merged_columns(names: Sequence[str], table: str) -> list[str]:
    """Of the columns of a table those that are merged.

    Raises:
        CurateError: one that is needed is missing.
    """
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise CurateError(f"tables: {table} lacks {missing}; merge tables that a Recorder made")
    return [name for name in COLUMNS if name in names and name not in ("history", "epoch_ends")]


def _with_runs(table: pa.Table, name: str) -> pa.Table:
    table = table.select(merged_columns(table.column_names, name))
    if "runs" in table.column_names:
        return table
    learned = pc.cast(pc.is_valid(table["first_learned"]), pa.int32())
    presented = pc.cast(pc.greater(table["presentations"], 0), pa.int32())
    first_learned = table["first_learned"].cast(pa.float64())
    table = table.set_column(
        table.column_names.index("first_learned"), "first_learned", first_learned
    )
    return table.append_column("runs", presented).append_column("runs_learned", learned)


def _check_alike(parts: Sequence[pa.Table], names: Sequence[str]) -> None:
    first = parts[0].schema
    for table, part in zip(names[1:], parts[1:], strict=True):
        if part.schema.names != first.names:
            differing = sorted(set(part.schema.names) ^ set(first.names))
            raise CurateError(
                f"tables: {table} and {names[0]} differ in the columns {differing}; record "
                "all runs with the same options"
            )
        for name, kind, other in zip(first.names, first.types, part.schema.types, strict=True):
            if kind == other:
                continue
            if name == "example_id":
                raise CurateError(
                    f"tables: {table} has ids of type {other}, {names[0]} of type {kind}; "
                    "merge runs over the same data set"
                )
            raise CurateError(
                f"tables: the column {name!r} of {table} is of type {other}, of {names[0]} "
                f"of type {kind}; cast one of them"
            )


def _labels(stacked: pa.Table, groups: np.ndarray, ids: pa.Array) -> pa.Array:
    known = pc.is_valid(stacked["label"]).to_numpy()
    labels = pc.fill_null(stacked["label"], 0).to_numpy()
    merged = np.zeros(len(ids), np.int64)
    merged[groups[known]] = labels[known]
    differs = known & (merged[groups] != labels)
    if differs.any():
        row = int(np.flatnonzero(differs)[0])
        raise CurateError(
            f"tables: example {ids[int(groups[row])].as_py()!r} has label {labels[row]} in one run "
            f"and {merged[groups[row]]} in another; merge runs over the same data set"
        )
    return pa.array(merged, mask=np.bincount(groups, weights=known, minlength=len(ids)) == 0)


def common_metadata(schemas: Sequence[pa.Schema]) -> dict[str, object]:
    """Entries that all tables share; differing fingerprints mean differing data sets."""
    entries = [metadata(schema) for schema in schemas]
    prints = {entry["fingerprint"] for entry in entries if "fingerprint" in entry}
    if len(prints) > 1:
        raise CurateError(
            f"tables: they come from different data sets (fingerprints {sorted(prints)}); merge "
            "runs over the same data set"
        )
    return {
        key: value
        for key, value in entries[0].items()
        if all(entry.get(key) == value for entry in entries)
    }
