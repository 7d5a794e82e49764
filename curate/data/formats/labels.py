"""Label columns of any type as class indices."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.data.formats.hugging_face import column_of
from curate.errors import CurateError

if TYPE_CHECKING:
    import datasets


_NAMES = ("label", "labels", "class", "target", "y", "fine_label")


def find_label(rows: "datasets.Dataset") -> str | None:
    """The label column: the one ``ClassLabel``, else the first of the usual names; else None."""
    declared = [name for name, kind in rows.features.items() if type(kind).__name__ == "ClassLabel"]
    if len(declared) == 1:
        return declared[0]
    return next((name for name in _NAMES if name in rows.column_names), None)


def class_names_of(rows: "datasets.Dataset", column: str) -> list[str] | None:
    """The names of the classes, by index; None where labels are bare numbers.

    They are those of a ``ClassLabel``, or the distinct values of a string column, sorted.
    """
    declared = getattr(rows.features[column], "names", None)
    if declared is not None:
        return list(declared)
    values = _plain(column_of(rows, column))
    if not _is_text(values.type):
        return None
    return sorted(value for value in values.unique().to_pylist() if value is not None)


def label_indices(values: pa.ChunkedArray, names: list[str] | None, column: str) -> np.ndarray:
    """Labels as int64 class indices of shape (n,).

    Raises:
        CurateError: a null, a negative number (Hugging Face hides labels as -1), a fraction, or
            a name that is not among ``names``.
    """
    values = _plain(values)
    if values.null_count:
        row = pc.index(pc.is_null(values), True).as_py()
        raise CurateError(f"label_column: {column!r} is null in row {row}; leave such rows out")
    if _is_text(values.type):
        if names is None:
            raise CurateError(
                f"label_column: {column!r} holds text in one split, numbers elsewhere"
            )
        indices = pc.index_in(values, value_set=pa.array(names, values.type))
        if indices.null_count:
            unknown = values.filter(pc.is_null(indices))[0].as_py()
            raise CurateError(
                f"label_column: the class {unknown!r} of {column!r} occurs in the test split only; "
                "both splits need the same classes"
            )
        return indices.to_numpy().astype(np.int64)
    if not (pa.types.is_integer(values.type) or pa.types.is_boolean(values.type)):
        raise CurateError(
            f"label_column: {column!r} is of type {values.type}; give class indices or names"
        )
    labels = values.to_numpy().astype(np.int64)
    if len(labels) and labels.min() < 0:
        raise CurateError(
            f"label_column: {column!r} is {labels.min()} in row {int(labels.argmin())}; labels are "
            "class indices from 0 (a hidden or missing one cannot be used)"
        )
    if names is not None and len(labels) and labels.max() >= len(names):
        raise CurateError(
            f"label_column: {column!r} is {labels.max()} in row {int(labels.argmax())} but there "
            f"are {len(names)} class names"
        )
    return labels


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type):
        return values.cast(values.type.value_type)
    return values


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
