"""A source from the rows of a table: encoded images, or features."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.bias.sources.source import Source
from curate.data.encoded import Cells
from curate.data.formats.columns import Columns, dense_features, input_column
from curate.data.formats.hub import open_hub
from curate.data.formats.hugging_face import column_of, id_column, with_id_column
from curate.data.formats.labels import class_names_of, find_label, label_indices
from curate.data.formats.parquet import open_tables
from curate.data.holdout import TRAIN_NAMES
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
    return rows_source(name, splits[chosen] if chosen else next(iter(splits.values())), True)


def arrow_source(name: str, table: pa.Table) -> Source:
    """The rows of an Arrow table in memory."""
    from datasets import Dataset

    # a fingerprint of our own: it would hash the whole table, for a cache that is not used
    return rows_source(name, Dataset(table, fingerprint="curate"), False)


def rows_source(name: str, rows: "datasets.Dataset", follow_paths: bool) -> Source:
    """Images if there is an image column; else a column of lists, else all columns of numbers.

    The ids are ``example_id``, else row numbers. Labels that some rows lack are left out.
    """
    if not len(rows):
        raise CurateError(f"sources: the table of {name!r} has no rows; give at least one")
    try:
        ids = id_column(with_id_column(rows, None))
    except CurateError as error:
        raise CurateError(f"sources: {name!r}: {error}") from None
    labels, class_names = _labels(rows)
    numbers = _number_columns(rows)
    try:
        column, kind = input_column(rows, Columns())
    except CurateError:
        if not numbers:
            raise CurateError(
                f"sources: {name!r} has the columns {rows.column_names}, of which none is to be "
                "told as images or features; call one 'image' or 'features'"
            ) from None
        kind = "numbers"
    if kind == "image":
        cells = Cells(rows, column, follow_paths)
        return Source(name, ids, encoded=cells, labels=labels, class_names=class_names)
    if kind == "text" and not numbers:
        raise CurateError(f"sources: {name!r} holds texts; give images or features")
    if kind == "features":
        features = dense_features(rows, column).reshape(len(rows), -1)
        columns = (column,) * features.shape[1]
    else:
        features = np.stack([_numbers(rows, number, name) for number in numbers], axis=1)
        columns = tuple(numbers)
    return Source(
        name, ids, features=features, columns=columns, labels=labels, class_names=class_names
    )


def _labels(rows: "datasets.Dataset") -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    column = find_label(rows)
    if column is None:
        return None, None
    class_names = class_names_of(rows, column)
    try:
        labels = label_indices(column_of(rows, column), class_names, column)
    except CurateError:  # missing or hidden: no question about a source's name needs them
        return None, None
    return labels, None if class_names is None else tuple(class_names)


def _number_columns(rows: "datasets.Dataset") -> list[str]:
    schema = rows.with_format("arrow")[:0].schema
    apart = ("example_id", find_label(rows))
    return [
        field.name
        for field in schema
        if field.name not in apart
        and (pa.types.is_floating(field.type) or pa.types.is_integer(field.type))
    ]


def _numbers(rows: "datasets.Dataset", column: str, name: str) -> np.ndarray:
    values = column_of(rows, column)
    if values.null_count:
        row = pc.index(pc.is_null(values), True).as_py()
        raise CurateError(
            f"sources: the column {column!r} of {name!r} is null in row {row}; fill it or leave "
            "the column out"
        )
    return values.to_numpy().astype(np.float32)
