"""Reading example tables: one Parquet file, or a folder partitioned by seed and run."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from curate.errors import CurateError
from curate.table._as_table import unified, unified_batches, unified_schema
from curate.table.remote import is_remote, open_place, unreachable
from curate.table.schema import COLUMNS, SCHEMA_VERSION, metadata

if TYPE_CHECKING:
    import pyarrow.dataset as ds
    import pyarrow.fs as pafs

_NUMERIC_COLUMNS = {name for name, column in COLUMNS.items() if column.unit != "id"} - {
    "history",
    "epoch_ends",
}


def read(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> pa.Table:
    """Read an example table.

    Args:
        path: a Parquet file, or a folder of them; ``seed=``/``run=`` folder names become columns.
            Here, or at a URI (``s3://``, ``gs://``, ``hf://`` …) that pyarrow or fsspec opens.
        columns: only these, in this order; all when None.

    Returns:
        The table, with the metadata that :func:`curate.table.metadata` shows. Of a folder it has
        the columns of every file, with null where a file lacks one.

    Raises:
        CurateError: no such file, a torn or foreign one, an unknown column, a table written by a
            newer version, or a folder with tables of different data sets; the message names the
            file and what is wrong.
    """
    dataset = _open(path, columns)
    try:
        table = dataset.to_table(columns=list(columns) if columns is not None else None)
    except (pa.ArrowException, OSError) as error:
        raise _torn(path, error) from error
    return unified(table)


def open_stream(
    path: str | os.PathLike[str], columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The same rows as :func:`read`, in the same order, a batch at a time in bounded memory."""
    dataset = _open(path, columns)
    try:
        for batch in dataset.to_batches(
            columns=list(columns) if columns is not None else None,
            batch_size=1 << 17,
            batch_readahead=4,
            fragment_readahead=1,
        ):
            yield from unified_batches(batch)
    except (pa.ArrowException, OSError) as error:
        raise _torn(path, error) from error


def parquet_schema(path: str | os.PathLike[str]) -> pa.Schema:
    """The columns of any Parquet file."""
    import pyarrow.parquet as pq

    return pq.read_schema(path)


def parquet_rows(path: str | os.PathLike[str]) -> int:
    """The number of rows of any Parquet file."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def read_foreign(path: str | os.PathLike[str], name: str = "path") -> pa.Table:
    """All of any Parquet file, which need not be an example table: no ids are asked for.

    Args:
        path: the file.
        name: the parameter to name in an error.

    Raises:
        CurateError: no such file, or a torn or foreign one.
    """
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        raise CurateError(f"{name}: there is no file {os.fspath(path)!r}")
    try:
        return unified(pq.read_table(path, partitioning=None), name)
    except (pa.ArrowException, OSError) as error:
        raise _torn(path, error, name) from error


def _open(path: str | os.PathLike[str], columns: Sequence[str] | None) -> "ds.Dataset":
    import pyarrow.dataset as ds

    system, inside, is_folder = _locate(path)
    name = os.fspath(path)
    checked = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    options = {
        "filesystem": system,
        "format": ds.ParquetFileFormat(default_fragment_scan_options=checked),
        "partitioning": "hive" if is_folder else None,
        "exclude_invalid_files": False,
    }
    try:
        dataset = ds.dataset(inside, **options)
        if is_folder:
            dataset = ds.dataset(inside, schema=_schema_of_all(dataset, name), **options)
    except (pa.ArrowException, OSError) as error:
        raise _torn(path, error) from error
    _check(name, dataset.schema)
    for column in columns or ():
        if column not in dataset.schema.names:
            raise CurateError(
                f"columns: {column!r} is not in {name!r}, which has {dataset.schema.names}"
            )
    return dataset


def _schema_of_all(dataset: "ds.Dataset", name: str) -> pa.Schema:
    """The columns of every file of a folder; they are null in files that lack one.

    Raises:
        CurateError: a file that is no example table of this version, tables of different data
            sets, or a column of types that have nothing in common.
    """
    schemas = [dataset.schema]
    prints: dict[str, str] = {}
    for fragment in dataset.get_fragments():
        try:
            schema = fragment.physical_schema
        except (pa.ArrowException, OSError) as error:
            raise _torn(fragment.path, error) from error
        _check(fragment.path, schema)
        prints.setdefault(str(metadata(schema).get("fingerprint", "")), fragment.path)
        schemas.append(schema)
    prints.pop("", None)
    if len(prints) > 1:
        (one, first), (other, second) = list(prints.items())[:2]
        raise CurateError(
            f"path: {name!r} holds tables of different data sets: {first!r} of the fingerprint "
            f"{one}, {second!r} of {other}; read them one by one"
        )
    if all(schema.equals(schemas[1]) for schema in schemas[2:]):
        return dataset.schema
    try:
        whole = pa.unify_schemas(
            [schema.remove_metadata() for schema in schemas], promote_options="permissive"
        )
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise CurateError(
            f"path: the files in {name!r} do not agree on their columns ({reason}); write them "
            "again with the same types"
        ) from error
    described = [
        field.with_metadata(dataset.schema.field(field.name).metadata)
        if field.name in dataset.schema.names
        else field
        for field in whole
    ]
    return unified_schema(pa.schema(described, metadata=dataset.schema.metadata))


def _locate(path: str | os.PathLike[str]) -> tuple["pafs.FileSystem | None", str, bool]:
    """The file system (None: this machine's), the path in it, and whether it is a folder."""
    if is_remote(path):
        import pyarrow.fs as pafs

        uri = os.fspath(path)
        system, inside = open_place(uri)
        try:
            kind = system.get_file_info(inside).type
        except Exception as error:  # each of the many libraries behind it has its own
            raise unreachable(uri, error) from error
        if kind == pafs.FileType.NotFound:
            raise CurateError(f"path: there is no file or folder {uri!r}")
        return system, inside, kind == pafs.FileType.Directory
    location = Path(path)
    if not location.exists():
        raise CurateError(f"path: there is no file or folder {str(location)!r}")
    is_folder = location.is_dir()
    if is_folder and not any(location.rglob("*.parquet")):
        raise CurateError(f"path: the folder {str(location)!r} holds no .parquet file")
    return None, str(location), is_folder


def _check(location: str, schema: pa.Schema) -> None:
    if "example_id" not in schema.names:
        raise CurateError(
            f"path: {location!r} is not an example table: it has no 'example_id' column, only "
            f"{schema.names[:8]}"
        )
    written = metadata(schema).get("schema_version", 0)
    if not isinstance(written, int) or written > SCHEMA_VERSION:
        raise CurateError(
            f"path: {location!r} has schema version {written}, newer than the "
            f"{SCHEMA_VERSION} that this curate reads; upgrade curate-data"
        )
    for field in schema:
        if field.name in _NUMERIC_COLUMNS and not _is_number(field.type):
            raise CurateError(
                f"path: {location!r} is not an example table: its column {field.name!r} is of "
                f"type {field.type}, not a number"
            )


def _is_number(type_: pa.DataType) -> bool:
    return (
        pa.types.is_integer(type_)
        or pa.types.is_floating(type_)
        or pa.types.is_decimal(type_)
        or pa.types.is_null(type_)
    )


def _torn(path: str | os.PathLike[str], error: Exception, name: str = "path") -> CurateError:
    reason = str(error).splitlines()[0]
    return CurateError(f"{name}: {os.fspath(path)!r} is not a whole Parquet file: {reason}")
