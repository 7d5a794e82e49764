"""Classifiers of every kind as one: from training examples to a function from inputs to scores."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curate.bias.classifiers.linear import fit_linear
from curate.bias.classifiers.network import train_network
from curate.errors import CurateError

Scorer = Callable[[Tensor], Tensor]
"""Inputs (n, …) to scores (n, classes)."""
Fit = Callable[[Tensor, Tensor, int], Scorer]
"""Inputs (n, …), labels (n,), number of classes -> scorer."""
Inputs = Sequence[np.ndarray | Tensor]
"""One array a source: float32 (n, d) features or uint8 (n, 3, H, W) pixels."""

_AT_ONCE = 1 << 23  # numbers that are scored at a time


def fitter(classifier: str | Callable[..., Any], seed: int) -> Fit:
    """How the named or given classifier is fitted.

    Raises:
        CurateError: no such classifier.
    """
    if classifier == "linear":
        return lambda x, y, classes: fit_linear(x, y, classes).scores
    if classifier == "network":
        return lambda x, y, classes: train_network(x, y, classes, seed=seed).scores
    if not callable(classifier):
        raise CurateError(
            f"classifier: {classifier!r}; give 'linear', 'network' or a function (x_train, "
            "y_train, x_test) -> scores"
        )

    def fit(x: Tensor, y: Tensor, classes: int) -> Scorer:
        def scores(inputs: Tensor) -> Tensor:
            found = torch.as_tensor(np.asarray(classifier(x.numpy(), y.numpy(), inputs.numpy())))
            if found.shape != (len(inputs), classes) or not bool(torch.isfinite(found).all()):
                raise CurateError(
                    f"classifier: it gave scores of shape {tuple(found.shape)} for {len(inputs)} "
                    f"examples; give finite ones of shape ({len(inputs)}, {classes})"
                )
            return found.float()

        return scores

    return fit


def gathered(inputs: Inputs, rows: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """The chosen rows of every source in turn (first of each, second of each, …), and labels.

    Every source gives equally many, so that any beginning that is a multiple of their number is
    balanced.
    """
    parts = [
        torch.as_tensor(part)[torch.from_numpy(own)] for part, own in zip(inputs, rows, strict=True)
    ]
    x = torch.stack(parts, 1).flatten(0, 1)
    y = torch.arange(len(parts)).repeat(len(rows[0]))
    return x, y


def scored(score: Scorer, part: np.ndarray | Tensor, rows: np.ndarray, whole: bool) -> Tensor:
    """Scores of these rows, a bounded number at a time unless they are wanted ``whole``."""
    x = torch.as_tensor(part)
    width = max(1, x[:1].numel())
    step = len(rows) if whole else max(1, _AT_ONCE // width)
    found = [
        score(x[torch.from_numpy(rows[start : start + step])])
        for start in range(0, len(rows), max(1, step))
    ]
    return torch.cat(found)
