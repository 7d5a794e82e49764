"""Columns of the example table as NumPy arrays, and masks in both."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import CurateError


def require(table: pa.Table, name: str) -> pa.ChunkedArray:
    """The column, or an error that says how a table comes to have it."""
    if name in table.column_names:
        return table[name]
    raise missing_column(name, table.column_names)


def missing_column(name: str, available: Sequence[str]) -> CurateError:
    """The error for a table without a column that a score needs."""
    if name == "grand":
        fix = "compute it with curate.scores.grand(model, inputs, labels) and append it"
    elif name.startswith("cross_fitted_"):
        fix = "join what curate.experiment.cross_fitted_table(dataset) returns"
    elif name in ("dual", "dyn_unc", "tdds"):
        fix = f"record with curate.Recorder(..., also=[{name!r}])"
    else:
        fix = 'record with curate.Recorder(..., track="all") to have every statistic'
    return CurateError(f"table: it has no column {name!r}, only {list(available)}; {fix}")


def floats(table: pa.Table, name: str) -> np.ndarray:
    """The column as float64, with NaN where it is null; a fresh array, free to be changed."""
    column = require(table, name)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if not (
        pa.types.is_integer(column.type)
        or pa.types.is_floating(column.type)
        or pa.types.is_null(column.type)
    ):
        raise CurateError(
            f"table: its column {name!r} is of type {column.type}; a score needs numbers"
        )
    values = np.empty(len(column), np.float64)
    start = 0
    for chunk in column.chunks:  # one copy, where a cast and to_numpy would make three
        values[start : start + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
        start += len(chunk)
    return values


def nulls(table: pa.Table, name: str) -> np.ndarray:
    """Where the column is null, as a NumPy mask."""
    column = require(table, name)
    if column.null_count == 0:
        return np.zeros(len(column), bool)
    return mask_to_numpy(pc.is_null(column))


def mask_to_arrow(mask: np.ndarray) -> pa.BooleanArray:
    """Convert a mask to Arrow, faster than its own conversion."""
    packed = pa.py_buffer(np.packbits(mask, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(mask), [None, packed])


def mask_to_numpy(mask: pa.ChunkedArray | pa.BooleanArray) -> np.ndarray:
    """Convert a mask without nulls to NumPy, faster than its own conversion."""
    chunks = mask.chunks if isinstance(mask, pa.ChunkedArray) else [mask]
    masks = [np.empty(0, bool)]
    for chunk in chunks:
        if len(chunk):
            packed = np.frombuffer(chunk.buffers()[1], np.uint8)
            bits = np.unpackbits(packed, count=chunk.offset + len(chunk), bitorder="little")
            masks.append(bits[chunk.offset :].view(bool))
    return masks[1] if len(masks) == 2 else np.concatenate(masks)
