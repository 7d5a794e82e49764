"""An example table on disk as pieces that several threads may read at once."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from curate.table.read import _open, _torn

if TYPE_CHECKING:
    import pyarrow.dataset as ds


@dataclass(frozen=True)
class Pieces:
    """The row groups of an example table, in row order.

    Attributes:
        schema: of the table, with its metadata.
        rows: number of rows of each piece.
    """

    path: str
    schema: pa.Schema
    rows: list[int]
    _fragments: list["ds.Fragment"]

    def read(self, piece: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of one piece, a batch at a time, decoded by the calling thread alone."""
        try:
            yield from self._fragments[piece].to_batches(
                schema=self.schema,
                columns=list(columns),
                batch_size=1 << 17,
                batch_readahead=1,
                use_threads=False,
            )
        except (pa.ArrowException, OSError) as error:
            raise _torn(self.path, error) from error


def open_pieces(path: str | os.PathLike[str]) -> Pieces:
    """The pieces of the table that :func:`curate.table.read` would read from ``path``.

    Raises:
        CurateError: as :func:`curate.table.read`.
    """
    dataset = _open(path, None)
    try:
        fragments = [
            piece for file in dataset.get_fragments() for piece in file.split_by_row_group()
        ]
        rows = [piece.count_rows() for piece in fragments]
    except (pa.ArrowException, OSError) as error:
        raise _torn(path, error) from error
    return Pieces(os.fspath(path), dataset.schema, rows, fragments)
