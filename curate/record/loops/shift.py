"""Whether a language model's logits stand one token before its labels."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

_NEAR = 0.02
"""A loss this near to one of the two, relative, is it, if the other is four times as far."""


@torch.no_grad()
def is_one_ahead(model: Any, loss: Tensor, logits: Tensor, labels: Tensor, items: Any) -> bool:
    """Whether the model compares the logits at t with the labels at t + 1, as causal ones do.

    The loss tells: it is computed both ways and compared with the model's own. Where that does
    not decide (a loss with further terms, label smoothing), the model's class does.

    Args:
        model: as it was trained, in whatever wrappers.
        loss: () the model's own.
        logits: (N, T, C). ``labels``: (N, T), -100 at padding.
        items: by how many tokens the loss was divided, None for those of this batch.
    """
    if logits.ndim != 3 or labels.shape != logits.shape[:2] or logits.shape[1] < 2:
        return False
    own = float(loss)
    off_ahead = _distance(own, logits[:, :-1], labels[:, 1:], items)
    off_plain = _distance(own, logits, labels, items)
    near = _NEAR * abs(own) + 1e-6
    if off_ahead < near and 4 * off_ahead < off_plain:
        return True
    if off_plain < near and 4 * off_plain < off_ahead:
        return False
    return any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in _names(model))


def _distance(own: float, logits: Tensor, labels: Tensor, items: Any) -> float:
    """How far the model's loss is from the cross-entropy of these, by either count of tokens."""
    losses = cross_entropy(logits.float().flatten(0, 1), labels.flatten().long(), reduction="none")
    total, counts = float(losses.sum()), [int((labels != -100).sum())]
    if items is not None:
        counts.append(int(items))
    return min(abs(own - total / max(count, 1)) for count in counts)


def _names(model: Any) -> set[str]:
    """The names of the classes of the model that the wrappers hold, and of their bases."""
    names: set[str] = set()
    for _ in range(8):
        names |= {kind.__name__ for kind in type(model).__mro__}
        for name in ("module", "_orig_mod", "base_model", "model"):
            inner = getattr(model, name, None)
            if isinstance(inner, torch.nn.Module) and inner is not model:
                model = inner
                break
        else:
            break
    return names
