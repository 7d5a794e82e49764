"""Which rows of the stored table the rows of a Hugging Face data set are."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.errors import CurateError

if TYPE_CHECKING:
    import datasets


def stored_rows(dataset: "datasets.Dataset") -> np.ndarray:
    """int64 (n,): where each row lies in the table that ``shuffle``, ``select`` … took it from.

    ``datasets`` keeps a mapping for most views, and a slice of the table for others (``select`` of
    a range, ``train_test_split(shuffle=False)``, ``split="train[50%:]"``); a slice is found by the
    buffers that it shares with the table. ``map`` writes a new table: rows are then counted in it.

    Raises:
        CurateError: a slice of several tables, so that its place in the whole is not known.
    """
    rows = _rows_of_table(dataset)
    mapping = getattr(dataset, "_indices", None)
    if mapping is None:
        return rows
    return rows[mapping.column(0).to_numpy().astype(np.int64)]


def _rows_of_table(dataset: "datasets.Dataset") -> np.ndarray:
    table = dataset.data
    if not table.num_columns:
        return np.arange(len(dataset))
    chunks = [chunk for chunk in table.column(0).chunks if len(chunk)]
    places = _Places()
    found = [(*places.find(chunk), len(chunk)) for chunk in chunks]
    if not found:
        return np.arange(0)
    if len({store for store, _, _ in found}) == 1:
        rows = np.concatenate([np.arange(start, start + length) for _, start, length in found])
        # a table put together from one part twice is one of its own
        return rows if len(np.unique(rows)) == len(rows) else np.arange(len(rows))
    expected = dict.fromkeys((store for store, _, _ in found), 0)
    for store, start, length in found:
        if start != expected[store]:
            raise CurateError(
                "dataset: it is a part of several tables, so which of all rows these are is not "
                "known; wrap it with curate.data.with_ids before taking the part, or give "
                "ids=range(len(dataset)) if it is always the same part"
            )
        expected[store] += length
    return np.arange(table.num_rows)


class _Places:
    """Where chunks begin in their stores: a stream of record batches, or a table in memory."""

    def __init__(self) -> None:
        self._streams: dict[int, dict[int, int]] = {}

    def find(self, chunk: pa.Array) -> tuple[int, int]:
        """The address of the store that a chunk lies in, and the chunk's first row in it."""
        buffer = next((one for one in chunk.buffers() if one is not None and one.size), None)
        if buffer is None:
            return 0, chunk.offset
        body = buffer
        while buffer.parent is not None:
            body, buffer = buffer, buffer.parent
        if buffer.address not in self._streams:
            self._streams[buffer.address] = _first_rows(buffer)
        first = self._streams[buffer.address].get(body.address, 0)
        return buffer.address, first + chunk.offset


def _first_rows(stream: pa.Buffer) -> dict[int, int]:
    """The first row of every record batch of a stream, by the address of the batch's body."""
    found: dict[int, int] = {}
    row = 0
    try:
        for batch in pa.ipc.open_stream(stream):
            for column in batch.columns:
                for buffer in column.buffers():
                    while buffer is not None and buffer.parent is not None:
                        if buffer.parent.address == stream.address:
                            found[buffer.address] = row
                        buffer = buffer.parent
            row += len(batch)
    except (pa.ArrowException, OSError):  # a buffer of values, not a stream
        return {}
    return found
