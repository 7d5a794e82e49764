"""The kept examples as Arrow tables of bounded size, all of one schema."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from curate.data.formats.hugging_face import is_hugging_face
from curate.data.ids import as_arrow, take_ids
from curate.errors import CurateError
from curate.exporting.examples import Example, examples
from curate.exporting.image import EncodedImage
from curate.exporting.source import Source

if TYPE_CHECKING:
    import datasets

_ROWS = 100  # fetched at once: images may be large
_MOST_ROWS, _MOST_BYTES = 100_000, 32 << 20  # of one row group


def tables(source: Source, kept: np.ndarray) -> Iterator[pa.Table]:
    """The kept examples in order, ``example_id`` first, a row group's worth at a time.

    Rows of Hugging Face sets pass unchanged. Images become Hugging Face's ``{bytes, path}``,
    labels a ``ClassLabel`` where their names are known; the schema's metadata says so.
    """
    from_root = _from_rows if is_hugging_face(source.root) else _from_examples
    return _grouped(from_root(source, kept))


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


def _from_rows(source: Source, kept: np.ndarray) -> Iterator[pa.Table]:
    from datasets import Features, Image, Value
    from datasets.table import embed_table_storage, table_cast

    kinds = {name: kind for name, kind in source.root.features.items() if name != "example_id"}
    if source.image is not None:
        kinds[source.image] = Image()
    ids = as_arrow(take_ids(source.ids, kept))
    features = Features({"example_id": Value(str(ids.type)), **kinds})
    table = source.root.with_format("arrow")
    at_once = _rows_at_once(source.root)
    for start in range(0, len(kept), at_once):
        block = table[source.rows[kept[start : start + at_once]]]
        if "example_id" in block.column_names:
            block = block.drop_columns("example_id")
        block = block.add_column(0, "example_id", ids[start : start + at_once])
        block = table_cast(block.select(list(features)), features.arrow_schema)
        yield embed_table_storage(block).replace_schema_metadata(features.arrow_schema.metadata)


def _rows_at_once(root: "datasets.Dataset") -> int:
    """A hundred rows if they point at files, of any size, else as many as take about 4 MB."""
    from datasets.features.features import require_storage_embed

    if any(require_storage_embed(kind) for kind in root.features.values()):
        return _ROWS
    return max(1, min(10_000, (4 << 20) * root.data.num_rows // max(1, root.data.nbytes)))


def _from_examples(source: Source, kept: np.ndarray) -> Iterator[pa.Table]:
    stream = examples(source, kept)
    kinds: dict[str, pa.DataType] = {}
    schema: pa.Schema | None = None
    while batch := list(islice(stream, _ROWS)):
        if schema is None:
            kinds = {name: _kind(value, name) for name, value in batch[0].values.items()}
            schema = _features(source, kinds, batch[0]).arrow_schema
        for example in batch:
            if example.values.keys() != kinds.keys():
                raise CurateError(
                    f"dataset: example {example.id!r} has the fields {list(example.values)} but "
                    f"the first one {list(kinds)}; give every example the same"
                )
        ids = [example.id for example in batch]
        columns = [_column(batch, name, kind) for name, kind in kinds.items()]
        yield pa.Table.from_arrays([pa.array(ids, schema.types[0]), *columns], schema=schema)


def _features(source: Source, kinds: dict[str, pa.DataType], first: Example) -> "datasets.Features":
    from datasets import ClassLabel, Features, Image

    ids = pa.string() if isinstance(first.id, str) else pa.int64()
    features = Features.from_arrow_schema(pa.schema([("example_id", ids), *kinds.items()]))
    for name, value in first.values.items():
        if isinstance(value, EncodedImage):
            features[name] = Image()
    names = source.class_names
    is_index = source.label is not None and kinds.get(source.label) == pa.int64()
    if is_index and names and len(set(names)) == len(names):
        features[source.label] = ClassLabel(names=names)
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
