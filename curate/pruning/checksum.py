"""Checksums of rows that do not depend on their order."""

import numpy as np
import pyarrow as pa

from curate.table._hash_ids import hash_ids

_ID, _LABEL = np.uint64(0xE7037ED1A0B428DB), np.uint64(0xD6E8FEB86659FD93)
_SCORE, _NO_LABEL = np.uint64(0xA0761D6478BD642F), np.uint64(0x9FB21C651E98DF25)


class RowChecksum:
    """A 128-bit checksum of a set of rows, added to in any order and in any number of pieces.

    Each row is hashed to 64 bits; the checksum is their sum and their exclusive or. It tells
    tables apart that differ by accident; it is no defence against someone who means to deceive.
    """

    def __init__(self) -> None:
        self.total, self.parity = 0, 0

    def add(self, rows: np.ndarray) -> None:
        """Take in rows by their hashes (:func:`hash_rows`), uint64 of shape (rows,)."""
        self.total = (self.total + int(rows.sum(dtype=np.uint64))) & 0xFFFFFFFFFFFFFFFF
        self.parity ^= int(np.bitwise_xor.reduce(rows, initial=0))

    def merge(self, other: "RowChecksum") -> None:
        """Take in the rows of another checksum."""
        self.total = (self.total + other.total) & 0xFFFFFFFFFFFFFFFF
        self.parity ^= other.parity

    def hexdigest(self) -> str:
        """32 hexadecimal digits."""
        return f"{self.total:016x}{self.parity:016x}"


def hash_rows(
    ids: pa.ChunkedArray | pa.Array, labels: pa.ChunkedArray | pa.Array | None, scores: np.ndarray
) -> np.ndarray:
    """A 64-bit hash of (id, label, score) for each row: uint64 of shape (rows,)."""
    rows = _words(ids) * _ID if pa.types.is_integer(ids.type) else hash_ids(ids)
    scores = scores + 0.0  # -0.0 becomes 0.0
    if np.isnan(scores.min(initial=0.0)):
        np.copyto(scores, np.nan, where=np.isnan(scores))  # of its many bit patterns, one
    rows += scores.view(np.uint64) * _SCORE
    if labels is not None:
        rows += _words(labels.fill_null(0)) * _LABEL
        if labels.null_count:
            rows[labels.is_null().to_numpy(zero_copy_only=False)] ^= _NO_LABEL
    rows ^= rows >> np.uint64(32)
    rows *= _ID
    return rows


def _words(integers: pa.ChunkedArray | pa.Array) -> np.ndarray:
    return integers.to_numpy().astype(np.int64, copy=False).view(np.uint64)
