"""Features as short vectors of length one: principal directions of the searched set."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from curate.errors import CurateError

_SAMPLE = 4096
_WIDTH = 192
EMBEDDED = 512
"""Images that are embedded at a time."""

Function = Callable[[torch.Tensor], Any]


@dataclass(frozen=True, eq=False)
class Embedding:
    """A feature function, centred on a set and projected on its principal directions.

    Attributes:
        function: from uint8 images (N, 3, s, s) to N rows of numbers.
        mean: float32 (d,), of a sample of the set.
        directions: float32 (d, w).
    """

    function: Function
    mean: np.ndarray
    directions: np.ndarray

    def __call__(self, images: torch.Tensor) -> np.ndarray:
        """Float32 (n, w), each row of length one (or zero)."""
        rows = np.empty((len(images), self.directions.shape[1]), np.float32)
        for start in range(0, len(images), EMBEDDED):
            values = _rows(self.function, images[start : start + EMBEDDED])
            short = (values - self.mean) @ self.directions
            short /= np.linalg.norm(short, axis=1, keepdims=True) + 1e-9
            rows[start : start + len(short)] = short
        return rows


def fit_embedding(
    function: Function, images: torch.Tensor, rng: np.random.Generator, width: int = _WIDTH
) -> Embedding:
    """Fit mean and directions to at most 4,096 of the images."""
    chosen = np.sort(rng.permutation(len(images))[:_SAMPLE])
    parts = [
        _rows(function, images[torch.from_numpy(chosen[start : start + EMBEDDED])])
        for start in range(0, len(chosen), EMBEDDED)
    ]
    sample = np.concatenate(parts)
    mean = sample.mean(0)
    centred = (sample - mean).astype(np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return Embedding(function, mean, np.ascontiguousarray(directions[:, ::-1][:, :width], "f4"))


def _rows(function: Function, images: torch.Tensor) -> np.ndarray:
    given = function(images)
    values = given.detach().cpu().numpy() if isinstance(given, torch.Tensor) else np.asarray(given)
    if len(values) != len(images) or values.ndim < 2 or values.dtype.kind not in "fiub":
        raise CurateError(
            f"features: the function gave {values.dtype} of shape {values.shape} for "
            f"{len(images)} images; give numbers of shape ({len(images)}, d)"
        )
    values = values.reshape(len(values), -1).astype(np.float32)
    if not np.isfinite(values).all():
        raise CurateError("features: the function gave NaN or infinity; make it finite")
    return values
