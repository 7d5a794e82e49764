"""Guided backpropagation."""

from torch import Tensor, nn

from curate.saliency.engine.checks import prepare
from curate.saliency.engine.guided import guided_rules
from curate.saliency.engine.net import Net, Normalise
from curate.saliency.engine.sums import slope, sum_of
from curate.saliency.maps.gradients import one_each


def guided_backprop(
    model: nn.Module,
    images: Tensor,
    target: Tensor | int | None = None,
    *,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    softplus_beta: float | None = None,
    chunk: int = 64,
) -> Tensor:
    """Guided backpropagation (Springenberg et al., 2015): only positive gradients pass a ReLU.

    The rule holds at ReLU and its kin (ReLU6, leaky, softplus); of a model without any it is the
    simple gradient. It shows edges, whatever the weights are (Adebayo et al., NeurIPS 2018), so
    look at :func:`randomised_weights` beside it.

    Arguments, result and errors are those of :func:`gradient`.
    """
    net, target = prepare(model, images, target, bounds, normalise, softplus_beta, chunk)
    return guided_backprop_maps(net, images, target)


def guided_backprop_maps(net: Net, images: Tensor, target: Tensor) -> Tensor:
    """:func:`guided_backprop` without its checks."""

    def term(part: Tensor, rows: Tensor) -> Tensor:
        return slope(net, part, target[rows], guided_rules(net.softplus_beta))

    return sum_of(term, images, one_each(images), net.chunk)
