"""Label columns of any type as class indices."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.data.formats.hugging_face import column_of
from curate.errors import CurateError
from curate.table._as_table import is_text, is_view, plain

if TYPE_CHECKING:
    import datasets


_NAMES = ("label", "labels", "class", "target", "y", "fine_label")
_FAR = 1000
"""Whole numbers this far beyond twice the number of classes are numbers of a catalogue."""


class Classes(NamedTuple):
    """The classes of a label column.

    Attributes:
        names: the name of each class; None where labels are bare indices.
        values: the label of each class as the column has it; None where it is the index.
    """

    names: list[str] | None
    values: pa.Array | None


def find_label(rows: "datasets.Dataset") -> str | None:
    """The label column: the one ``ClassLabel``, else the first of the usual names; else None."""
    declared = [name for name, kind in rows.features.items() if type(kind).__name__ == "ClassLabel"]
    if len(declared) == 1:
        return declared[0]
    return next((name for name in _NAMES if name in rows.column_names), None)


def classes_of(rows: "datasets.Dataset", column: str) -> Classes:
    """The classes: those of a ``ClassLabel``; or distinct names, sorted; or indices.

    Whole numbers that lie far apart (catalogue numbers, hashes) are numbered by rank, and name
    their classes.
    """
    declared = getattr(rows.features[column], "names", None)
    if declared is not None:
        return Classes(list(declared), None)
    try:
        values = _names_or_numbers(column_of(rows, column), column)
    except CurateError:  # whoever asks for the labels is told
        return Classes(None, None)
    distinct = values.unique().drop_null()
    distinct = distinct.take(pc.sort_indices(distinct))
    if is_text(distinct.type):
        return Classes(distinct.to_pylist(), distinct)
    if not are_far_apart(distinct.to_numpy(zero_copy_only=False)):
        return Classes(None, None)
    return Classes([str(value) for value in distinct.to_pylist()], distinct)


def are_far_apart(distinct: np.ndarray) -> bool:
    """Whether these labels, sorted, are numbers of a catalogue rather than class indices."""
    if not len(distinct) or -1 in distinct:  # -1 stands for an unknown label
        return False
    bound = _FAR + 2 * len(distinct)
    return bool(int(distinct[-1]) >= bound or int(distinct[0]) <= -bound)


def label_indices(values: pa.ChunkedArray, classes: Classes, column: str) -> np.ndarray:
    """Labels as int64 class indices of shape (n,).

    Raises:
        CurateError: a null, a negative number (Hugging Face hides labels as -1), a fraction, or
            a name that is not among the classes.
    """
    values = _names_or_numbers(values, column)
    if values.null_count:
        row = pc.index(pc.is_null(values), True).as_py()
        raise CurateError(f"label_column: {column!r} is null in row {row}; leave such rows out")
    known, names = classes.values, classes.names
    if is_text(values.type) and known is None:
        raise CurateError(f"label_column: {column!r} holds text in one split, numbers elsewhere")
    if known is not None:
        if is_text(values.type) != is_text(known.type):
            raise CurateError(
                f"label_column: {column!r} holds text in one split, numbers elsewhere"
            )
        indices = pc.index_in(values, value_set=known.cast(values.type))
        if indices.null_count:
            unknown = values.filter(pc.is_null(indices))[0].as_py()
            raise CurateError(
                f"label_column: the class {unknown!r} of {column!r} occurs in the test split only; "
                "both splits need the same classes"
            )
        return indices.to_numpy().astype(np.int64)
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


def _names_or_numbers(values: pa.ChunkedArray, column: str) -> pa.ChunkedArray:
    """The labels as text or whole numbers, whatever type of Arrow holds them."""
    values = plain(values)
    kind = values.type
    if is_text(kind):
        return values.cast(pa.large_string())
    if is_view(kind, "binary") or pa.types.is_large_binary(kind) or pa.types.is_binary(kind):
        return _cast(values, pa.large_string(), column, "bytes that are no text")
    if pa.types.is_fixed_size_binary(kind) and not pa.types.is_decimal(kind):
        return _cast(values.cast(pa.binary()), pa.large_string(), column, "bytes that are no text")
    if pa.types.is_unsigned_integer(kind) and kind.bit_width == 64:
        fits = pc.max(values).as_py() or 0
        return values if fits > np.iinfo(np.int64).max else values.cast(pa.int64())
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return values.cast(pa.int64())
    if pa.types.is_float16(kind):
        values, kind = values.cast(pa.float32()), pa.float32()
    if pa.types.is_floating(kind):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, kind), values)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _cast(values, pa.int64(), column, "a fraction")
    if pa.types.is_null(kind):
        return values.cast(pa.int64())
    raise CurateError(
        f"label_column: {column!r} is of type {values.type}; give class indices or names"
    )


def _cast(
    values: pa.ChunkedArray, kind: pa.DataType, column: str, otherwise: str
) -> pa.ChunkedArray:
    try:
        return values.cast(kind)
    except pa.ArrowException as error:
        raise CurateError(
            f"label_column: {column!r} is of type {values.type} and holds {otherwise}; give class "
            "indices or names"
        ) from error
