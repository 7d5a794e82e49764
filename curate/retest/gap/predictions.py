"""Predictions of several models on one set of images, read from any table and checked."""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import CurateError, CurateWarning
from curate.table import as_table, read_foreign

IDS = ("image", "example_id")
LABEL = "label"


@dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """What models answered, an image a column.

    Attributes:
        name: the parameter that it came as, for errors.
        ids: of the images (images,), int64 or object; None where the table has none.
        labels: int64 (images,); None where the set has no labels.
        models: their names.
        answers: int32 (models, images), the predicted classes.
    """

    name: str
    ids: np.ndarray | None
    labels: np.ndarray | None
    models: tuple[str, ...]
    answers: np.ndarray

    def __len__(self) -> int:
        return self.answers.shape[1]

    def __repr__(self) -> str:
        return f"Predictions({self.name}: {len(self.models)} models, {len(self):,} images)"

    @property
    def classes(self) -> np.ndarray:
        """The labels, or an error that says that there are none."""
        if self.labels is None:
            raise CurateError(f"{self.name}: it has no column {LABEL!r}; add the class indices")
        return self.labels

    @cached_property
    def correct(self) -> np.ndarray:
        """Where the answer is the label: bool (models, images)."""
        return self.answers == self.classes[None, :]

    def of(self, models: Sequence[str]) -> "Predictions":
        """Those of these models, in this order."""
        rows = [self.models.index(name) for name in models]
        return replace(self, models=tuple(models), answers=self.answers[rows])

    def at(self, images: np.ndarray) -> "Predictions":
        """Those on these images: a mask or row numbers."""
        return replace(
            self,
            ids=None if self.ids is None else self.ids[images],
            labels=None if self.labels is None else self.labels[images],
            answers=self.answers[:, images],
        )


def read_predictions(given: Any, name: str, *, labelled: bool = True) -> Predictions:
    """Check a table of predictions.

    Args:
        given: anything that holds an Arrow table (see :func:`curate.table.as_table`), a mapping of
            arrays, or the path of a Parquet file. The column ``label`` is the class index;
            ``image`` or ``example_id``, where there is one, names the image; every other column
            of integers is the predicted class of the model that the column is named after.
        name: the parameter, for errors.
        labelled: whether ``label`` must be there.

    Raises:
        CurateError: no such file or table; columns of different lengths; no image, label or model;
            a label or prediction that is missing or negative; an image that is there twice.
    """
    if isinstance(given, Predictions):
        return given
    table = _table(given, name)
    if not len(table):
        raise CurateError(f"{name}: it has no rows; give one row per image")
    names = table.column_names
    twice = next((column for column in names if names.count(column) > 1), None)
    if twice is not None:
        raise CurateError(f"{name}: two columns are called {twice!r}; rename one of the models")
    if labelled and LABEL not in names:
        raise CurateError(
            f"{name}: it has no column {LABEL!r}, only {names[:8]}; add the class indices"
        )
    models: list[str] = []
    left_out: list[str] = []
    for field in table.schema:
        if field.name in (LABEL, *IDS):
            continue
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        (models if pa.types.is_integer(kind) else left_out).append(field.name)
    numbers = [column for column in left_out if pa.types.is_floating(table[column].type)]
    if numbers:
        warnings.warn(
            f"{name}: {numbers[:4]} are no integers and are left out; cast predicted classes to "
            "integers",
            CurateWarning,
            stacklevel=3,
        )
    if not models:
        raise CurateError(
            f"{name}: no column of integers beside {[LABEL, *IDS]}; give one per model, the class "
            "that it predicts"
        )
    answers = np.stack([_classes(table, column, name, np.int32) for column in models])
    labels = _classes(table, LABEL, name, np.int64) if LABEL in names else None
    return Predictions(name, _ids(table, name), labels, tuple(models), answers)


def _table(given: Any, name: str) -> pa.Table:
    if isinstance(given, str | os.PathLike):
        return read_foreign(given, name)
    if not isinstance(given, Mapping):
        return as_table(given, name, paths=True)
    lengths = {column: np.shape(values) for column, values in given.items()}
    first = next(iter(lengths), None)
    for column, shape in lengths.items():
        if len(shape) != 1 or shape != lengths[first]:
            raise CurateError(
                f"{name}: {column!r} has the shape {shape} and {first!r} {lengths[first]}; give "
                "one number per image, of the same images"
            )
    try:
        return pa.table(dict(given))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise CurateError(f"{name}: this {type(given).__name__} is no table ({error})") from error


def _classes(table: pa.Table, column: str, name: str, kind: Any) -> np.ndarray:
    values = table[column]
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    what = "the label" if column == LABEL else f"the prediction of {column!r}"
    if values.null_count:
        row = pc.index(values.is_null(), True).as_py()
        raise CurateError(
            f"{name}: {what} in row {row} is missing; give every image one, or leave the row out"
        )
    if not pa.types.is_integer(values.type):
        raise CurateError(f"{name}: {what} is of type {values.type}; give the index of the class")
    array = values.to_numpy()
    bad = np.flatnonzero((array < 0) | (array > np.iinfo(np.int32).max))
    if len(bad):
        raise CurateError(
            f"{name}: {what} in row {bad[0]} is {array[bad[0]]}; give the index of a class, from 0"
        )
    return array.astype(kind)


def _ids(table: pa.Table, name: str) -> np.ndarray | None:
    column = next((one for one in IDS if one in table.column_names), None)
    if column is None or not _names(table[column].type):
        return None
    values = table[column].combine_chunks()
    if values.null_count:
        raise CurateError(f"{name}: {column!r} is missing in {values.null_count} rows; fill it in")
    counts = pc.value_counts(values)
    if len(counts) < len(values):
        often = pc.greater(counts.field("counts"), 1)
        first = counts.field("values").filter(often)[0].as_py()
        raise CurateError(f"{name}: {column} {first!r} is there twice; give every image one row")
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _names(kind: pa.DataType) -> bool:
    """Whether these are names of images rather than the images themselves."""
    return pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
