"""The rows of a selection in the order of the example table."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import CurateError


def align_selection(table: pa.Table, selection: Any) -> pa.Table:
    """The selection's rows in the order of ``table``, one per row.

    Raises:
        CurateError: an example of the table is not in the selection, or their ids differ in type.
    """
    ids, chosen = table["example_id"], selection.table
    if ids.type != chosen["example_id"].type:
        raise CurateError(
            f"selection: its ids are {chosen['example_id'].type} but the table's are {ids.type}; "
            "give the selection that was made from this table"
        )
    if chosen["example_id"].equals(ids):
        return chosen
    rows = pc.index_in(ids, value_set=chosen["example_id"].combine_chunks())
    if rows.null_count:
        missing = ids.filter(pc.is_null(rows))[0].as_py()
        raise CurateError(
            f"selection: it does not know example {missing!r} of the table; give the selection "
            "that was made from this table"
        )
    return chosen.take(rows)


def kept_rows(table: pa.Table, selection: Any | None) -> np.ndarray | None:
    """Whether each row of ``table`` is kept, bool (rows,); None without a selection."""
    if selection is None:
        return None
    return np.asarray(align_selection(table, selection)["kept"], bool)
