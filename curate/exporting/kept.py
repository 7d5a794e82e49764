"""Which rows of a data set a selection keeps."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import table as tables
from curate.data.ids import Ids, as_arrow
from curate.errors import CurateError

if TYPE_CHECKING:
    from curate.pruning.selection import Selection


def kept_positions(ids: Ids, selection: "Selection") -> np.ndarray:
    """Positions of the kept examples in the data set, int64, ascending.

    Raises:
        CurateError: data set and selection do not have the same ids, or nothing is kept.
    """
    known = as_arrow(ids)
    table = tables.as_table(selection.table, "selection")
    chosen = table["example_id"].combine_chunks()
    if chosen.type != known.type:
        raise CurateError(
            f"selection: its ids are of type {chosen.type} but the data set's of type "
            f"{known.type}; give the data set that was recorded, wrapped with the same ids"
        )
    rows = pc.index_in(known, value_set=chosen)
    _check_known(known, rows, "of the data set are not in the selection")
    _check_known(
        chosen, pc.index_in(chosen, value_set=known), "of the selection are not in the data set"
    )
    if len(chosen) != len(known):
        raise CurateError(
            f"selection: it has {len(chosen)} rows for {len(known)} ids, so an id occurs twice; "
            "make it again from a table with one row per example"
        )
    positions = np.flatnonzero(table["kept"].combine_chunks().take(rows).to_numpy(False))
    if not len(positions):
        raise CurateError("selection: it keeps no example, so there is nothing to export")
    return positions


def check_recorded(selection: "Selection", fingerprint: str) -> None:
    """Refuse a data set whose fingerprint is not the one that was recorded, where that is known.

    Equal ids do not make equal examples: the positions 0..n-1 are ids of every set of n.
    """
    recorded = tables.metadata(selection.table).get("fingerprint")
    if recorded is not None and recorded != fingerprint:
        raise CurateError(
            f"selection: it was made for a data set with the fingerprint {recorded}, but this "
            f"one's is {fingerprint}; give the data set that was recorded, or, if its content may "
            "differ, selection.table = curate.table.annotate(selection.table, fingerprint=None)"
        )


def _check_known(ids: pa.Array, matches: pa.Array, complaint: str) -> None:
    if matches.null_count:
        first = ids.filter(pc.is_null(matches))[0].as_py()
        raise CurateError(
            f"selection: {matches.null_count} ids {complaint}, the first is {first!r}; give the "
            "data set that was recorded, with the same ids"
        )
