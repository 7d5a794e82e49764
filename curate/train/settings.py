"""How the reference trainer trains, and defaults by the kind of data set."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from curate.errors import CurateError
from curate.train.nets import check_net


@dataclass(frozen=True, repr=False)
class Settings:
    """Everything that a training run depends on besides its data and seed.

    Attributes:
        model: see ``curate.train.NETS``.
        epochs: passes over the training set; on a pruned set they take fewer steps.
        batch_size: examples per step.
        lr: peak learning rate of the one-cycle schedule of SGD with Nesterov momentum 0.9.
        weight_decay: of all weights.
        augment: random crops from 4 pixels of reflected border, and mirror images.
        device: "cpu", "cuda", …
    """

    model: str
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    augment: bool
    device: str

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise CurateError(f"epochs: {self.epochs}; give at least 1")
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise CurateError(f"device: {self.device!r} cannot be used here: {reason}") from error

    def __repr__(self) -> str:
        augmented = ", augmented" if self.augment else ""
        return (
            f"Settings({self.model}, {self.epochs} epochs, batches of {self.batch_size}, lr "
            f"{self.lr:g}, weight decay {self.weight_decay:g}{augmented}, {self.device})"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def settings_for(
    shape: Sequence[int],
    *,
    text: bool = False,
    model: str | None = None,
    epochs: int | None = None,
    device: str | None = None,
) -> Settings:
    """Defaults for examples of this shape, token ids if ``text``; arguments override them.

    Colour images of 16 pixels and more get the residual net, 8 epochs and augmentation; grey
    ones 3 epochs; smaller images a small net and 15 epochs; features an mlp and 15 epochs; texts
    a net of light convolutions and 6 epochs.
    """
    images = len(shape) == 3
    model = model or ("lightconv" if text else "cnn" if images else "mlp")
    check_net(model, shape, text)
    large = images and min(shape[1:]) >= 16
    colour = large and shape[0] == 3
    return Settings(
        model=model,
        epochs=(8 if colour else 3 if large else 6 if text else 15) if epochs is None else epochs,
        batch_size=128 if large else 32,
        lr=0.2 if large or text else 0.05,
        weight_decay=5e-4,
        augment=colour,
        device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
    )
