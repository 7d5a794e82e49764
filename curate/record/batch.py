"""Reading one training step's arguments: which kind of logits, and are the shapes right."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curate.errors import CurateError

KINDS = ("multiclass", "binary", "multilabel", "sequence")


def kind_of(logits: Tensor, labels: Tensor) -> str:
    """The kind of classification, from the shapes alone.

    ==========  =============================  =============================
    kind        logits                         labels
    ==========  =============================  =============================
    multiclass  (N, C), C >= 2                 (N,) class indices
    binary      (N,) or (N, 1)                 (N,) or (N, 1), 0 or 1
    multilabel  (N, L), L >= 2                 (N, L), 0 or 1
    sequence    (N, T, C)                      (N, T) class indices
    ==========  =============================  =============================

    Raises:
        CurateError: none of these.
    """
    shape, label_shape = logits.shape, labels.shape
    dimensions, indices = len(shape), not labels.is_floating_point()
    if logits.is_floating_point() and dimensions and label_shape[:1] == shape[:1]:
        if dimensions == 2 and shape[1] > 1:
            if len(label_shape) == 1 and indices:
                return "multiclass"
            if label_shape == shape:
                return "multilabel"
        elif dimensions == 3 and label_shape == shape[:2] and indices:
            return "sequence"
        elif dimensions < 3 and label_shape in (shape[:1], (*shape[:1], 1)):
            return "binary"
    raise CurateError(
        f"logits: shape {tuple(shape)} ({logits.dtype}) with labels of shape {tuple(label_shape)} "
        f"({labels.dtype}) fits none of (N, C) with (N,), (N,) with (N,), (N, L) with (N, L), "
        "(N, T, C) with (N, T); float logits, integer class indices"
    )


def as_ids(example_id: Tensor | np.ndarray | Sequence[Any]) -> Tensor | list[str]:
    """Ids as an integer tensor (N,), or as a list of strings.

    Raises:
        CurateError: floating-point ids, mixed types, more than one dimension.
    """
    if type(example_id) is Tensor and example_id.dtype == torch.int64 and example_id.ndim == 1:
        return example_id
    if isinstance(example_id, np.ndarray) and example_id.dtype.kind in "UO":
        example_id = example_id.tolist()
    if not isinstance(example_id, (Tensor, np.ndarray)):
        example_id = list(example_id)
        if example_id and set(map(type, example_id)) <= {str, np.str_}:
            return example_id
        if not set(map(type, example_id)) <= {int, np.int64, np.int32, Tensor}:
            kinds = sorted({type(value).__name__ for value in example_id})
            raise CurateError(f"example_id: types {kinds}; give all integers or all strings")
    ids = torch.as_tensor(example_id)
    if ids.numel() == 0:
        ids = ids.to(torch.int64)
    if ids.ndim != 1 or ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise CurateError(
            f"example_id: {ids.dtype} of shape {tuple(ids.shape)}; give one integer or string per "
            "example, shape (N,)"
        )
    return ids


def check_mask(mask: Tensor, labels: Tensor) -> Tensor:
    """The mask as a bool tensor, (N,) or for sequences (N, T).

    Raises:
        CurateError: another dtype or shape.
    """
    mask = torch.as_tensor(mask)
    shape = tuple(mask.shape)
    if mask.dtype != torch.bool or shape not in (tuple(labels.shape), tuple(labels.shape[:1])):
        raise CurateError(
            f"mask: {mask.dtype} of shape {shape} for labels of shape {tuple(labels.shape)}; give "
            "bool, one an example (or one a token of a sequence), True = record"
        )
    return mask


def on_device(values: Tensor, device: torch.device) -> Tensor:
    """The tensor on ``device``; a copy from the host does not wait for the device."""
    if values.device == device:
        return values
    if values.device.type == "cpu" and device.type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)
