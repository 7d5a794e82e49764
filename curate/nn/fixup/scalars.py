"""The scalars of Fixup: one number that is added, one that multiplies (rule 3 of the paper)."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn


class FixupBias(nn.Module):
    """Adds one learnable number, 0 at first, to every element.

    Example:
        >>> FixupBias()(torch.ones(2)).tolist()
        [1.0, 1.0]
    """

    fixup_scalars = ("bias",)

    def __init__(self, device: torch.device | None = None, dtype: torch.dtype | None = None):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Reset to 0."""
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """x + bias."""
        return x + self.bias


class FixupScale(nn.Module):
    """Multiplies every element by one number: ``initial`` at first, learnable unless frozen.

    Example:
        >>> FixupScale(0.5)(torch.ones(2)).tolist()
        [0.5, 0.5]
    """

    fixup_scalars = ("scale",)

    def __init__(
        self,
        initial: float = 1.0,
        learnable: bool = True,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        self.initial = initial
        scale = torch.full((1,), float(initial), device=device, dtype=dtype)
        if learnable:
            self.scale = nn.Parameter(scale)
        else:
            self.register_buffer("scale", scale)

    def reset_parameters(self) -> None:
        """Reset to ``initial``."""
        nn.init.constant_(self.scale, self.initial)

    def forward(self, x: Tensor) -> Tensor:
        """x * scale."""
        return x * self.scale

    def extra_repr(self) -> str:
        """What print(model) shows."""
        frozen = "" if isinstance(self.scale, nn.Parameter) else ", frozen"
        return f"initial={self.initial:g}{frozen}"


class FixedScale(nn.Module):
    """Divides by a constant what a layer of equally larger weights gives.

    The function stays, and with a factor s a step of SGD changes it by 1/s^2 as much.
    """

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """x / factor."""
        return x / self.factor


def scalars_of(model: nn.Module) -> Iterator[nn.Parameter]:
    """Every Fixup scalar of a model once, recognised by the module that owns it, not by name."""
    seen = set()
    for module in model.modules():
        for name in getattr(module, "fixup_scalars", ()):
            scalar = getattr(module, name)
            if isinstance(scalar, nn.Parameter) and id(scalar) not in seen:
                seen.add(id(scalar))
                yield scalar


def count_branches(model: nn.Module) -> int:
    """The number L of residual branches: there is one multiplier in each."""
    return sum(
        name == "scale"
        for module in model.modules()
        for name in getattr(module, "fixup_scalars", ())
    )
