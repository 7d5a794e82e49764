"""From signed maps to one number per pixel."""

from torch import Tensor


def pixel_scores(maps: Tensor) -> Tensor:
    """The sum over channels of absolute values: (n, C, H, W) -> (n, H, W), 0 or more."""
    return maps.abs().sum(1)
