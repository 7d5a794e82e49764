"""Looking at every example once, as it is, between the steps of training."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from curate.record.loops.batches import LABELS, ids_and_labels, logits_in


@torch.no_grad()
def sweep(update: Any, model: torch.nn.Module, batches: Iterable[Any]) -> None:
    """Call ``update(ids, logits, labels)`` with what the model says in evaluation mode.

    Args:
        update: a recorder's.
        model: its parameters, buffers and modes are afterwards what they were.
        batches: of ``curate.data.with_ids``: (inputs, labels, ids) or dicts.
    """
    modes = {module: module.training for module in model.modules()}
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    try:
        model.eval()
        for batch in batches:
            ids, labels = ids_and_labels(batch)
            if isinstance(batch, Mapping):
                others = {k: v for k, v in batch.items() if k not in (*LABELS, "example_id")}
                outputs = model(**{name: _on(value, device) for name, value in others.items()})
            else:
                outputs = model(*(_on(value, device) for value in batch[:-2]))
            update(ids, logits_in(outputs), labels)
    finally:
        for module, training in modes.items():
            module.training = training


def _on(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, Tensor) else value
