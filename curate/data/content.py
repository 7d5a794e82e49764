"""Canonical bytes of values and Arrow columns, for hashing: the same on every machine."""

import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from curate.errors import CurateError
from curate.table._as_table import is_view

BLOCK = 128
"""Rows that are fed together; part of the definition of every hash of rows."""

Feed = Callable[[Any], None]
"""Takes bytes or a contiguous buffer; ``hashlib``'s ``update``."""


def feed_value(feed: Feed, value: Any) -> None:
    """Feed a sample: arrays, tensors, Pillow images, numbers, text, and containers of these."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        feed(b"N")
    elif isinstance(value, bool):
        feed(b"B1" if value else b"B0")
    elif isinstance(value, int):
        _feed_bytes(feed, b"I", str(value).encode())
    elif isinstance(value, float):
        feed(b"F" + struct.pack("<d", value))
    elif isinstance(value, str):
        _feed_bytes(feed, b"S", value.encode(errors="surrogatepass"))
    elif isinstance(value, bytes):
        _feed_bytes(feed, b"Y", value)
    elif isinstance(value, torch.Tensor | np.ndarray):
        feed_array(feed, value)
    elif isinstance(value, Mapping):
        feed(b"D" + struct.pack("<q", len(value)))
        for key in sorted(value, key=str):
            feed_value(feed, key)
            feed_value(feed, value[key])
    elif isinstance(value, tuple | list):
        feed(b"L" + struct.pack("<q", len(value)))
        for item in value:
            feed_value(feed, item)
    elif hasattr(value, "tobytes") and hasattr(value, "mode"):  # a Pillow image
        _feed_bytes(feed, b"P", f"{value.mode} {value.size}".encode())
        _feed_bytes(feed, b"p", value.tobytes())
        _feed_bytes(feed, b"c", bytes(value.getpalette() or b""))
    else:
        raise CurateError(
            f"dataset: a sample holds a {type(value).__name__}, which has no fingerprint; give "
            "arrays, tensors, images, numbers, text, or containers of these"
        )


def feed_array(feed: Feed, value: torch.Tensor | np.ndarray) -> None:
    """Feed type, shape and elements (little-endian, row-major)."""
    if isinstance(value, torch.Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        value = value.detach().cpu().contiguous()
        if value.dtype == torch.bfloat16:  # numpy lacks it: feed its bits
            value = value.view(torch.int16)
        value = value.numpy()
    else:
        kind = value.dtype.name
    if value.dtype.kind in "OUS":
        feed(b"A" + str(value.shape).encode())
        feed_value(feed, value.ravel().tolist())
        return
    if value.dtype.byteorder == ">" or (value.dtype.byteorder == "=" and not _LITTLE):
        value = value.astype(value.dtype.newbyteorder("<"))
    _feed_bytes(feed, b"A", f"{kind} {value.shape}".encode())
    feed(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)


def feed_arrays(feed: Feed, arrays: Mapping[str, Any], rows: np.ndarray) -> None:
    """Feed names and these rows of arrays, a block of rows at a time."""
    for name, array in arrays.items():
        feed_value(feed, name)
        for start in range(0, len(rows), BLOCK):
            feed_array(feed, array[rows[start : start + BLOCK]])


def feed_column(feed: Feed, column: pa.ChunkedArray | pa.Array) -> None:
    """Feed an Arrow column by its values: chunks, offsets and padding leave no trace."""
    array = column
    if isinstance(column, pa.ChunkedArray):
        large = _large(column.type)  # text beyond 2 GB would not fit into one array
        array = (column if large == column.type else column.cast(large)).combine_chunks()
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if is_view(array.type, "string") or is_view(array.type, "binary"):
        array = array.cast(_large(array.type))
    kind = array.type
    feed_array(feed, pc.is_valid(array).to_numpy(zero_copy_only=False))
    if pa.types.is_null(kind):
        return
    if pa.types.is_struct(kind):
        for position in sorted(range(kind.num_fields), key=lambda field: kind.field(field).name):
            _feed_bytes(feed, b"T", kind.field(position).name.encode())
            feed_column(feed, pc.struct_field(array, [position]))
        return
    present = array.drop_null()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        feed_array(feed, pc.list_value_length(present).to_numpy().astype(np.int64))
        feed_column(feed, pc.list_flatten(present))
    elif _is_bytes(kind):
        binary = present.cast(pa.large_binary())
        feed_array(feed, pc.binary_length(binary).to_numpy().astype(np.int64))
        offsets = np.frombuffer(binary.buffers()[1], np.int64)
        start, stop = offsets[binary.offset], offsets[binary.offset + len(binary)]
        if stop > start:
            feed(memoryview(binary.buffers()[2])[start:stop])
    elif pa.types.is_primitive(kind):
        _feed_bytes(feed, b"V", str(kind).encode())
        if pa.types.is_temporal(kind):
            present = present.view(pa.int64() if kind.bit_width == 64 else pa.int32())
        feed_array(feed, present.to_numpy(zero_copy_only=False))
    else:
        feed_value(feed, [str(value) for value in present.to_pylist()])


def _is_bytes(kind: pa.DataType) -> bool:
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _large(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string(kind) or is_view(kind, "string"):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary(kind) or is_view(kind, "binary") else kind


def _feed_bytes(feed: Feed, tag: bytes, content: bytes) -> None:
    feed(tag + struct.pack("<q", len(content)))
    feed(content)


_LITTLE = np.little_endian
