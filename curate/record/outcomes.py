"""From the logits and labels of a step to outcomes, whatever the kind of classification."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from curate.record import host

_PADDING = -100
"""PyTorch's and Hugging Face's label of tokens that do not count."""


class Outcome(NamedTuple):
    """Outcomes of N presentations, all tensors (N,) on the device of the logits.

    ``correct``: bool. ``finite``: bool, no logit is NaN or infinite; an outcome that is not finite
    is never correct. ``label``: int64, label + 1, or 0 where there is none to keep (no single
    label, or one above 65,534). The rest is float, None where only correctness was asked for, and
    anything where not finite.
    """

    correct: Tensor
    finite: Tensor
    label: Tensor
    loss: Tensor | None = None
    margin: Tensor | None = None
    confidence: Tensor | None = None
    el2n: Tensor | None = None
    tokens_correct: Tensor | None = None


MOST_CLASSES = 0xFFFF
"""Labels from here on are not kept: a label has 16 bits in the recorder's state."""

_AT_ONCE = 1 << 24
"""Logits copied at once: a vocabulary of 50,000 would need gigabytes for a whole batch."""


def owned(logits: Tensor) -> Tensor:
    """A copy that may be overwritten, in the precision that comparisons are exact in."""
    precise = torch.promote_types(logits.dtype, torch.float32)
    return logits.to(precise, copy=True, memory_format=torch.contiguous_format)


def multiclass(logits: Tensor, labels: Tensor, statistics: bool) -> Outcome:
    """Outcomes of a softmax classifier; consumes ``logits``, which the caller must own.

    Args:
        logits: (N, C) float32 or float64, C >= 2, overwritten.
        labels: (N,) int64, all in 0..C-1.
        statistics: whether more than correctness is asked for.

    The label's own entry is taken out before the others are summed, so that nothing cancels
    where the label's probability is close to 1: loss = log1p(sum of the others) there, and
    EL2N (Paul et al., 2021) = sqrt(sum_{j != y} p_j^2 + (sum_{j != y} p_j)^2).
    """
    top = logits.amax(1)
    finite = (top < torch.inf) & (logits.amin(1) > -torch.inf)
    # addressing the labels' entries by hand is twice as fast as gather and scatter
    step, stride = logits.stride()
    positions = torch.arange(0, labels.shape[0] * step, step, device=labels.device)
    entries = positions.add_(labels, alpha=stride)
    storage = logits.as_strided(
        ((labels.shape[0] - 1) * step + (logits.shape[1] - 1) * stride + 1,), (1,)
    )
    of_label = storage.index_select(0, entries)
    storage.index_fill_(0, entries, -torch.inf)
    margin = of_label - logits.amax(1)
    correct = margin > 0
    tied = margin == 0
    if not host.may_look(tied) or bool(tied.any()):
        # argmax breaks ties towards the lowest class; a comparison is free of device reads
        lower = torch.arange(logits.shape[1], device=logits.device) < labels.unsqueeze(1)
        correct |= tied & ~((logits == of_label.unsqueeze(1)) & lower).any(1)
    correct &= finite
    kept = labels + 1
    if logits.shape[1] > MOST_CLASSES:
        kept = kept.masked_fill_(kept > MOST_CLASSES, 0)
    if not statistics:
        return Outcome(correct, finite, kept)
    others = logits.sub_(top.unsqueeze(1)).exp_()
    own = (of_label - top).exp()
    rest, rest_squared = others.sum(1), others.square().sum(1)
    total = rest + own
    loss = torch.log1p(rest + (own - 1)) - (of_label - top)
    el2n = (rest_squared + rest.square()).sqrt() / total
    return Outcome(correct, finite, kept, loss, margin, own / total, el2n)


def multilabel(logits: Tensor, labels: Tensor, statistics: bool) -> Outcome:
    """Outcomes of L independent binary labels; correct is an exact match of all of them.

    Args:
        logits: (N, L) float; a logit of exactly 0 predicts absent.
        labels: (N, L), 1 or True where the label is present.

    Loss is the binary cross-entropy's mean over labels, margin the smallest signed logit,
    confidence the probability of the exact match, EL2N the norm of sigmoid(logits) - labels.
    """
    present = labels > 0.5
    finite = logits.isfinite().all(1)
    correct = ((logits > 0) == present).all(1) & finite
    none = torch.zeros_like(correct, dtype=torch.int64)
    if not statistics:
        return Outcome(correct, finite, none)
    signed = torch.where(present, logits, -logits)
    losses = softplus(-signed)
    el2n = torch.sigmoid(-signed).square().sum(1).sqrt()
    matched = (-losses.sum(1)).exp()
    return Outcome(correct, finite, none, losses.mean(1), signed.amin(1), matched, el2n)


def sequence(logits: Tensor, labels: Tensor, tokens: Tensor, statistics: bool) -> Outcome:
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
    parts = [
        multiclass(owned(part), flat_labels[start : start + size], statistics)
        for start, part in zip(range(0, n * length, size), flat_logits.split(size), strict=True)
    ]
    joined = zip(*parts, strict=True)
    flat = Outcome(*(None if each[0] is None else torch.cat(each) for each in joined))  # type: ignore[arg-type]
    padding = ~tokens
    correct = (flat.correct.view(n, length) | padding).all(1)
    finite = (flat.finite.view(n, length) | padding).all(1)
    none = torch.zeros_like(correct, dtype=torch.int64)
    if flat.loss is None or flat.margin is None:
        return Outcome(correct, finite, none)
    counts = tokens.sum(1).clamp(min=1)

    def mean(values: Tensor | None) -> Tensor:
        assert values is not None
        return values.view(n, length).masked_fill(padding, 0.0).sum(1) / counts

    margin = flat.margin.view(n, length).masked_fill(padding, torch.inf).amin(1)
    share = mean(flat.correct.to(flat.loss.dtype))
    return Outcome(
        correct,
        finite,
        none,
        mean(flat.loss),
        margin,
        mean(flat.confidence),
        mean(flat.el2n),
        share,
    )


class Reading(NamedTuple):
    """Outcomes of N presentations and what was wrong with them.

    ``good``: (N,) bool, the labels were possible. ``shown``: (N,) int64, a label to name in the
    message where not. ``nothing``: (N,) bool, no token to judge, or None where that cannot be.
    """

    outcome: Outcome
    good: Tensor
    shown: Tensor
    nothing: Tensor | None = None


def read(
    kind: str, logits: Tensor, labels: Tensor, tokens: Tensor | None, statistics: bool
) -> Reading:
    """Read one batch of a kind that :func:`curate.record.batch.kind_of` tells; see there.

    ``logits`` may be overwritten. Impossible labels are replaced before they are used as an
    index: on a GPU they would otherwise end the process.
    """
    if kind == "binary":
        # a logit z against 0 is a softmax over two classes with the logits 0 and z
        logits, labels = logits.reshape(-1), labels.reshape(-1)
        logits = torch.stack([torch.zeros_like(logits), logits], 1)
        good = (labels == 0) | (labels == 1)
        labels = labels.to(torch.int64)
        return Reading(multiclass(logits, labels * good, statistics), good, labels)
    if kind == "multiclass":
        labels = labels.to(torch.int64)
        good = (labels >= 0) & (labels < logits.shape[1])
        possible = labels
        if not host.may_look(good) or not bool(good.all()):
            possible = labels * good
        return Reading(multiclass(logits, possible, statistics), good, labels)
    if kind == "multilabel":
        good = ((labels == 0) | (labels == 1)).all(1)
        return Reading(multilabel(logits, labels, statistics), good, labels.amax(1).long())
    counted = labels != _PADDING
    if tokens is not None:
        counted &= tokens.to(labels.device)
    possible = (labels >= 0) & (labels < logits.shape[2])
    good = (possible | ~counted).all(1)
    shown = torch.where(possible | ~counted, _PADDING, labels).amax(1)
    outcome = sequence(logits, labels * possible, counted, statistics)
    return Reading(outcome, good, shown, ~counted.any(1))
