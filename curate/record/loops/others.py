"""What is different in the loaders of fastai and the models of Keras."""

import sys
from collections import deque
from typing import Any

import torch
from torch import Tensor


def draws_indices(loader: Any) -> bool:
    """Whether a loader is one of fastai, which draws the indices of an epoch at once."""
    module = sys.modules.get("fastai.data.load")
    return module is not None and isinstance(loader, module.DataLoader) and loader.indexed


def tell_indices(loader: Any, told: deque[Any]) -> None:
    """Let a loader of fastai tell the indices of every batch, as a sampler does."""
    draw = loader.get_idxs

    def get_idxs() -> list[int]:
        drawn, size = list(draw()), loader.bs or 1
        told.clear()
        told.extend(drawn[start : start + size] for start in range(0, len(drawn), size))
        return drawn

    loader.get_idxs = get_idxs


def as_logits(model: Any, outputs: Tensor) -> Tensor:
    """The model's outputs, or their logits where a Keras model is compiled for probabilities.

    The logarithms of probabilities are logits: their softmax, losses and margins are the same.
    """
    keras = sys.modules.get("keras")
    model = getattr(model, "module", model)
    if keras is None or not isinstance(model, keras.Model):
        return outputs
    loss = getattr(model, "loss", None)
    name = str(getattr(loss, "name", None) or getattr(loss, "__name__", loss)).lower()
    if "crossentropy" not in name or getattr(loss, "from_logits", False):
        return outputs
    smallest = torch.finfo(outputs.dtype).tiny
    logits = outputs.clamp(min=smallest).log()
    if "binary" in name:
        logits = logits - (1 - outputs).clamp(min=smallest).log()
    return logits
