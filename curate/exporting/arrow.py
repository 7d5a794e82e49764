"""The kept examples as Arrow tables of bounded size, all of one schema."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from curate.data.view import View
from curate.errors import CurateError
from curate.exporting.examples import Example, examples
from curate.exporting.image import EncodedImage

if TYPE_CHECKING:
    import datasets

_ROWS = 100  # fetched at once: images may be large
_MOST_ROWS, _MOST_BYTES = 100_000, 32 << 20  # of one row group


def tables(view: View, kept: np.ndarray) -> Iterator[pa.Table]:
    """The kept examples in order, ``example_id`` first, a row group's worth at a time.

    Rows of Hugging Face sets pass unchanged. Images become Hugging Face's ``{bytes, path}``,
    labels a ``ClassLabel`` where their names are known; the schema's metadata says so.
    """
    rows = view.tables(kept)
    return _grouped(_from_examples(view, kept) if rows is None else rows)


def _grouped(pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
    held: list[pa.Table] = []
    rows = size = 0
    for piece in pieces:
        held.append(piece)
        rows, size = rows + len(piece), size + piece.nbytes
        if rows >= _MOST_ROWS or size >= _MOST_BYTES:
            yield pa.concat_tables(held)
            held, rows, size = [], 0, 0
    if held:
        yield pa.concat_tables(held)


def _from_examples(view: View, kept: np.ndarray) -> Iterator[pa.Table]:
    stream = examples(view, kept)
    kinds: dict[str, pa.DataType] = {}
    schema: pa.Schema | None = None
    while batch := list(islice(stream, _ROWS)):
        if schema is None:
            kinds = {name: _kind(value, name) for name, value in batch[0].values.items()}
            schema = _features(view, kinds, batch[0]).arrow_schema
        for example in batch:
            if example.values.keys() != kinds.keys():
                raise CurateError(
                    f"dataset: example {example.id!r} has the fields {list(example.values)} but "
                    f"the first one {list(kinds)}; give every example the same"
                )
        ids = [example.id for example in batch]
        columns = [_column(batch, name, kind) for name, kind in kinds.items()]
        yield pa.Table.from_arrays([pa.array(ids, schema.types[0]), *columns], schema=schema)


def _features(view: View, kinds: dict[str, pa.DataType], first: Example) -> "datasets.Features":
    from datasets import ClassLabel, Features, Image

    ids = pa.string() if isinstance(first.id, str) else pa.int64()
    features = Features.from_arrow_schema(pa.schema([("example_id", ids), *kinds.items()]))
    for name, value in first.values.items():
        if isinstance(value, EncodedImage):
            features[name] = Image()
    names = view.class_names
    is_index = view.label_field is not None and kinds.get(view.label_field) == pa.int64()
    if is_index and names and len(set(names)) == len(names):
        features[view.label_field] = ClassLabel(names=names)
    return features


_IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
_SCALARS = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


def _kind(value: Any, name: str) -> pa.DataType:
    if isinstance(value, EncodedImage):
        return _IMAGE
    if isinstance(value, bytes):
        return pa.binary()
    if isinstance(value, list):
        return pa.list_(pa.string())
    if isinstance(value, np.ndarray):
        kind = pa.from_numpy_dtype(value.dtype)
        for length in reversed(value.shape[1:]):
            kind = pa.list_(kind, length)
        return pa.list_(kind)
    if type(value) in _SCALARS:
        return _SCALARS[type(value)]
    raise CurateError(
        f"dataset: {name!r} of the first kept example is {value!r}, so its type is not known; "
        "leave that field out"
    )


def _column(batch: list[Example], name: str, kind: pa.DataType) -> pa.Array:
    values = []
    for example in batch:
        value = example.values[name]
        if value is not None and _kind(value, name) != kind:
            raise CurateError(
                f"dataset: {name!r} of example {example.id!r} is of type {_kind(value, name)} but "
                f"of the first one of type {kind}; give every example the same type and shape"
            )
        values.append(value)
    if any(isinstance(value, np.ndarray) for value in values):
        return _lists(values, kind)
    if kind == _IMAGE:
        return pa.array(
            [None if value is None else {"bytes": value.content, "path": None} for value in values],
            kind,
        )
    return pa.array(values, kind)


def _lists(values: list[np.ndarray | None], kind: pa.DataType) -> pa.Array:
    """Arrays that agree in all but the first axis, as a list column, without a Python number."""
    present = [value for value in values if value is not None]
    offsets = np.cumsum([0, *(0 if value is None else len(value) for value in values)])
    flat = pa.array(np.concatenate([value.reshape(-1) for value in present]))
    for length in reversed(present[0].shape[1:]):
        flat = pa.FixedSizeListArray.from_arrays(flat, length)
    mask = pa.array([value is None for value in values])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat, type=kind, mask=mask)
