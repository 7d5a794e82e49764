"""From example ids to rows of the recorder's state."""

import hashlib
from collections.abc import Sequence
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from curate.errors import CurateError

UNKNOWN = -1
"""The row of an id that the recorder was not made for."""

SKIPPED = torch.iinfo(torch.int64).min
"""Stands in place of the id of a presentation that ``mask=`` leaves out."""


class RowLookup:
    """The recorder's examples, in table order, and how to find their rows.

    Attributes:
        digest: sha256 of the ids, to tell whether a checkpoint belongs to them.
        unknown_string: the last string id that was looked up and not found.
    """

    def __init__(self, n_or_ids: int | Sequence[Any] | np.ndarray | Tensor) -> None:
        self.unknown_string: str | None = None
        self._row_of: dict[str, int] | None = None
        self._sorted: tuple[Tensor, Tensor] | None = None
        self._array: pa.Array | None = None
        if isinstance(n_or_ids, int) and not isinstance(n_or_ids, bool):
            if n_or_ids < 1:
                raise CurateError(f"n_or_ids: {n_or_ids} examples; give at least 1")
            self._count = n_or_ids
        else:
            array = _as_array(n_or_ids)
            self._count = len(array)
            if pa.types.is_string(array.type):
                self._row_of = {name: row for row, name in enumerate(array.to_pylist())}
                self._array = array
            elif not _counts_up(array):
                ordered, order = torch.from_numpy(array.to_numpy().copy()).sort()
                self._sorted = (ordered, order)
                self._array = array
        self.digest = self._digest()

    def __len__(self) -> int:
        return self._count

    @property
    def array(self) -> pa.Array:
        """(n,) int64 or string, as the table's ``example_id`` column; 0..n-1 is made when asked."""
        return pa.array(np.arange(self._count)) if self._array is None else self._array

    def _digest(self) -> str:
        if self._array is None:
            return hashlib.sha256(f"0..{self._count - 1}".encode()).hexdigest()
        digest = hashlib.sha256(str(self._array.type).encode())
        for buffer in self._array.buffers()[1:]:
            digest.update(buffer)
        return digest.hexdigest()

    @property
    def are_strings(self) -> bool:
        """Whether ids are strings, which are looked up on the host."""
        return self._row_of is not None

    def rows_of_strings(self, names: Sequence[str]) -> Tensor:
        """(N,) int64 rows of string ids; UNKNOWN where there is none."""
        assert self._row_of is not None
        rows = list(map(self._row_of.get, names, repeat(UNKNOWN)))
        if UNKNOWN in rows:
            self.unknown_string = names[rows.index(UNKNOWN)]
        return torch.tensor(rows, dtype=torch.int64)

    def rows(self, ids: Tensor) -> Tensor:
        """(N,) int64 rows of integer ids, without a read from the device; UNKNOWN for others."""
        if self._sorted is None:
            return ids
        if self._sorted[0].device != ids.device:
            self._sorted = (self._sorted[0].to(ids.device), self._sorted[1].to(ids.device))
        ordered, order = self._sorted
        position = torch.searchsorted(ordered, ids).clamp_(max=len(ordered) - 1)
        rows = order[position].masked_fill_(ordered[position] != ids, UNKNOWN)
        return rows.masked_fill_(ids == SKIPPED, SKIPPED)


def _as_array(ids: Any) -> pa.Array:
    if isinstance(ids, Tensor):
        ids = ids.cpu().numpy()
    if isinstance(ids, (pa.Array, pa.ChunkedArray)):
        ids = ids.to_pylist()
    if isinstance(ids, np.ndarray) and np.issubdtype(ids.dtype, np.integer):
        array = pa.array(ids.astype(np.int64).ravel())
    else:
        values = list(ids)
        kinds = {type(value) for value in values}
        if not (kinds <= {int, np.int64, np.int32} or kinds <= {str, np.str_}):
            names = sorted(kind.__name__ for kind in kinds)
            raise CurateError(f"n_or_ids: ids of the types {names}; give all int or all str")
        array = pa.array([str(v) if isinstance(v, str) else int(v) for v in values])
    if len(array) == 0:
        raise CurateError("n_or_ids: an empty list of ids; give at least 1")
    counts = array.value_counts()
    if len(counts) != len(array):
        repeated = next(c for c in counts if c["counts"].as_py() > 1)["values"].as_py()
        raise CurateError(f"n_or_ids: the id {repeated!r} occurs more than once; ids are unique")
    if pa.types.is_int64(array.type) and int(array.to_numpy().min()) == SKIPPED:
        raise CurateError(f"n_or_ids: the id {SKIPPED} is reserved; use another")
    return array


def _counts_up(array: pa.Array) -> bool:
    values = array.to_numpy()
    return bool(values[0] == 0 and np.array_equal(values, np.arange(len(values))))
