"""The row groups of an example table on disk, which several threads may read at once."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from curate.errors import CurateError
from curate.table._as_table import unified_batches, unified_schema
from curate.table._read import _open, _torn
from curate.table.remote import is_remote

if TYPE_CHECKING:
    import pyarrow.fs as pafs
    import pyarrow.parquet as pq


@dataclass(frozen=True)
class RowGroups:
    """The row groups of an example table, in row order.

    Attributes:
        path: where the table is.
        schema: of the table, with its metadata.
        rows: number of rows of each row group.
    """

    path: str
    schema: pa.Schema
    rows: list[int]
    _places: list[tuple[str, "pq.FileMetaData", int]]
    _system: "pafs.FileSystem | None" = None  # None: the files are on this machine

    def read(self, index: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of one row group, a batch at a time, decoded by the calling thread alone.

        Raises:
            CurateError: a torn file, or a column that is a folder's name rather than in the file.
        """
        import pyarrow.parquet as pq

        file, metadata, row_group = self._places[index]
        try:
            source = file if self._system is None else self._system.open_input_file(file)
            with pq.ParquetFile(
                source, metadata=metadata, page_checksum_verification=True
            ) as opened:
                missing = [name for name in columns if name not in opened.schema_arrow.names]
                if missing:
                    raise CurateError(f"columns: {file!r} has no {missing[0]!r}; write it there")
                for batch in opened.iter_batches(
                    1 << 17, row_groups=[row_group], columns=list(columns), use_threads=False
                ):
                    yield from unified_batches(batch)
        except (pa.ArrowException, OSError) as error:
            raise _torn(self.path, error) from error


def open_row_groups(path: str | os.PathLike[str]) -> RowGroups:
    """The row groups of the table that :func:`curate.table.read` would read from ``path``.

    Raises:
        CurateError: as :func:`curate.table.read`.
    """
    import pyarrow.parquet as pq

    dataset = _open(path, None)
    system = dataset.filesystem if is_remote(path) else None
    rows, places = [], []
    try:
        for file in dataset.files:
            metadata = pq.read_metadata(file, filesystem=system)
            for row_group in range(metadata.num_row_groups):
                rows.append(metadata.row_group(row_group).num_rows)
                places.append((file, metadata, row_group))
    except (pa.ArrowException, OSError) as error:
        raise _torn(path, error) from error
    return RowGroups(os.fspath(path), unified_schema(dataset.schema), rows, places, system)
