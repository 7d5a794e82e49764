"""A table written as a folder of Parquet files, several jobs at a time."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from curate.errors import CurateError
from curate.files import atomic_folder, sync
from curate.table.schema import annotate, describe

if TYPE_CHECKING:
    import pyarrow.parquet as pq


class PartWriter:
    """The files of a table in parts; rows of a lower part come first when it is read.

    Each part may be written by a thread or process of its own, of another machine too where the
    folder is on a disk that they share.
    """

    def __init__(self, files: list[Path], schema: pa.Schema) -> None:
        self._files, self._schema = files, schema
        self.entries: dict[str, object] = {}
        """Metadata of the table (:func:`curate.table.annotate`), which may be set last."""

    def write(self, part: int, tables: Iterable[pa.Table]) -> None:
        """Write a part, the tables one after the other; it has no rows where there are none."""
        with _writer(self._files[part], self._schema) as writer:
            for table in tables:
                writer.write_table(table)


@contextmanager
def open_parts(path: str | os.PathLike[str], schema: pa.Schema, parts: int) -> Iterator[PartWriter]:
    """A new folder of ``parts`` Parquet files that :func:`curate.table.read` reads as one table.

    Every part has to be written. The folder takes its name, whole, when the block ends without an
    error. One more file, the first, has no rows: it carries the metadata, which may be known last.

    Raises:
        CurateError: ``path`` exists already.
        OSError: the disk is full or not writable.
    """
    schema = describe(schema.empty_table()).schema.remove_metadata()
    with atomic_folder(Path(path), _check_missing) as folder:
        header, *files = [folder / f"part-{part:03d}.parquet" for part in range(parts + 1)]
        opened = PartWriter(files, schema)
        yield opened
        with _writer(header, annotate(schema.empty_table(), **opened.entries).schema):
            pass
        for file in [header, *files]:
            sync(file)


def _check_missing(target: Path) -> None:
    if target.exists():
        raise CurateError(f"path: {str(target)!r} exists already; remove it or give another name")


def _writer(file: Path, schema: pa.Schema) -> "pq.ParquetWriter":
    import pyarrow.parquet as pq

    # Integers are ids, which mostly count up, and labels: differences pack them best. Numbers and
    # outcomes are packed by a dictionary; what is left of them is noise to a compressor.
    integers = [field.name for field in schema if pa.types.is_integer(field.type)]
    text = [field.name for field in schema if pa.types.is_string(field.type)]
    return pq.ParquetWriter(
        file,
        schema,
        compression={name: "zstd" if name in text else "none" for name in schema.names},
        use_dictionary=[name for name in schema.names if name not in (*integers, *text)],
        column_encoding=dict.fromkeys(integers, "DELTA_BINARY_PACKED"),
        write_statistics=False,
        write_page_checksum=True,
        max_rows_per_page=1 << 20,
    )
