"""From the logits and labels of a step to outcomes, whatever the kind of classification."""

from typing import NamedTuple

import torch
from torch import Tensor

from curate.record import host
from curate.record.outcome import Outcome, multiclass, multilabel, sequence

_PADDING = -100
"""PyTorch's and Hugging Face's label of tokens that do not count."""


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
