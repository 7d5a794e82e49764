"""How far one step of SGD moves a network's outputs, and the gradient at every depth."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from curate.nn.fixup.errors import FixupError
from curate.nn.fixup.groups import fixup_param_groups
from curate.nn.fixup.scalars import scalars_of

_LEAST_UPDATE = 1e-4
"""Over the learning rate: Fixup's networks move their outputs by 0.05 to 0.2 of it."""

_LEAST_DIFFERENCE = 1e-3
"""Over the learning rate: the same, without what is common to all examples."""


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """The effect of a few steps of SGD on one batch on a copy of a model.

    Attributes:
        updates: for every step the root mean square of the change of the outputs. Fixup's aim is
            that it is of the order of the learning rate whatever the depth (definition 1).
        losses: the loss before every step, and after the last.
        gradient_norms: for every weight, in the order of the model, its gradient's l2 norm at
            each step.
        lr: the learning rate.
        differences: for every step the root mean square of what the change of each example's
            outputs differs from the batch's mean change by. A network whose input does not reach
            its outputs learns the frequencies of the labels only, and has 0 here.
    """

    updates: Sequence[float]
    losses: Sequence[float]
    gradient_norms: Mapping[str, Sequence[float]]
    lr: float
    differences: Sequence[float] = ()

    @property
    def healthy(self) -> bool:
        """Nothing explodes, the outputs move, and the weights have gradients.

        All numbers are finite, no loss is more than twice the first one (or 1), some step moves the
        outputs by a ten-thousandth of the learning rate, and not by the same for all examples (a
        thousandth, or a tenth of that and half as much again as in the second step), and in three
        steps or more at most a tenth of the weights never has a gradient.
        """
        numbers = [*self.updates, *self.losses]
        limit = 2 * max(1.0, self.losses[0])
        if not all(math.isfinite(x) for x in numbers) or max(self.losses) > limit:
            return False
        if self.differences and not self._apart:
            return False
        return max(self.updates) >= _LEAST_UPDATE * self.lr and not self._dead

    @property
    def _apart(self) -> bool:
        """A class token hears of the examples only through branches, which begin at 0."""
        least = _LEAST_DIFFERENCE * self.lr
        early = self.differences[min(1, len(self.differences) - 2)]
        growing = len(self.differences) > 1 and self.differences[-1] > 1.5 * early
        return max(self.differences) >= (0.1 * least if growing else least)

    @property
    def _dead(self) -> bool:
        if len(self.updates) < 3:  # before, Fixup's inner layers have none
            return False
        dead = sum(not any(norms) for norms in self.gradient_norms.values())
        return 10 * dead > len(self.gradient_norms)

    def __repr__(self) -> str:
        healthy = "healthy" if self.healthy else "not healthy"
        return (
            f"Diagnosis({len(self.updates)} steps, lr={self.lr:g}, "
            f"loss {self.losses[0]:.4g} -> {self.losses[-1]:.4g}, {healthy})"
        )

    def __str__(self) -> str:
        """One line per step, then the gradients of five weights from the first to the last."""
        lines = ["step      loss  update / lr" + "  apart / lr" * bool(self.differences)]
        for step, update in enumerate(self.updates):
            lines.append(f"{step + 1:>4}{self.losses[step]:>10.4g}{update / self.lr:>13.4g}")
            if self.differences:
                lines[-1] += f"{self.differences[step] / self.lr:>12.4g}"
        lines.append(f" end{self.losses[-1]:>10.4g}")
        names = list(self.gradient_norms)
        shown = sorted({round(i * (len(names) - 1) / 4) for i in range(5)}) if names else []
        lines.append("gradient norms, one column per step")
        for index in shown:
            norms = "".join(f"{norm:>11.3g}" for norm in self.gradient_norms[names[index]])
            lines.append(f"{norms}  {names[index]}")
        return "\n".join(lines)


def diagnose(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    lr: float = 0.1,
    scalar_lr_ratio: float | Literal["depth"] = "depth",
    steps: int = 3,
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
) -> Diagnosis:
    """Take a few steps of plain SGD on a copy of a model, and measure them.

    Under Fixup the first step moves the classifier only, the second the last layers of the
    branches and the scalars, and the third the rest: three steps show every part. Behind attention
    that alone hears of a stream (CaiT), the same begins once more, so there are up to twice as many
    steps while some get their first gradients and more than a tenth of the weights has none.

    Args:
        model: is not changed.
        batch: (inputs, labels).
        lr: learning rate of the weights.
        scalar_lr_ratio: that of the Fixup scalars over it, as in :func:`fixup_param_groups`.
        steps: how many, at least 1; see above for when there are more.
        loss: (outputs, labels) -> a scalar.

    Raises:
        FixupError: steps below 1, or a batch that is no pair.

    Example:
        >>> batch = torch.randn(8, 3, 32, 32), torch.randint(0, 10, (8,))
        >>> diagnose(fixup_resnet_cifar(20), batch).healthy
        True
    """
    if steps < 1:
        raise FixupError(f"steps: {steps}; give at least 1")
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise FixupError("batch: give a pair (inputs, labels)")
    inputs, labels = batch
    model = copy.deepcopy(model)
    if any(True for _ in scalars_of(model)):
        groups = fixup_param_groups(model, lr, scalar_lr_ratio=scalar_lr_ratio)
    else:
        groups = [{"params": [p for p in model.parameters() if p.requires_grad]}]
    optimizer = torch.optim.SGD(groups, lr=lr)
    weights = {n: p for n, p in model.named_parameters() if p.ndim > 1 and p.requires_grad}
    norms: dict[str, list[float]] = {name: [] for name in weights}
    outputs = model(inputs)
    losses: list[float] = []
    updates, differences = [], []
    while len(losses) < steps or (len(losses) < 2 * steps and _still_waking(norms)):
        value = loss(outputs, labels)
        losses.append(value.item())
        optimizer.zero_grad()
        value.backward()
        for name, weight in weights.items():
            norms[name].append(0.0 if weight.grad is None else weight.grad.norm().item())
        optimizer.step()
        before, outputs = outputs.detach(), model(inputs)
        change = outputs.detach() - before
        updates.append(change.square().mean().sqrt().item())
        differences.append((change - change.mean(0)).square().mean().sqrt().item())
    losses.append(loss(outputs, labels).item())
    return Diagnosis(updates, losses, norms, lr, differences if len(outputs) > 1 else ())


def _still_waking(norms: Mapping[str, Sequence[float]]) -> bool:
    """Whether weights got their first gradient in the last step, and too many others wait."""
    if any(len(own) < 3 for own in norms.values()):  # as few steps as were asked for
        return False
    woken = any(own[-1] and not any(own[:-1]) for own in norms.values())
    waiting = sum(not any(own) for own in norms.values())
    return woken and 10 * waiting > len(norms)
