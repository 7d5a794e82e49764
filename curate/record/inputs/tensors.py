"""Turning what people pass for ids, logits, labels and masks into tensors, or saying why not."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curate.errors import CurateError

_LARGEST = torch.iinfo(torch.int64).max

_EIGHT_BITS = tuple(
    getattr(torch, name) for name in dir(torch) if name.startswith(("float8_", "float4_"))
)
"""Floats that torch stores and does not compute with."""


def as_tensor(name: str, values: Any) -> Tensor:
    """Tensors as plain ones; arrays of any library, lists and numbers as tensors.

    Raises:
        CurateError: anything else, a model's whole output for instance.
    """
    if isinstance(values, Tensor):
        if values.layout != torch.strided or values.is_nested:
            layout = "nested" if values.is_nested else values.layout
            raise CurateError(f"{name}: a tensor of layout {layout}; give a dense one")
        if values.is_meta:
            raise CurateError(f"{name}: a tensor on the device 'meta', which holds no values")
        if values.is_quantized or values.dtype in _EIGHT_BITS:
            cure = ".dequantize()" if values.is_quantized else ".float()"
            raise CurateError(f"{name}: a tensor of {values.dtype}; give its {cure}")
        if type(values) is Tensor:
            return values
        if hasattr(values, "full_tensor"):
            raise CurateError(f"{name}: a {type(values).__name__}; give its .full_tensor()")
        # kinds of tensors that fastai and torchvision make refuse to be mixed
        return values.as_subclass(Tensor)
    kind = type(values).__name__
    if hasattr(values, "logits") or (isinstance(values, Mapping) and "logits" in values):
        raise CurateError(f"{name}: a {kind}; give its .logits")
    if not isinstance(values, (str, bytes, Mapping)) and values is not None:
        try:
            array = np.asarray(values)
        except (TypeError, ValueError, OverflowError):
            array = np.empty(0, object)
        if array.dtype.kind in "biuf":
            return _from_numpy(name, array)
    raise CurateError(f"{name}: a {kind}; give a tensor, or an array of numbers")


def as_ids(example_id: Any) -> Tensor | list[str]:
    """Ids as an int64 tensor (N,), or as a list of strings.

    Raises:
        CurateError: floating-point ids, mixed types, more than one dimension, above int64.
    """
    if type(example_id) is Tensor and example_id.dtype == torch.int64 and example_id.ndim == 1:
        return as_tensor("example_id", example_id)
    if isinstance(example_id, (str, bytes, Mapping)) or not hasattr(example_id, "__iter__"):
        raise CurateError(
            f"example_id: {example_id!r} is no list of ids; give one integer or string per example"
        )
    if hasattr(example_id, "__array__") and not isinstance(example_id, (Tensor, list, tuple)):
        example_id = np.asarray(example_id)
        if example_id.dtype.kind in "UO":
            example_id = example_id.tolist()
    if not isinstance(example_id, (Tensor, np.ndarray)):
        example_id = list(example_id)
        types = set(map(type, example_id))
        if example_id and all(issubclass(each, str) for each in types):
            return example_id
        if not all(issubclass(each, (int, np.integer, Tensor)) for each in types - {bool}) or (
            bool in types
        ):
            kinds = sorted(each.__name__ for each in types)
            raise CurateError(f"example_id: types {kinds}; give all integers or all strings")
        if any(value > _LARGEST or value < -_LARGEST - 1 for value in example_id):
            raise CurateError(
                "example_id: one of the integers does not fit into 64 bits; give smaller ones or "
                "strings"
            )
    if isinstance(example_id, list):
        ids = torch.as_tensor([int(value) for value in example_id], dtype=torch.int64)
    else:
        ids = as_tensor("example_id", example_id)
    if ids.numel() == 0:
        ids = ids.to(torch.int64)
    if ids.ndim != 1 or ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise CurateError(
            f"example_id: {ids.dtype} of shape {tuple(ids.shape)}; give one integer or string per "
            "example, shape (N,)"
        )
    return as_int64("example_id", ids)


def as_int64(name: str, values: Tensor) -> Tensor:
    """Whole numbers of any width as int64.

    Raises:
        CurateError: an unsigned number above the largest int64.
    """
    if values.dtype == torch.int64:
        return values
    if values.dtype == torch.uint64:
        _check_fits(name, values.cpu().numpy())
    return values.to(torch.int64)


def as_device(device: Any) -> torch.device | None:
    """A device of torch; None stays None.

    Raises:
        CurateError: torch has no such device.
    """
    try:
        return None if device is None else torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise CurateError(f"device: {device!r}; give one of torch's, such as 'cpu'") from error


def on_device(values: Tensor, device: torch.device) -> Tensor:
    """The tensor on ``device``; a copy from the host does not wait for the device."""
    if values.device == device:
        return values
    if values.device.type == "cpu" and device.type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def _from_numpy(name: str, array: np.ndarray) -> Tensor:
    """A tensor of an array of any byte order and strides; unsigned numbers become int64."""
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        _check_fits(name, array)
        array = array.astype(np.int64)
    array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False))
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _check_fits(name: str, array: np.ndarray) -> None:
    if array.size and int(array.max()) > _LARGEST:
        raise CurateError(
            f"{name}: one of the integers does not fit into 64 bits; give smaller ones or strings"
        )
