"""From example ids to rows of the recorder's state."""

import hashlib
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from curate.errors import CurateError
from curate.record.inputs.tensors import as_ids, as_tensor

UNKNOWN = -1
"""The row of an id that the recorder was not made for."""


class RowLookup:
    """The recorder's examples, in table order, and how to find their rows.

    Attributes:
        digest: sha256 of the ids, to tell whether a checkpoint belongs to them.
        unknown_string: the last string id that was looked up and not found.
    """

    def __init__(self, n_or_ids: Any) -> None:
        self.unknown_string: str | None = None
        self._row_of: dict[str, int] | None = None
        self._sorted: tuple[Tensor, Tensor] | None = None
        self._array: pa.Array | None = None
        if isinstance(n_or_ids, (int, np.integer)) and not isinstance(n_or_ids, bool):
            if not 1 <= n_or_ids < 2**63:
                raise CurateError(f"n_or_ids: {n_or_ids} examples; give 1 to 2**63 - 1")
            self._count = int(n_or_ids)
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

    def taken(self, example_id: Any) -> Tensor:
        """(N,) int64: integer ids as they are, strings as the rows they stand for.

        Raises:
            CurateError: ids that are none, or of the other kind.
        """
        ids = as_ids(example_id)
        if isinstance(ids, Tensor) and self._row_of is None:
            return ids
        if isinstance(ids, Tensor) and not ids.numel():  # no strings, of a batch left empty
            return ids
        if isinstance(ids, Tensor) or self._row_of is None:
            given = "integers" if isinstance(ids, Tensor) else "strings"
            raise CurateError(
                f"example_id: {given}, but this Recorder was made for ids of the other kind; give "
                "those of its data set"
            )
        rows = list(map(self._row_of.get, ids, repeat(UNKNOWN)))
        if UNKNOWN in rows:
            self.unknown_string = str(ids[rows.index(UNKNOWN)])
        return torch.tensor(rows, dtype=torch.int64)

    def rows(self, ids: Tensor) -> Tensor:
        """(N,) int64 rows of integer ids, without a read from the device; UNKNOWN for others."""
        if self._sorted is None:
            return ids
        if self._sorted[0].device != ids.device:
            self._sorted = (self._sorted[0].to(ids.device), self._sorted[1].to(ids.device))
        ordered, order = self._sorted
        position = torch.searchsorted(ordered, ids).clamp_(max=len(ordered) - 1)
        return order[position].masked_fill_(ordered[position] != ids, UNKNOWN)


def _as_array(ids: Any) -> pa.Array:
    if isinstance(ids, (str, bytes, bool)) or not hasattr(ids, "__iter__"):
        raise CurateError(
            f"n_or_ids: {ids!r}; give the number of examples or all their ids, or nothing for a "
            "Recorder that grows"
        )
    if isinstance(ids, Tensor):
        ids = as_tensor("n_or_ids", ids).detach().cpu().numpy()
    if isinstance(ids, (pa.Array, pa.ChunkedArray)):
        ids = ids.to_pylist()
    if hasattr(ids, "__array__") and not isinstance(ids, (list, tuple)):
        ids = np.asarray(ids)
        if ids.ndim != 1:
            raise CurateError(f"n_or_ids: an array of shape {ids.shape}; give a flat one")
    try:
        if isinstance(ids, np.ndarray) and ids.dtype.kind in "iu":
            if len(ids) and int(ids.max()) > np.iinfo(np.int64).max:
                raise OverflowError
            array = pa.array(ids.astype(np.int64))
        else:
            array = _array_of_list(list(ids))
    except OverflowError:
        raise CurateError(
            "n_or_ids: one of the integers does not fit into 64 bits; give smaller ones or strings"
        ) from None
    if len(array) == 0:
        raise CurateError("n_or_ids: an empty list of ids; give at least 1")
    counts = array.value_counts()
    if len(counts) != len(array):
        repeated = next(c for c in counts if c["counts"].as_py() > 1)["values"].as_py()
        raise CurateError(f"n_or_ids: the id {repeated!r} occurs more than once; ids are unique")
    return array


def _array_of_list(values: list[Any]) -> pa.Array:
    kinds = set(map(type, values))
    if values and all(issubclass(kind, str) for kind in kinds):
        try:
            return pa.array([str(value) for value in values], pa.string())
        except (UnicodeEncodeError, pa.ArrowException):
            raise CurateError("n_or_ids: one of the ids is not valid Unicode; rename it") from None
    whole = all(issubclass(kind, (int, np.integer)) for kind in kinds - {bool})
    if not whole or kinds & {bool, np.timedelta64}:
        names = sorted(kind.__name__ for kind in kinds)
        raise CurateError(f"n_or_ids: ids of the types {names}; give all int or all str")
    return pa.array([int(value) for value in values], pa.int64())


def _counts_up(array: pa.Array) -> bool:
    values = array.to_numpy()
    return bool(values[0] == 0 and np.array_equal(values, np.arange(len(values))))
