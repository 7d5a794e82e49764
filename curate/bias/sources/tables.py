"""Sources from tables, and from the view of any data set."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.bias.sources.source import Source
from curate.data.encoded import Follow
from curate.data.formats.hub import hub_files, open_hub
from curate.data.formats.hugging_face import id_column, with_id_column
from curate.data.formats.parquet import open_tables
from curate.data.holdout import TRAIN_NAMES
from curate.data.origins.rows import RowsView
from curate.data.view import View
from curate.errors import CurateError

if TYPE_CHECKING:
    import datasets


def file_source(name: str, path: Path) -> Source:
    """All rows of a Parquet or Arrow file, or of a folder of them."""
    from datasets import concatenate_datasets

    return rows_source(name, concatenate_datasets(list(open_tables(path).values())), False)


def hub_source(name: str, place: str) -> Source:
    """The training split of a Hugging Face set, or its only one."""
    splits = open_hub(place)
    chosen = next((split for split in TRAIN_NAMES if split in splits), None)
    if chosen is None and len(splits) != 1:
        raise CurateError(
            f"sources: {name!r} has the splits {sorted(splits)} and none is called 'train'; load "
            "one with datasets.load_dataset and give its Arrow table"
        )
    rows = splits[chosen] if chosen else next(iter(splits.values()))
    return rows_source(name, rows, hub_files(place))


def arrow_source(name: str, table: pa.Table) -> Source:
    """The rows of an Arrow table in memory."""
    from datasets import Dataset

    # a fingerprint of our own: it would hash the whole table, for a cache that is not used
    return rows_source(name, Dataset(table, fingerprint="curate"), False)


def rows_source(name: str, rows: "datasets.Dataset", follow: Follow) -> Source:
    """Images if there is an image column; else a column of lists, else all columns of numbers.

    The ids are ``example_id``, else row numbers. Labels that some rows lack are left out.
    """
    if not len(rows):
        raise CurateError(f"sources: the table of {name!r} has no rows; give at least one")
    try:
        ids = id_column(with_id_column(rows, None))
    except CurateError as error:
        raise CurateError(f"sources: {name!r}: {error}") from None
    positions = np.arange(len(rows))
    return view_source(name, RowsView(rows, positions, ids, name, follow=follow))


def view_source(name: str, view: View) -> Source:
    """The view of a data set under a name; its files stay on disk.

    Raises:
        CurateError: its examples are neither files of images, nor arrays of pixels or features.
    """
    if view.content == "texts":
        raise CurateError(f"sources: {name!r} holds texts; give images or features")
    if view.encoded is None and view.pixels is None and view.features is None:
        raise CurateError(
            f"sources: {name!r}: cannot tell which of {list(view.value(0))} holds images or "
            "features; call one 'image' or 'features', or give an array"
        )
    labels, names = view.labels, view.class_names
    return Source(
        name,
        view.ids,
        encoded=view.encoded,
        pixels=view.pixels,
        features=view.features,
        labels=labels,
        class_names=None if labels is None or names is None else tuple(names),
        columns=view.columns,
    )
