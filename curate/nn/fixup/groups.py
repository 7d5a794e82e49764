"""Parameter groups: the scalars learn more slowly, and slower still in deep networks."""

from typing import Any, Literal

from torch import nn

from curate.nn.fixup.errors import FixupError
from curate.nn.fixup.scalars import count_branches, scalars_of

TEXTBOOK_RATIO = 0.1
"""Learning rate of the scalars over that of the weights, in the paper's appendix."""

COLLECTIVE_RATIO = 5.0
"""Most that L scalars may learn together, over the learning rate of the weights."""


def scalar_lr_ratio(num_branches: int) -> float:
    """The ``"depth"`` rule: min(1/10, 5 / L), for the L residual branches of a network.

    The biases at the ends of the L branches all add to the one stream. At the start the branches
    are nearly the identity, so all of them get nearly the same gradient g, and a step of SGD moves
    the stream by L x lr_scalar x g: they act as a single bias that learns L times as fast. The
    rule of the paper keeps the share of the *weights* of one branch at lr / L; the scalars need
    the same 1 / L of their own. The textbook's 1/10 is what this gives at L = 50 (ResNet-110 has
    L = 54), and it stays below.

    Example:
        >>> scalar_lr_ratio(9), scalar_lr_ratio(5000)
        (0.1, 0.001)
    """
    return min(TEXTBOOK_RATIO, COLLECTIVE_RATIO / max(1, num_branches))


def fixup_param_groups(
    model: nn.Module,
    lr: float,
    weight_decay: float = 0.0,
    scalar_lr_ratio: float | Literal["depth"] = TEXTBOOK_RATIO,
    decay_scalars: bool = False,
) -> list[dict[str, Any]]:
    """Two groups for an optimizer: the weights, and the Fixup scalars.

    Scalars are recognised by the module that owns them, so that a parameter that is merely called
    ``bias`` or ``scale`` stays with the weights. Frozen parameters (no ``requires_grad``) are left
    out.

    Args:
        model: has Fixup scalars, from :func:`fixup_` or a ``fixup_resnet``.
        lr: learning rate of the weights.
        weight_decay: of the weights.
        scalar_lr_ratio: learning rate of the scalars over ``lr``: 0.1 as in the paper, or "depth"
            for min(1/10, 5/L), which works at every depth (see docs/fixup.md).
        decay_scalars: give the scalars the same weight decay (the authors' CIFAR script does).

    Returns:
        The groups of weights and of scalars; ``"name"`` says which is which.

    Raises:
        FixupError: a negative learning rate, decay or ratio, or a model without Fixup scalars.

    Example:
        >>> groups = fixup_param_groups(fixup_resnet_cifar(20), lr=0.1, weight_decay=5e-4)
        >>> optimizer = torch.optim.SGD(groups, momentum=0.9)
    """
    for name, value in (("lr", lr), ("weight_decay", weight_decay)):
        if not value >= 0:
            raise FixupError(f"{name}: {value}; give a number of at least 0")
    scalars = list(scalars_of(model))
    if not scalars:
        raise FixupError("model: it has no Fixup scalars; call fixup_(model) first")
    if scalar_lr_ratio == "depth":
        ratio = _depth_ratio(count_branches(model))
    elif isinstance(scalar_lr_ratio, str) or not scalar_lr_ratio >= 0:
        raise FixupError(
            f"scalar_lr_ratio: {scalar_lr_ratio!r}; give 'depth' or a number of at least 0"
        )
    else:
        ratio = float(scalar_lr_ratio)
    chosen = {id(scalar) for scalar in scalars}
    weights = [p for p in model.parameters() if id(p) not in chosen and p.requires_grad]
    return [
        {"name": "weights", "params": weights, "lr": lr, "weight_decay": weight_decay},
        {
            "name": "scalars",
            "params": [p for p in scalars if p.requires_grad],
            "lr": lr * ratio,
            "weight_decay": weight_decay if decay_scalars else 0.0,
        },
    ]


_depth_ratio = scalar_lr_ratio  # the argument of fixup_param_groups has the same name
