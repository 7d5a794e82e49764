"""Guided backpropagation (Springenberg et al., ICLR workshop 2015) as rules of rectifiers."""

from torch import Tensor

from curate.saliency.engine.rules import Backward, Function, Rules, true_backward

_RECTIFIERS = (
    "relu",
    "relu6",
    "leaky_relu",
    "prelu",
    "rrelu",
    "threshold",
    "softplus",
    "clamp",
    "clip",
    "clamp_min",
)


def guided_rules(softplus_beta: float | None) -> Rules:
    """Only gradients above zero pass back through a rectifier, or its softplus."""
    rules: dict[str, Backward] = dict.fromkeys(_RECTIFIERS, _positive_only)
    return Rules(softplus_beta, rules)


def _positive_only(function: Function, z: Tensor, out: Tensor | None, gradient: Tensor) -> Tensor:
    return true_backward(function, z, gradient.clamp(min=0))
