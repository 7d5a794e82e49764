"""Reading one training step's arguments: which kind of classification, do the shapes fit."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from curate.errors import CurateError
from curate.record.inputs.tensors import as_int64, as_tensor, on_device

KINDS = ("multiclass", "binary", "multilabel", "sequence")

UNKNOWN_LABELS = (-1, -100)
"""Labels of a multilabel example, or of a token, that nobody knows; NaN is a third."""

NO_CLASS = -(2**62)
"""Stands for a row of (N, C) labels that is no class: soft, or of several ones or none."""

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class Step(NamedTuple):
    """The arguments of one training step, in the shapes that all that follows takes.

    ``logits``: (N, C), (N,), (N, L) or (N, T, C), detached. ``labels``: (N,) int64 classes; (N,)
    0/1; (N, L) 0/1 or unknown; (N, T) int64. ``asked``: (N,) bool, whether to record an example;
    None: all. ``counted``: (N, L) or (N, T) bool, labels or tokens that count; None: all that are
    known.
    """

    kind: str
    logits: Tensor
    labels: Tensor
    asked: Tensor | None
    counted: Tensor | None


def read_step(logits: Any, labels: Any, mask: Any, kind: str | None, first: bool) -> Step | None:
    """Check the arguments against each other and against the kind that was decided before.

    ==========  =============================  =============================
    kind        logits                         labels
    ==========  =============================  =============================
    multiclass  (N, C), C >= 2                 (N,), (N, 1) indices, (N, C) one-hot
    binary      (N,) or (N, 1)                 (N,) or (N, 1), 0 or 1
    multilabel  (N, L)                         (N, L), 0 or 1, or unknown
    sequence    (N, T, C)                      (N, T) class indices
    ==========  =============================  =============================

    Args:
        logits, labels, mask: as :meth:`curate.Recorder.update` has them.
        kind: of the run; None where it is neither declared nor decided. Then the shapes tell it,
            and for (N, C) labels their values: rows that all sum to 1 are one-hot, so multiclass.
        first: whether nothing was recorded yet, so that the labels' values are looked at.

    Returns:
        None where the kind is still to be told, as the mask leaves out every example.

    Raises:
        CurateError: shapes or dtypes that fit no kind, or another kind than the run's; labels
            of the first step that are soft, or numbers to regress on.
    """
    if kind == "multiclass" and mask is None and not first and _is_plain(logits, labels):
        return Step(kind, logits.detach(), labels, None, None)
    logits = as_tensor("logits", logits).detach()
    labels = as_tensor("labels", labels).detach()
    if mask is not None:
        mask = as_tensor("mask", mask)
    if kind is None:
        kinds = [each for each in KINDS if _fits(each, logits, labels)]
        if not kinds:
            raise _no_kind(logits, labels)
        kind = kinds[0]
    else:
        kind = _fitting(kind, logits, labels, first)
        kinds = [kind]
    if first:
        shown = _shown(labels, mask)
        _check_no_targets(shown)
        if kinds == ["multiclass", "multilabel"]:
            if not len(shown):
                return None
            per_label = mask is not None and mask.shape == labels.shape
            one_hot = not per_label and _is_one_hot(shown)
            kind = "multiclass" if one_hot else "multilabel"
    asked = counted = None
    if mask is not None:
        asked, counted = _read_mask(mask, labels, kind, logits.device)
    if kind == "multiclass":
        labels = _classes(labels)
    elif kind == "binary":
        logits, labels = logits.reshape(-1), labels.reshape(-1)
    elif kind == "sequence":
        labels = as_int64("labels", labels)
    return Step(kind, logits, labels, asked, counted)


def _is_plain(logits: Any, labels: Any) -> bool:
    """Whether there is nothing to convert: the usual step, told without the work of the others."""
    if type(logits) is not Tensor or type(labels) is not Tensor or labels.dtype != torch.int64:
        return False
    shape = logits.shape
    fits = len(shape) == 2 and shape[1] > 1 and labels.shape == (shape[0],)
    return fits and logits.dtype in _FLOATS and logits.layout == torch.strided


def _fits(kind: str, logits: Tensor, labels: Tensor) -> bool:
    shape, given = logits.shape, labels.shape
    if logits.dtype not in _FLOATS or labels.is_complex() or not shape:
        return False
    one_each = given in (shape[:1], (*shape[:1], 1))
    indices = not labels.is_floating_point()
    if kind == "multiclass":
        return len(shape) == 2 and shape[1] > 1 and ((one_each and indices) or given == shape)
    if kind == "binary":
        return (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)) and one_each
    if kind == "multilabel":
        return len(shape) == 2 and shape[1] > 0 and given == shape
    return len(shape) == 3 and shape[2] > 1 and given == shape[:2] and indices


def _fitting(kind: str, logits: Tensor, labels: Tensor, first: bool) -> str:
    """The kind of one step of a run of ``kind``: that, or its equal for two classes.

    A binary logit z is a softmax over two classes with the logits 0 and z, so a run may have both
    (unless ``first``: then the kind was declared).
    """
    if _fits(kind, logits, labels):
        return kind
    other = next((each for each in KINDS if _fits(each, logits, labels)), None)
    if other is None:
        raise _no_kind(logits, labels)
    if {kind, other} == {"binary", "multiclass"} and not first:
        return other
    raise CurateError(
        f"logits: {other} after {kind}; use one Recorder for sequences and another for single "
        "labels, one for every kind"
    )


def _shown(labels: Tensor, mask: Tensor | None) -> Tensor:
    """The labels of the examples that are to be recorded."""
    one_each = (labels.shape[:1], (*labels.shape[:1], 1))
    if mask is None or mask.dtype != torch.bool or mask.shape not in one_each:
        return labels
    return labels[mask.reshape(-1).to(labels.device)]


def _is_one_hot(labels: Tensor) -> bool:
    """Whether all rows are of zeros and ones and sum to 1; reads from the device."""
    return bool(((labels == 0) | (labels == 1)).all() & ((labels == 1).sum(1) == 1).all())


def _check_no_targets(values: Tensor) -> None:
    """Raise where labels are fractions: soft, or targets of a regression."""
    if not values.is_floating_point():
        return
    values = values.double()
    fractions = values[values.isfinite() & (values != values.round())]
    if not len(fractions):
        return
    shown = float(fractions[0])
    if float(fractions.min()) >= 0 and float(fractions.max()) <= 1:
        raise CurateError(
            f"labels: soft ones (such as {shown:.4g}), as mixup, cutmix and label smoothing make "
            "them; give the class indices, (N,), and leave mixed examples out with mask="
        )
    raise CurateError(
        f"labels: {shown:.4g} is neither a class index nor 0 or 1; regression is not recorded"
    )


def _classes(labels: Tensor) -> Tensor:
    """(N,) int64 class indices; NO_CLASS for a row of (N, C) labels that is not one-hot."""
    if labels.ndim == 1:
        return as_int64("labels", labels)
    if labels.shape[1] == 1:
        return as_int64("labels", labels[:, 0])
    ones = labels == 1
    one_hot = (ones.sum(1) == 1) & (ones | (labels == 0)).all(1)
    return torch.where(one_hot, ones.to(torch.uint8).argmax(1), NO_CLASS)


def _read_mask(
    mask: Tensor, labels: Tensor, kind: str, device: torch.device
) -> tuple[Tensor | None, Tensor | None]:
    """Which examples are asked for, or which of their labels or tokens count."""
    of_labels = kind in ("multilabel", "sequence")
    one_each = tuple(mask.shape) in (tuple(labels.shape[:1]), (*labels.shape[:1], 1))
    if mask.dtype == torch.bool and of_labels and mask.shape == labels.shape:
        return None, on_device(mask, device)
    if mask.dtype == torch.bool and one_each and (mask.ndim == 1 or not of_labels):
        return on_device(mask.reshape(-1), device), None
    raise CurateError(
        f"mask: {mask.dtype} of shape {tuple(mask.shape)} for {kind} labels of shape "
        f"{tuple(labels.shape)}; give bool, (N,), one an example"
        + (", or of the labels' shape" if of_labels else "")
        + ", True = record"
    )


def _no_kind(logits: Tensor, labels: Tensor) -> CurateError:
    shape, given = tuple(logits.shape), tuple(labels.shape)
    start = f"logits: shape {shape} ({logits.dtype}) with labels of shape {given} ({labels.dtype}) "
    if len(shape) == 3 and given == (shape[0], shape[2]):
        return CurateError(
            f"{start}are in the order (N, C, T) of cross_entropy; give logits.transpose(1, 2)"
        )
    return CurateError(
        f"{start}fits none of (N, C) with (N,), (N,) with (N,), (N, L) with (N, L), "
        "(N, T, C) with (N, T); float logits, integer class indices"
    )
