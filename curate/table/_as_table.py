"""Tables of every library as Arrow tables, with the types of the example table."""

import re
import sys
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import CurateError
from curate.table.schema import COLUMNS

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def as_table(table: Any, name: str = "table", *, paths: bool = False) -> pa.Table:
    """An Arrow table of whatever holds one, its columns compared by meaning.

    Libraries store the same values under other types: pandas and Polars write ``large_string``,
    pandas numbers with gaps as ``double``. Ids become int64 or string, and the known columns
    (:data:`curate.table.COLUMNS`) get their types where every value allows it; all others stay.

    Args:
        table: a ``pyarrow.Table`` or record batch, a ``datasets.Dataset``, or anything with
            ``__arrow_c_stream__`` (pandas, Polars, DuckDB …).
        name: the parameter to name in an error.
        paths: whether the error shall say that a path would do too.

    Raises:
        CurateError: something else, or ids that do not fit into 64 bits.
    """
    return unified(_arrow(table, name, " or the path of one" if paths else ""), name)


def _arrow(table: Any, name: str, also: str) -> pa.Table:
    if isinstance(table, pa.Table):
        return table
    hugging_face = sys.modules.get("datasets")
    if hugging_face is not None and isinstance(table, hugging_face.Dataset):
        return table.with_format("arrow")[:]
    try:
        if isinstance(table, pa.RecordBatch):
            return pa.Table.from_batches([table])
        if hasattr(table, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(table).read_all()
        if hasattr(table, "__arrow_c_array__"):
            return pa.Table.from_batches([pa.record_batch(table)])
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise CurateError(f"{name}: this {type(table).__name__} is no table ({error})") from error
    raise CurateError(
        f"{name}: a {type(table).__name__}; give a pyarrow.Table{also}, or a table of pandas, "
        "Polars, DuckDB or datasets"
    )


def unified(table: pa.Table, name: str = "table") -> pa.Table:
    """The table with the types of :func:`unified_schema`, where the values allow it."""
    index = [column for column in table.column_names if _PANDAS_INDEX.fullmatch(column)]
    table = table.drop_columns(index) if index else table
    wanted = unified_schema(table.schema)
    if wanted == table.schema:  # the usual case, and cheap to see
        return table
    for position, field in enumerate(wanted):
        if field.type != table.schema.field(position).type:
            column = _cast(table.column(position), field, name)
            table = table.set_column(position, field.with_type(column.type), column)
    return table


def unified_batches(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """The same of one batch of a table that is read piece by piece."""
    if unified_schema(batch.schema) == batch.schema:
        return [batch]
    return unified(pa.Table.from_batches([batch])).to_batches()


def unified_schema(schema: pa.Schema) -> pa.Schema:
    """The types that the columns of an example table should have."""
    fields = [field.with_type(_type(field)) for field in schema]
    return pa.schema(fields, metadata=schema.metadata)


def is_text(kind: pa.DataType) -> bool:
    """Whether this is text of any layout."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or is_view(kind, "string")


def is_view(kind: pa.DataType, of: str) -> bool:
    """Whether this is a ``string_view`` or ``binary_view``."""
    return bool(getattr(pa.types, f"is_{of}_view", lambda _: False)(kind))


def decoded(kind: pa.DataType) -> pa.DataType:
    """The type of the values, whatever they are packed in."""
    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
            kind = kind.value_type
        else:
            return kind


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column without what its values are packed in: dictionaries, runs, extension types."""
    while column.type != decoded(column.type):
        kind = column.type
        if isinstance(kind, pa.BaseExtensionType):
            chunks = [chunk.storage for chunk in column.chunks]
            column = pa.chunked_array(chunks, kind.storage_type)
        elif pa.types.is_run_end_encoded(kind):
            chunks = [pc.run_end_decode(chunk) for chunk in column.chunks]
            column = pa.chunked_array(chunks, kind.value_type)
        else:
            column = column.cast(kind.value_type)
    return column


def _type(field: pa.Field) -> pa.DataType:
    kind = decoded(field.type)
    if field.name == "example_id":
        if is_text(kind):
            return pa.string()
        return pa.int64() if pa.types.is_integer(kind) else field.type
    known = COLUMNS.get(field.name)
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if known is None or known.type == field.type or not is_number:
        if known is not None and known.type is not None and pa.types.is_large_list(kind):
            return known.type
        return field.type
    if known.type is None:  # first_learned: counted in one run, a mean over several
        return pa.float64() if pa.types.is_decimal(kind) else kind
    return known.type if not pa.types.is_nested(known.type) else field.type


def _cast(column: pa.ChunkedArray, field: pa.Field, name: str) -> pa.ChunkedArray:
    values = plain(column)
    if pa.types.is_integer(field.type) and pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    try:
        return values.cast(field.type)
    except pa.ArrowException as error:
        if field.name != "example_id":  # fractions, say: whoever reads the column can say why not
            return column
        raise CurateError(
            f"{name}: its ids of type {column.type} are not all int64 or text ({error}); give "
            "smaller integers or strings"
        ) from error
