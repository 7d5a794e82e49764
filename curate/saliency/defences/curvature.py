"""Curvature regularisation in training."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from curate.errors import CurateError
from curate.saliency.engine.running import twice_differentiable


def curvature_penalty(
    model: nn.Module, inputs: Tensor, labels: Tensor, *, step: float = 0.01
) -> Tensor:
    """How fast the gradient of the loss turns, to be added to the loss in training.

    The mean over examples of ‖∇ℓ(x + h z) - ∇ℓ(x)‖² / h², z the unit vector along the gradient:
    curvature regularisation (CURE; Moosavi-Dezfooli et al., CVPR 2019, eq. 5), which makes maps
    harder to attack (Dombrowski et al., 2022). It costs about as much as two steps of training.

    Args:
        model: inputs to logits (n, classes); in training mode too.
        inputs: (n, ...), as the model takes them.
        labels: int64 (n,).
        step: h, in units of the inputs' l2 norm.

    Returns:
        A scalar that can be differentiated by the model's parameters.

    Raises:
        CurateError: a step of 0 or below.
    """
    if not step > 0:
        raise CurateError(f"step: {step}; give a length above 0, such as 0.01")
    inputs = inputs.detach().requires_grad_()
    here = _slope(model, inputs, labels)
    norms = here.detach().flatten(1).norm(dim=1).clamp(min=torch.finfo(here.dtype).tiny)
    way = here.detach() / norms.view(-1, *[1] * (inputs.ndim - 1))
    there = _slope(model, (inputs + step * way).detach().requires_grad_(), labels)
    return ((there - here) / step).flatten(1).square().sum(1).mean()


def _slope(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    with torch.enable_grad(), twice_differentiable():
        loss = cross_entropy(model(inputs), labels, reduction="sum")
        return torch.autograd.grad(loss, inputs, create_graph=True)[0]
