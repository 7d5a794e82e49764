"""``format="parquet"``: one file that DuckDB, Polars, Spark, pandas … read unaided."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from curate import table as files
from curate.data.view import View
from curate.exporting.arrow import tables
from curate.exporting.layout import Layout
from curate.exporting.progress import progress

FILE = "examples.parquet"


def write_parquet(view: View, kept: np.ndarray, folder: Path) -> Layout:
    """Write one Parquet file; ``class_name`` stands beside the label where names are known."""
    view = view.whole()
    groups = progress(tables(view, kept), len(kept), len)
    first = _with_class_names(next(groups), view)
    with files.open_writer(folder / FILE, first.schema) as writer:
        writer.write_table(first)
        for group in groups:
            writer.write_table(_with_class_names(group, view))
    return Layout(
        f'import pyarrow.parquet as pq\n\nkept = pq.read_table("PATH/{FILE}")',
        FILE,
        "One Parquet file; `example_id` is the id of each example in the source, images are "
        "encoded bytes.",
    )


def _with_class_names(group: pa.Table, view: View) -> pa.Table:
    names, label = view.class_names, view.label_field
    if names is None or label not in group.column_names or "class_name" in group.column_names:
        return group
    if not pa.types.is_integer(group[label].type):
        return group
    called = [
        None if row is None else names[row] if 0 <= row < len(names) else str(row)
        for row in group[label].to_pylist()
    ]
    position = group.column_names.index(label) + 1
    return group.add_column(position, "class_name", pa.array(called, pa.string()))
