"""From the columns of Hugging Face data sets to images, features or texts, labels and ids."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch

from curate.data.depth import Depth
from curate.data.encoded import Cells, Follow
from curate.data.example_set import ExampleSet
from curate.data.formats.hugging_face import column_of, id_column, with_id_column
from curate.data.formats.images import image_endings, warn_left_out
from curate.data.formats.labels import Classes, classes_of, find_label, label_indices
from curate.data.formats.whole import check_errors, whole_images
from curate.data.holdout import TEST_NAMES, TRAIN_NAMES, split_rows
from curate.data.ids import Ids, take_ids
from curate.data.pixels import common_shape
from curate.data.tokens import common_length, tokenize
from curate.errors import CurateError
from curate.table._as_table import is_text, is_view

if TYPE_CHECKING:
    import datasets

_IMAGE_NAMES = ("image", "img", "jpg", "jpeg", "png")
_FEATURE_NAMES = ("features", "feature", "embedding", "x")
_LOOKED_AT = 20
TEXT_NAMES = ("text", "sentence", "content", "document")


class Columns(NamedTuple):
    """Which columns to take; None: chosen by type and name."""

    inputs: str | None = None
    label: str | None = None
    id: str | None = None


def load_columns(
    splits: Mapping[str, "datasets.Dataset"],
    split: str | None,
    *,
    columns: Columns,
    size: int | tuple[int, int] | None,
    follow: Follow,
    errors: str = "raise",
) -> ExampleSet:
    """One split of a data set in columns.

    Args:
        splits: what there is, by name; with "train" and "test" (or "validation" …) these are
            taken, else a stratified fifth of the one split is the test split.
        split: None (all rows; there must be one split), "train" or "test".
        columns: which columns to take.
        size: of images, as in :func:`curate.data.load`.
        follow: which files that the rows only point at are read.
        errors: "raise" or "skip", as in :func:`curate.data.parquet`.
    """
    check_errors(errors)
    if split is not None and split not in ("train", "test"):
        raise CurateError(f"split: {split!r}; give 'train' or 'test'")
    train = next((splits[name] for name in TRAIN_NAMES if name in splits), None)
    test = next((splits[name] for name in TEST_NAMES if name in splits), None)
    if train is not None and test is not None:
        if split is None:
            raise CurateError(f"split: there are {sorted(splits)}; give 'train' or 'test'")
        rows = {"train": train, "test": test}
    else:
        whole = train if train is not None else _only(splits)
        whole = _with_ids(whole, columns)
        if split is None:
            rows = {"train": whole}
        else:
            labels = _labels(whole, columns, classes_of(whole, _label_column(whole, columns)))
            ids = id_column(whole)
            rows = {
                name: whole.select(split_rows(labels, ids, name))
                for name in dict.fromkeys(["train", split])
            }
    reference, taken = rows["train"], rows[split or "train"]
    column, kind = input_column(reference, columns)
    classes = classes_of(reference, _label_column(reference, columns))
    names = classes.names
    taken = _with_ids(taken, columns)
    labels, ids = _labels(taken, columns, classes), id_column(taken)
    origin: dict[str, Any] = {
        "columns": (column, _label_column(taken, columns)),
        "follow": follow,
    }
    if kind == "image":
        examined = Cells(reference, column, follow)
        called = id_column(_with_ids(reference, columns))
        shape = common_shape(examined, size, called, skip=errors == "skip")
        broken: dict[Any, str] = {}
        if errors == "skip":
            kept, broken = whole_images(Cells(taken, column, follow), ids)
            if broken:
                taken, labels, ids = taken.select(kept), labels[kept], take_ids(ids, kept)
                warn_left_out(broken, column)
        return ExampleSet(
            ids,
            labels,
            names,
            shape=shape,
            encoded=Cells(taken, column, follow),
            dataset=taken,
            depth=Depth(examined),
            left_out=broken,
            **origin,
        )
    if kind == "text":
        texts = _texts(taken, column)
        values = tokenize(texts, common_length(_texts(reference, column)))
        length = values.shape[1:]
        return ExampleSet(
            ids, labels, names, shape=length, values=values, texts=texts, dataset=taken, **origin
        )
    features = torch.from_numpy(dense_features(taken, column))
    _check_finite(features, ids, column)
    return ExampleSet(
        ids, labels, names, shape=features.shape[1:], values=features, dataset=taken, **origin
    )


def _check_finite(features: torch.Tensor, ids: Ids, column: str) -> None:
    finite = torch.isfinite(features.reshape(len(features), -1)).all(1)
    if not finite.all():
        row = int((~finite).nonzero()[0])
        raise CurateError(
            f"column: {column!r} holds NaN or infinity in {int((~finite).sum()):,} rows, the first "
            f"is that of example {ids[row]!s}; fill them or leave these rows out"
        )


def _only(splits: Mapping[str, "datasets.Dataset"]) -> "datasets.Dataset":
    if len(splits) != 1:
        raise CurateError(
            f"split: the set has {sorted(splits)}, which are not a train and a test split; load "
            "the one you want with datasets.load_dataset and wrap it with curate.data.with_ids"
        )
    return next(iter(splits.values()))


def _with_ids(rows: "datasets.Dataset", columns: Columns) -> "datasets.Dataset":
    if not len(rows):
        raise CurateError("dataset: it has no rows; give one with at least one example")
    if columns.id is None:
        return with_id_column(rows, None)
    _check_named(rows, columns.id, "id_column")
    return with_id_column(rows, column_of(rows, columns.id))


def input_column(rows: "datasets.Dataset", columns: Columns) -> tuple[str, str]:
    """The name of the input column, and what it holds: "image", "features" or "text"."""
    schema = rows.with_format("arrow")[:0].schema
    images = [field.name for field in schema if _is_image(field.type)]
    features = [field.name for field in schema if _is_feature(field.type)]
    texts = [field.name for field in schema if is_text(field.type)]
    if columns.inputs is not None:
        _check_named(rows, columns.inputs, "column")
        for kind, candidates in (("image", images), ("features", features), ("text", texts)):
            if columns.inputs in candidates:
                if kind == "text":
                    _check_no_paths(rows, columns.inputs)
                return columns.inputs, kind
        raise CurateError(
            f"column: {columns.inputs!r} is of type {schema.field(columns.inputs).type}; give one "
            "of image bytes, of lists of numbers, or of texts"
        )
    declared = [name for name, kind in rows.features.items() if type(kind).__name__ == "Image"]
    for candidates, names, kind in (
        (declared, (), "image"),
        (images, _IMAGE_NAMES, "image"),
        (features, _FEATURE_NAMES, "features"),
    ):
        named = [name for name in names if name in candidates]
        if named or len(candidates) == 1:
            return (named or candidates)[0], kind
    for name in TEXT_NAMES:  # by name only: any column may hold strings
        if name in texts:
            return name, "text"
    for name in _IMAGE_NAMES:
        if name in texts:
            _check_no_paths(rows, name)
    raise CurateError(
        f"column: cannot tell which of {rows.column_names} holds images, features or texts; name "
        "it in curate.data.parquet, or rename it to 'image', 'features' or 'text'"
    )


def _check_no_paths(rows: "datasets.Dataset", column: str) -> None:
    """Refuse texts that are the paths of images: their words are nothing to train on."""
    first = [value for value in rows[:_LOOKED_AT][column] if value]
    endings = [PurePath(value).suffix.lower() for value in first]
    if first and all(ending in image_endings() for ending in endings):
        raise CurateError(
            f"column: cannot tell which of {rows.column_names} holds images: {column!r} holds only "
            f"the paths of images, such as {first[0]!r}; write the images into the table, as "
            "bytes, or load the folder that they are in"
        )


def _is_image(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        kind = kind.field("bytes").type if kind.get_field_index("bytes") >= 0 else kind
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or is_view(kind, "binary")


def _is_feature(kind: pa.DataType) -> bool:
    nested = is_list(kind)
    while is_list(kind):
        kind = kind.value_type
    return nested and (pa.types.is_floating(kind) or pa.types.is_integer(kind))


def is_list(kind: pa.DataType) -> bool:
    """Whether this is a list of any layout."""
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def dense_features(rows: "datasets.Dataset", column: str) -> np.ndarray:
    """The column as float32 of shape (n, ...)."""
    chunks = column_of(rows, column).chunks
    parts = [_dense(chunk, column) for chunk in chunks if len(chunk)]
    if len({part.shape[1:] for part in parts}) != 1:
        raise CurateError(f"column: the lists in {column!r} differ in length; make them equal")
    return np.concatenate(parts)


def _texts(rows: "datasets.Dataset", column: str) -> list[str]:
    values = column_of(rows, column)
    if values.null_count:
        raise CurateError(f"column: {column!r} holds nulls; fill them or leave these rows out")
    return values.to_pylist()


def _dense(chunk: pa.Array, column: str) -> np.ndarray:
    shape = [len(chunk)]
    while is_list(chunk.type):
        lengths = chunk.value_lengths().unique()
        if chunk.null_count or len(lengths) != 1:
            raise CurateError(
                f"column: the lists in {column!r} differ in length or are null; make them equal"
            )
        shape.append(lengths[0].as_py())
        chunk = chunk.flatten()
    if chunk.null_count:
        raise CurateError(f"column: {column!r} holds nulls; fill them or leave these rows out")
    return chunk.to_numpy(zero_copy_only=False).astype(np.float32).reshape(shape)


def _label_column(rows: "datasets.Dataset", columns: Columns) -> str:
    if columns.label is not None:
        _check_named(rows, columns.label, "label_column")
        return columns.label
    label = find_label(rows)
    if label is None:
        raise CurateError(
            f"label_column: none of {rows.column_names} is named like a label; name it in "
            "curate.data.parquet, or rename it to 'label'"
        )
    return label


def _labels(rows: "datasets.Dataset", columns: Columns, classes: Classes) -> np.ndarray:
    name = _label_column(rows, columns)
    return label_indices(column_of(rows, name), classes, name)


def _check_named(rows: "datasets.Dataset", name: str, parameter: str) -> None:
    if name not in rows.column_names:
        raise CurateError(f"{parameter}: {name!r} is not among the columns {rows.column_names}")
