"""Predictions of models that are at hand."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from curate.errors import CurateError


def predict(
    models: Mapping[str, Callable[[Any], torch.Tensor]], batches: Iterable[Any]
) -> pa.Table:
    """A table of predictions, as :func:`curate.retest.accuracy_gap` takes them.

    Modules are put into evaluation mode for it, and afterwards as they were.

    Args:
        models: by name, functions from a batch of inputs to logits (examples, classes).
        batches: pairs of inputs and labels, such as a ``DataLoader`` that does not shuffle.

    Returns:
        Columns label and one per model: the class of the largest logit.

    Raises:
        CurateError: no models or batches, or logits of another shape.
    """
    if not models:
        raise CurateError("models: there is none; give at least one by name")
    modules = [model for model in models.values() if isinstance(model, torch.nn.Module)]
    modes = [(part, part.training) for module in modules for part in module.modules()]
    columns: dict[str, list[np.ndarray]] = {"label": [], **{name: [] for name in models}}
    try:
        for module in modules:
            module.eval()
        with torch.no_grad():
            for inputs, labels in batches:
                columns["label"].append(torch.as_tensor(labels).cpu().numpy())
                for name, model in models.items():
                    logits = model(inputs)
                    if logits.ndim != 2 or len(logits) != len(columns["label"][-1]):
                        raise CurateError(
                            f"models: {name!r} gave {tuple(logits.shape)} for a batch of "
                            f"{len(columns['label'][-1])}; give logits (examples, classes)"
                        )
                    columns[name].append(logits.argmax(1).cpu().numpy())
    finally:
        for part, training in modes:
            part.training = training
    if not columns["label"]:
        raise CurateError("batches: there is none; give pairs of inputs and labels")
    return pa.table({name: np.concatenate(parts) for name, parts in columns.items()})
