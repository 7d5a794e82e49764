"""What makes a list of example ids usable: int64 or str, one type, none twice."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import torch

from curate.errors import CurateError

Ids: TypeAlias = np.ndarray | list[str]
"""int64 array of shape (n,), or a list of n strings."""


def checked_ids(ids: Any, size: int) -> Ids:
    """The ids in one of the two shapes that the library uses.

    Args:
        ids: list, tuple, range, numpy or Arrow array, tensor or series of integers (any int64
            value) or of strings.
        size: how many there must be.

    Raises:
        CurateError: another count, another type, both types, or an id that occurs twice (the
            message names it and both positions).
    """
    plain = _integers_or_strings(ids)
    if len(plain) != size:
        raise CurateError(
            f"ids: {len(plain)} ids for {size} examples; give exactly one id per example"
        )
    _check_unique(plain)
    return plain


def as_arrow(ids: Ids) -> pa.Array:
    """Checked ids as an int64 or string Arrow array."""
    return pa.array(ids, pa.string() if isinstance(ids, list) else pa.int64())


def take_ids(ids: Ids, positions: np.ndarray) -> Ids:
    """The ids at these positions, in this order."""
    if isinstance(ids, list):
        return [ids[position] for position in positions.tolist()]
    return ids[positions]


def _integers_or_strings(ids: Any) -> Ids:
    if isinstance(ids, Mapping | set | frozenset | pa.Table):
        raise CurateError(
            f"ids: a {type(ids).__name__} is not a list of ids; give one int or str per example"
        )
    if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
        raise CurateError(f"ids: {ids!r} is not a list of ids; give one int or str per example")
    if isinstance(ids, pa.Array | pa.ChunkedArray):
        if ids.null_count:
            raise CurateError(f"ids: {ids.null_count} of them are null; give every example an id")
        if pa.types.is_decimal(ids.type):  # whole numbers of Spark
            ids = _whole(ids)
        ids = ids.to_numpy() if pa.types.is_integer(ids.type) else ids.to_pylist()
    elif isinstance(ids, torch.Tensor):
        ids = ids.detach().cpu().numpy()
    elif not isinstance(ids, np.ndarray | list | range):
        ids = list(ids)
    if isinstance(ids, np.ndarray):
        if ids.ndim != 1:
            raise CurateError(f"ids: an array of shape {ids.shape}; give a flat one")
        if ids.dtype.kind in "iu":
            return _int64(ids)
        if ids.dtype.kind not in "OU":
            raise CurateError(f"ids: of type {ids.dtype}; give integers or strings")
        ids = ids.tolist()
    return _from_list(list(ids))


def _whole(ids: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    try:
        return ids.cast(pa.int64())
    except pa.ArrowException as error:
        raise CurateError(
            f"ids: of type {ids.type}, and not all are whole numbers of 64 bits; give integers or "
            "strings"
        ) from error


def _from_list(ids: list[Any]) -> Ids:
    types = set(map(type, ids))
    if not ids:
        return np.empty(0, np.int64)
    if all(issubclass(kind, str) for kind in types):
        return _strings(ids)
    if all(issubclass(kind, int | np.integer) and kind is not bool for kind in types):
        return _int64(ids)
    first_kind = str if isinstance(ids[0], str) else int
    for position, value in enumerate(ids):
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer | str):
            raise CurateError(
                f"ids: {value!r} at position {position} is a {type(value).__name__}; give "
                "integers or strings"
            )
        if isinstance(value, str) is not (first_kind is str):
            raise CurateError(
                f"ids: {ids[0]!r} at position 0 but {value!r} at position {position}; give only "
                "integers or only strings"
            )
    raise AssertionError("unreachable: every id is of one usable type")


def _int64(values: Any) -> np.ndarray:
    try:
        array = np.asarray(values)
        if array.dtype.kind == "u" and len(array) and int(array.max()) > np.iinfo(np.int64).max:
            raise OverflowError
        return array.astype(np.int64, casting="unsafe" if array.dtype.kind == "u" else "same_kind")
    except (OverflowError, TypeError):
        raise CurateError(
            "ids: one of the integers does not fit into 64 bits; give smaller ones or strings"
        ) from None


def _strings(values: list[Any]) -> list[str]:
    try:
        pa.array(values, pa.string())
    except (UnicodeEncodeError, pa.ArrowException):
        bad = next(value for value in values if not _is_encodable(value))
        raise CurateError(
            f"ids: {bad!r} at position {values.index(bad)} is not valid Unicode; rename it"
        ) from None
    return [str(value) for value in values]


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_unique(ids: Ids) -> None:
    if isinstance(ids, list):
        if len(set(ids)) == len(ids):
            return
        seen: dict[str, int] = {}
        for position, value in enumerate(ids):
            if value in seen:
                raise _duplicate(value, seen[value], position)
            seen[value] = position
    order = np.argsort(ids, kind="stable")
    repeats = np.flatnonzero(ids[order[1:]] == ids[order[:-1]])
    if len(repeats):
        at = repeats[np.argmin(order[repeats + 1])]
        raise _duplicate(int(ids[order[at]]), int(order[at]), int(order[at + 1]))


def _duplicate(value: object, first: int, second: int) -> CurateError:
    return CurateError(
        f"ids: {value!r} occurs at position {first} and again at position {second}; give every "
        "example its own id"
    )
