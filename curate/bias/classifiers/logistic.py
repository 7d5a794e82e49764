"""Multinomial logistic regression on the scores of another classifier."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from curate.threads import one_thread

_STEPS = 100
_PRIOR = 32  # 1 / variance of the deviations


def fit_logistic(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (classes, classes) and bias (classes,), float64, of ``x @ weights + bias``.

    The weights are ``t`` times the identity, t of any size, plus deviations with a normal prior
    (on x scaled to unit spread, as heavy as 32 examples): few examples only set the temperature,
    many also undo what the classes do to each other. Bias and t have a standard normal prior's
    share of one example, so that all stays finite if the classes are separable or one is absent.

    Args:
        x: scores (n, classes).
        y: int64 (n,) in 0..classes-1.
    """
    x = x.double()
    mean = x.mean(0)
    spread = float((x - mean).square().mean().sqrt().clamp(min=1e-12))
    scaled = (x - mean) / spread
    classes = x.shape[1]
    parameters = torch.zeros(classes * classes + classes + 1, dtype=x.dtype, device=x.device)
    parameters.requires_grad_()
    optimizer = torch.optim.LBFGS([parameters], max_iter=_STEPS, line_search_fn="strong_wolfe")
    identity = torch.eye(classes, dtype=x.dtype, device=x.device)

    def parts() -> tuple[Tensor, Tensor, Tensor]:
        deviations, bias, temperature = parameters.split([classes * classes, classes, 1])
        return deviations.view(classes, classes), bias, temperature

    def loss() -> Tensor:
        optimizer.zero_grad()
        deviations, bias, t = parts()
        prior = _PRIOR * deviations.square().sum() + bias.square().sum() + t.square().sum()
        weights = t * identity + deviations
        value = cross_entropy(scaled @ weights + bias, y) + prior / (2 * len(x))
        value.backward()
        return value

    with one_thread(), torch.enable_grad():
        optimizer.step(loss)
    deviations, bias, t = (part.detach() for part in parts())
    weights = (t * identity + deviations) / spread
    return weights, bias - mean @ weights
