"""Joining further columns to the example table."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import CurateError
from curate.table._as_table import as_table


def join(table: Any, other: Any) -> pa.Table:
    """Add the columns of ``other`` to ``table`` by ``example_id`` (a left join).

    Args:
        table: an example table, also with an id in several rows (one per run, say): a
            ``pyarrow`` table or anything with ``__arrow_c_stream__`` (pandas, Polars …).
        other: the same, with one row per id, in any order; its columns may be of any type.

    Returns:
        The rows of ``table`` in their order, with null where ``other`` lacks the id; ids that
        only ``other`` has are left out.

    Raises:
        CurateError: no ``example_id`` column, ``other`` has an id twice or ids of another type, or
            both have a column of the same name.
    """
    table, other = as_table(table), as_table(other, "other")
    for name, side in (("table", table), ("other", other)):
        if "example_id" not in side.column_names:
            raise CurateError(f"{name}: no 'example_id' column among {side.column_names}")
    ids, other_ids = table["example_id"], other["example_id"].combine_chunks()
    if ids.type != other_ids.type:
        raise CurateError(
            f"other: its ids are {other_ids.type} but the table's are {ids.type}; cast one of them"
        )
    shared = sorted(set(table.column_names) & set(other.column_names) - {"example_id"})
    if shared:
        raise CurateError(f"other: both tables have {shared}; rename or drop these columns first")
    _check_unique(other_ids)
    rows = pc.index_in(ids, value_set=other_ids)
    matched = other.drop_columns(["example_id"]).combine_chunks().take(rows)
    for field, column in zip(matched.schema, matched.columns, strict=True):
        table = table.append_column(field, column)
    return table


def _check_unique(ids: pa.Array) -> None:
    if pc.count_distinct(ids).as_py() == len(ids):
        return
    counts = pc.value_counts(ids)
    repeated = counts.filter(pc.greater(counts.field("counts"), 1))[0]["values"].as_py()
    raise CurateError(f"other: example_id {repeated!r} occurs more than once; keep one row per id")
