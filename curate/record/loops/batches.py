"""Finding ids, labels and logits in what loaders yield and models return."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from curate.errors import CurateError

LABELS = ("labels", "label", "targets", "target", "y")
"""Keys under which labels are looked for in dicts, the first first."""


def labels_in(batch: Any) -> Any:
    """The labels of a batch: by key, or what comes second to last before ids, else last.

    Raises:
        CurateError: a dict without any of the keys.
    """
    if isinstance(batch, Mapping):
        for key in LABELS:
            if key in batch:
                return batch[key]
        raise CurateError(
            f"batch: a dict with the keys {sorted(map(str, batch))}, but none of "
            f"{', '.join(LABELS)}; name the labels so"
        )
    return batch[1]


def ids_and_labels(batch: Any) -> tuple[Any, Any]:
    """Of a batch of :func:`curate.data.with_ids`: a dict, or a tuple that ends in labels and ids.

    Raises:
        CurateError: no ids in it, or no labels.
    """
    if isinstance(batch, Mapping) and "example_id" in batch:
        return batch["example_id"], labels_in(batch)
    if isinstance(batch, (tuple, list)) and len(batch) >= 3:
        return batch[-1], batch[-2]
    shown = type(batch).__name__
    if isinstance(batch, Mapping):
        shown = f"dict with the keys {sorted(map(str, batch))}"
    raise CurateError(
        f"batch: no example ids in it, a {shown}; wrap the data set with curate.data.with_ids and "
        "let its collate function and transforms pass them on"
    )


def logits_in(outputs: Any) -> Tensor:
    """The logits among what a model returns: a tensor, ``.logits``, ``["logits"]``, or the first.

    Raises:
        CurateError: there are none.
    """
    if isinstance(outputs, Mapping) and "logits" in outputs:
        return outputs["logits"]
    if isinstance(getattr(outputs, "logits", None), Tensor):
        return outputs.logits
    if isinstance(outputs, (tuple, list)) and outputs and isinstance(outputs[0], Tensor):
        return outputs[0]
    if isinstance(outputs, Tensor):
        return outputs
    raise CurateError(
        f"model: it returned a {type(outputs).__name__} without 'logits'; return them"
    )
