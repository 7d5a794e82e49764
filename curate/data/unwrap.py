"""What lies under wrappers and subsets: the data set that holds the content, untransformed."""

import copy
from typing import Any

import numpy as np
from torch.utils.data import Subset

from curate.data._with_ids import WithIds


def unwrap(dataset: Any) -> tuple[Any, np.ndarray | None]:
    """The data set inside ``with_ids`` and ``Subset`` layers, and which of its rows are meant.

    A data set of torchvision comes without its transforms: they belong to training, not to the
    content.

    Returns:
        The inner data set, and int64 positions in it (None: all rows, in order).
    """
    positions: np.ndarray | None = None
    while isinstance(dataset, WithIds | Subset):
        if isinstance(dataset, Subset):
            indices = np.asarray(dataset.indices, np.int64).reshape(-1)
            positions = indices if positions is None else indices[positions]
        dataset = dataset.dataset
    if positions is not None and len(positions) and positions.min() < 0:
        positions = np.where(positions < 0, positions + len(dataset), positions)
    return _without_transforms(dataset), positions


def is_torchvision(dataset: Any) -> bool:
    """Whether this is one of torchvision's own data sets (a user's subclass is not)."""
    return type(dataset).__module__.startswith("torchvision.datasets.")


def _without_transforms(dataset: Any) -> Any:
    if not (is_torchvision(dataset) and hasattr(dataset, "transforms")):
        return dataset
    plain = copy.copy(dataset)
    plain.transform = plain.target_transform = plain.transforms = None
    return plain
