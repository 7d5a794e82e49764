"""From the logits and labels of a step to outcomes, whatever the kind of classification."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from curate.record import sync
from curate.record.inputs.kinds import UNKNOWN_LABELS
from curate.record.packed import MAX_LABEL_CODE
from curate.record.statistics import Statistics


class Outcome(NamedTuple):
    """What is always recorded of N presentations, tensors (N,) on the device of the logits.

    ``correct``: bool. ``finite``: bool, no logit is NaN or infinite (-inf at other classes than the
    label, which rules them out, is one like any other, as long as one class is left to compare
    with); an outcome that is not finite is never correct. ``label_code``: int64, label + 1, or 0
    where there is none to keep (no single label, or one above 65,534).
    """

    correct: Tensor
    finite: Tensor
    label_code: Tensor


Judged = tuple[Outcome, Statistics | None]
"""Outcomes, and their statistics where more than correctness was asked for."""

_AT_ONCE = 1 << 24
"""Logits copied at once: a vocabulary of 50,000 would need gigabytes for a whole batch."""


def float_copy(logits: Tensor) -> Tensor:
    """A copy that may be overwritten, in the precision that comparisons are exact in."""
    precise = torch.promote_types(logits.dtype, torch.float32)
    return logits.to(precise, copy=True, memory_format=torch.contiguous_format)


def multiclass(logits: Tensor, labels: Tensor, statistics: bool) -> Judged:
    """Outcomes of a softmax classifier; consumes ``logits``, a copy that the caller gives up.

    Args:
        logits: (N, C) float32 or float64, C >= 2, overwritten.
        labels: (N,) int64, all in 0..C-1.
        statistics: whether more than correctness is asked for.

    The label's own entry is taken out before the others are summed, so that nothing cancels
    where the label's probability is close to 1: loss = log1p(sum of the others) there, and
    EL2N (Paul et al., 2021) = sqrt(sum_{j != y} p_j^2 + (sum_{j != y} p_j)^2).
    """
    # addressing the labels' entries by hand is twice as fast as gather and scatter
    step, stride = logits.stride()
    positions = torch.arange(0, labels.shape[0] * step, step, device=labels.device)
    entries = positions.add_(labels, alpha=stride)
    storage = logits.as_strided(
        ((labels.shape[0] - 1) * step + (logits.shape[1] - 1) * stride + 1,), (1,)
    )
    of_label = storage.index_select(0, entries)
    storage.index_fill_(0, entries, -torch.inf)
    top_other = logits.amax(1)
    margin = of_label - top_other
    finite = margin.isfinite()  # the label's logit and the largest other one are
    correct = margin > 0
    tied = margin == 0
    if not sync.is_free_to_read(tied) or bool(tied.any()):
        # argmax breaks ties towards the lowest class; a comparison is free of device reads
        lower = torch.arange(logits.shape[1], device=logits.device) < labels.unsqueeze(1)
        correct |= tied & ~((logits == of_label.unsqueeze(1)) & lower).any(1)
    correct &= finite
    label_code = labels + 1
    if logits.shape[1] > MAX_LABEL_CODE:
        label_code = label_code.masked_fill_(label_code > MAX_LABEL_CODE, 0)
    outcome = Outcome(correct, finite, label_code)
    if not statistics:
        return outcome, None
    top = torch.maximum(of_label, top_other)
    others = logits.sub_(top.unsqueeze(1)).exp_()
    label_exp = (of_label - top).exp()
    rest, rest_squared = others.sum(1), others.square().sum(1)
    total = rest + label_exp
    loss = torch.log1p(rest + (label_exp - 1)) - (of_label - top)
    el2n = (rest_squared + rest.square()).sqrt() / total
    confidence = label_exp / total
    return outcome, {"loss": loss, "margin": margin, "confidence": confidence, "el2n": el2n}


def multilabel(logits: Tensor, labels: Tensor, counted: Tensor, statistics: bool) -> Judged:
    """Outcomes of L independent binary labels; correct is an exact match of those that count.

    Args:
        logits: (N, L) float; a logit of exactly 0 predicts absent.
        labels: (N, L), 1 or True where the label is present.
        counted: (N, L) bool, False at labels that are unknown or masked.

    Over the labels that count, loss is the binary cross-entropy's mean, margin the smallest signed
    logit, confidence the probability of the exact match, EL2N the norm of sigmoid(logits) - labels.
    """
    present = labels > 0.5
    finite = (logits.isfinite() | ~counted).all(1)
    correct = (((logits > 0) == present) | ~counted).all(1) & finite
    outcome = Outcome(correct, finite, torch.zeros_like(correct, dtype=torch.int64))
    if not statistics:
        return outcome, None
    signed = torch.where(present, logits, -logits)
    signed = torch.where(counted, signed, torch.inf)  # without a part in what follows
    losses = softplus(-signed)
    return outcome, {
        "loss": losses.sum(1) / counted.sum(1).clamp(min=1),
        "margin": signed.amin(1),
        "confidence": (-losses.sum(1)).exp(),
        "el2n": torch.sigmoid(-signed).square().sum(1).sqrt(),
    }


def sequence(logits: Tensor, labels: Tensor, tokens: Tensor, statistics: bool) -> Judged:
    """Outcomes of token sequences; correct when all unpadded tokens are.

    Args:
        logits: (N, T, C) of any float dtype.
        labels: (N, T) int64, in 0..C-1 wherever ``tokens`` is True.
        tokens: (N, T) bool, False at padding; every row has at least one True.

    Loss, confidence, EL2N and the fraction correct are means over tokens, margin is the least
    one, so that it is positive only where the whole sequence is correct.
    """
    n, length, classes = logits.shape
    flat_logits, flat_labels = logits.flatten(0, 1), torch.where(tokens, labels, 0).flatten()
    size = max(1, _AT_ONCE // classes)
    judged = [
        multiclass(float_copy(chunk), flat_labels[start : start + size], statistics)
        for start, chunk in zip(range(0, n * length, size), flat_logits.split(size), strict=True)
    ]
    padding = ~tokens
    token_correct = torch.cat([outcome.correct for outcome, _ in judged]).view(n, length)
    token_finite = torch.cat([outcome.finite for outcome, _ in judged]).view(n, length)
    correct = (token_correct | padding).all(1)
    no_label = torch.zeros_like(correct, dtype=torch.int64)
    outcome = Outcome(correct, (token_finite | padding).all(1), no_label)
    by_chunk = [values for _, values in judged if values is not None]
    if not by_chunk:
        return outcome, None
    of_tokens = {
        name: torch.cat([values[name] for values in by_chunk]).view(n, length)
        for name in by_chunk[0]
    }
    counts = tokens.sum(1).clamp(min=1)
    of_tokens["tokens_correct"] = token_correct.to(of_tokens["loss"].dtype)
    means = {
        name: values.masked_fill(padding, 0.0).sum(1) / counts for name, values in of_tokens.items()
    }
    least_margin = of_tokens["margin"].masked_fill(padding, torch.inf).amin(1)
    return outcome, {**means, "margin": least_margin}


class Batch(NamedTuple):
    """N presentations, judged, and what was wrong with them.

    ``good``: (N,) bool, the labels were possible. ``label_to_show``: (N,), a label to name in the
    message where not. ``nothing``: (N,) bool, no label or token to judge, or None where that
    cannot be.
    """

    judged: Judged
    good: Tensor
    label_to_show: Tensor
    nothing: Tensor | None = None


def outcomes_of(
    kind: str, logits: Tensor, labels: Tensor, counted: Tensor | None, statistics: bool
) -> Batch:
    """Judge one batch of a kind and of shapes as :class:`curate.record.inputs.kinds.Step` has them.

    ``logits`` may be overwritten. Impossible labels are replaced before they are used as an
    index: on a GPU they would otherwise end the process.
    """
    if kind == "binary":
        # a logit z against 0 is a softmax over two classes with the logits 0 and z
        logits = torch.stack([torch.zeros_like(logits), logits], 1)
        good = (labels == 0) | (labels == 1)
        return Batch(multiclass(logits, labels.eq(1).long(), statistics), good, labels)
    if kind == "multiclass":
        good = (labels >= 0) & (labels < logits.shape[1])
        possible = labels
        if not sync.is_free_to_read(good) or not bool(good.all()):
            possible = labels * good
        return Batch(multiclass(logits, possible, statistics), good, labels)
    known = labels == labels  # not NaN
    for unknown in UNKNOWN_LABELS:
        known &= labels != unknown
    counted = known if counted is None else known & counted
    if kind == "multilabel":
        possible = (labels == 0) | (labels == 1)
        judged = multilabel(logits, labels, counted, statistics)
    else:
        possible = (labels >= 0) & (labels < logits.shape[2])
        judged = sequence(logits, labels * possible, counted, statistics)
    fine = possible | ~counted
    lowest = -torch.inf if labels.is_floating_point() else torch.iinfo(torch.int64).min
    numbers = labels if labels.is_floating_point() else labels.long()
    to_show = torch.where(fine, lowest, numbers).amax(1)
    return Batch(judged, fine.all(1), to_show, ~counted.any(1))
