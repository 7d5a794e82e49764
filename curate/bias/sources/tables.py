"""Sources from tables, and from the view of any data set."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.bias.sources.source import Source
from curate.data.encoded import Follow
from curate.data.formats.hub import hub_files, open_hub
from curate.data.formats.hugging_face import column_of, id_column, with_id_column
from curate.data.formats.parquet import open_tables
from curate.data.holdout import TRAIN_NAMES
from curate.data.origins.rows import RowsView
from curate.data.view import View
from curate.errors import CurateError
from curate.table._as_table import is_text, plain

if TYPE_CHECKING:
    import datasets


def file_source(name: str, path: Path, groups: str | None = None) -> Source:
    """All rows of a Parquet or Arrow file, or of a folder of them."""
    from datasets import concatenate_datasets

    return rows_source(name, concatenate_datasets(list(open_tables(path).values())), False, groups)


def hub_source(name: str, place: str, groups: str | None = None) -> Source:
    """The training split of a Hugging Face set, or its only one."""
    splits = open_hub(place)
    chosen = next((split for split in TRAIN_NAMES if split in splits), None)
    if chosen is None and len(splits) != 1:
        raise CurateError(
            f"sources: {name!r} has the splits {sorted(splits)} and none is called 'train'; load "
            "one with datasets.load_dataset and give its Arrow table"
        )
    rows = splits[chosen] if chosen else next(iter(splits.values()))
    return rows_source(name, rows, hub_files(place), groups)


def arrow_source(name: str, table: pa.Table, groups: str | None = None) -> Source:
    """The rows of an Arrow table in memory."""
    from datasets import Dataset

    # a fingerprint of our own: it would hash the whole table, for a cache that is not used
    return rows_source(name, Dataset(table, fingerprint="curate"), False, groups)


def rows_source(
    name: str, rows: "datasets.Dataset", follow: Follow, groups: str | None = None
) -> Source:
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
    return view_source(name, RowsView(rows, positions, ids, name, follow=follow), groups)


def view_source(name: str, view: View, groups: str | None = None) -> Source:
    """The view of a data set under a name; its files stay on disk.

    Of a table of numbers, the columns of text and of yes and no are kept as words; columns of other
    types, and those without a value, are left out by name.

    Args:
        name: the name.
        view: n examples.
        groups: the column of a table with marks of what belongs together; then it is no feature.

    Raises:
        CurateError: its examples are neither files of images, nor arrays of pixels or features.
    """
    if not isinstance(view, RowsView):
        return _viewed(name, view)
    marks = None
    if groups is not None:
        marks, view = _without_groups(name, view, groups)
    found = _numbers(name, view) if view.holds == "numbers" else _viewed(name, view)
    left_out = dict(found.left_out)
    if view.holds == "features":
        used = {"example_id", view.label_field, *(view.columns or ())}
        for column in view.root.column_names:
            if column not in used:
                left_out[column] = f"a column beside the features {(view.columns or ('',))[0]!r}"
    if found.labels is None and view.label_field is not None:
        left_out[view.label_field] = "labels that are missing in some rows, or are no classes"
    return replace(found, groups=marks, left_out=left_out)


def _numbers(name: str, view: RowsView) -> Source:
    """A source whose features are the columns of numbers of a table, its words beside."""
    left_out: dict[str, str] = {}
    words: dict[str, np.ndarray] = {}
    for column in view.root.column_names:
        if column in ("example_id", view.label_field):
            continue
        values = plain(column_of(view.root, column)).take(pa.array(view.positions))
        kind = values.type
        if values.null_count == len(values):
            left_out[column] = "a column without a value"
        elif is_text(kind):
            words[column] = np.array(values.to_pylist(), object)
        elif pa.types.is_boolean(kind):
            said = {True: "yes", False: "no", None: None}
            words[column] = np.array([said[value] for value in values.to_pylist()], object)
        elif not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            left_out[column] = f"a column of type {kind}"
    kept = _same(view, view.root.remove_columns(list(left_out)))
    if kept.features is None:
        raise CurateError(
            f"sources: no column of numbers of {name!r} holds a value; give one that does"
        )
    return replace(_viewed(name, kept), words=words, left_out=left_out)


def _without_groups(name: str, view: RowsView, column: str) -> tuple[np.ndarray, RowsView]:
    """The marks in a column, and the view without it."""
    if column not in view.root.column_names:
        raise CurateError(
            f"groups: {name!r} has no column {column!r} among {sorted(view.root.column_names)}"
        )
    marks = np.empty(len(view), object)
    marks[:] = plain(column_of(view.root, column)).take(pa.array(view.positions)).to_pylist()
    if column == "example_id":
        return marks, view
    return marks, _same(view, view.root.remove_columns(column))


def _same(view: RowsView, root: "datasets.Dataset") -> RowsView:
    """The same examples of a table with fewer columns."""
    return RowsView(
        root,
        view.positions,
        view.ids,
        view.name,
        follow=view.follow,
        image_column=view.image_column,
    )


def _viewed(name: str, view: View) -> Source:
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
