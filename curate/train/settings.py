"""How the reference trainer trains, and defaults by the kind of data set."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from curate.errors import CurateError
from curate.train.batches import batches_in
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
        augment: random crops after reflection padding, and mirror images.
        device: "cpu", "cuda", …
        steps: where given, training ends after as many steps, however many passes they take, and
            ``epochs`` counts no more: sets of all sizes are trained equally long.
    """

    model: str
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    augment: bool
    device: str
    steps: int | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise CurateError(f"{name}: {value}; give at least 1")
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise CurateError(f"device: {self.device!r} cannot be used here: {reason}") from error

    def __repr__(self) -> str:
        augmented = ", augmented" if self.augment else ""
        length = f"{self.epochs} epochs" if self.steps is None else f"{self.steps:,} steps"
        return (
            f"Settings({self.model}, {length}, batches of {self.batch_size}, lr "
            f"{self.lr:g}, weight decay {self.weight_decay:g}{augmented}, {self.device})"
        )

    def steps_for(self, examples: int) -> int:
        """How many steps a training on so many examples takes."""
        return self.steps or self.epochs * batches_in(examples, self.batch_size)

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
    examples: int | None = None,
) -> Settings:
    """Defaults for examples of this shape, token ids if ``text``; arguments override them.

    Colour images of 16 pixels and more get the whitened net, 10 epochs and augmentation; grey
    ones 3 epochs; smaller images a small net and 15 epochs; features an mlp and 15 epochs; texts
    a net of light convolutions and 6 epochs. Of large images, small sets (``examples``) get
    smaller batches, fifty to the epoch but no less than 16 examples each, and a learning rate to
    match: few steps teach nothing.
    """
    images = len(shape) == 3
    model = model or ("lightconv" if text else "cnn" if images else "mlp")
    check_net(model, shape, text)
    large = images and min(shape[1:]) >= 16
    colour = large and shape[0] == 3
    batch_size, lr = (250, 0.3) if colour else (128, 0.2) if large else (32, 0.2 if text else 0.05)
    if large and examples is not None:
        smaller = min(batch_size, max(16, examples // 50))
        batch_size, lr = smaller, lr * smaller / batch_size
    return Settings(
        model=model,
        epochs=(10 if colour else 3 if large else 6 if text else 15) if epochs is None else epochs,
        batch_size=batch_size,
        lr=lr,
        weight_decay=5e-4,
        augment=colour,
        device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
    )
