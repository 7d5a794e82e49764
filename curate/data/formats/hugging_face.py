"""Hugging Face data sets: the ``example_id`` column, and recognising one without importing it."""

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

import pyarrow as pa

from curate.data.formats.stored_rows import stored_rows
from curate.data.ids import Ids, as_arrow, checked_ids
from curate.errors import CurateError

if TYPE_CHECKING:
    import datasets


def is_hugging_face(dataset: object) -> "TypeGuard[datasets.Dataset]":
    """Whether this is a ``datasets.Dataset``; nobody holds one who has not imported the package."""
    module = sys.modules.get("datasets")
    return module is not None and isinstance(dataset, module.Dataset)


def with_id_column(dataset: "datasets.Dataset", ids: Any) -> "datasets.Dataset":
    """The data set with unique ids in its ``example_id`` column, put there if need be.

    Where there are none, they are the positions in the stored table (:func:`stored_rows`).
    """
    if ids is None and "example_id" in dataset.column_names:
        ids = id_column(dataset)
        if column_of(dataset, "example_id").type in (pa.int64(), pa.string()):
            return dataset
    plain = checked_ids(stored_rows(dataset) if ids is None else ids, len(dataset))
    shown, complete = dataset.format["columns"], dataset.column_names
    if "example_id" in complete:
        dataset = dataset.remove_columns("example_id")
    dataset = dataset.add_column("example_id", as_arrow(plain))
    if set(shown) != set(complete):  # a format that shows some columns only: show the ids too
        keywords = dataset.format["format_kwargs"]
        dataset = dataset.with_format(dataset.format["type"], [*shown, "example_id"], **keywords)
    return dataset


def id_column(dataset: "datasets.Dataset") -> Ids:
    """The ids in the ``example_id`` column, checked."""
    if "example_id" not in dataset.column_names:
        raise CurateError(
            f"dataset: it has the columns {dataset.column_names} but no 'example_id'; wrap it with "
            "curate.data.with_ids"
        )
    return checked_ids(column_of(dataset, "example_id"), len(dataset))


def column_of(dataset: "datasets.Dataset", name: str) -> pa.ChunkedArray:
    """One column in the order of the rows; the others (images, say) are not touched."""
    return dataset.select_columns(name).with_format("arrow")[:][name]
