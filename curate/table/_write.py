"""Writing example tables to Parquet, atomically."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from curate.errors import CurateError
from curate.files import atomic_path
from curate.table._as_table import as_table
from curate.table.remote import is_remote, upload
from curate.table.schema import annotate, describe

if TYPE_CHECKING:
    import pyarrow.parquet as pq


def write(table: Any, path: str | os.PathLike[str]) -> None:
    """Write a table to one Parquet file, whole or not at all.

    Args:
        table: any table with an ``example_id`` column: of ``pyarrow``, or anything with
            ``__arrow_c_stream__`` (pandas, Polars …).
        path: the file, here or at a URI (``s3://`` …); parent folders are made.
            ``seed=3/`` and ``run=a/`` folders on the way are read back as partition columns.

    Raises:
        CurateError: the table has no ``example_id``.
        OSError: the disk is full or not writable; an older file at ``path`` is untouched.
    """
    table = as_table(table)
    if "example_id" not in table.column_names:
        raise CurateError(
            f"table: no 'example_id' among its columns {table.column_names}; add one id per row"
        )
    table = describe(annotate(table))
    with open_writer(path, table.schema) as writer:
        writer.write_table(table)


@contextmanager
def open_writer(path: str | os.PathLike[str], schema: pa.Schema) -> Iterator["pq.ParquetWriter"]:
    """An atomic ``pyarrow.parquet.ParquetWriter`` for tables that arrive piece by piece.

    The file takes its name when the block ends without an error.
    """
    import pyarrow.parquet as pq

    # statistics are noise to a compressor: packing them doubles the time and saves a third
    others = [field.name for field in schema if not pa.types.is_floating(field.type)]
    # ids are all different, so that a dictionary of them is made in vain
    ids = schema.field("example_id").type if "example_id" in schema.names else pa.null()
    delta = {"example_id": "DELTA_BINARY_PACKED"} if pa.types.is_integer(ids) else None
    with (
        _file_for(path) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            compression={
                field.name: "zstd" if field.name in others else "none" for field in schema
            },
            use_dictionary=[name for name in others if name != "example_id"],
            column_encoding=delta,
            write_statistics=others,
            write_page_checksum=True,
        ) as writer,
    ):
        yield writer


@contextmanager
def _file_for(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary file that takes its name, or is uploaded, when the block succeeds."""
    if not is_remote(path):
        with atomic_path(path) as temporary:
            yield temporary
        return
    with TemporaryDirectory() as folder:
        yield Path(folder) / "table.parquet"
        upload(Path(folder) / "table.parquet", os.fspath(path))
