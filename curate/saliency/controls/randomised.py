"""Does a map change when the weights do? (Adebayo et al., NeurIPS 2018)."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from curate.errors import CurateError
from curate.saliency.engine.checks import check_count, check_maps, prepare
from curate.saliency.engine.net import Net, Normalise
from curate.saliency.maps.scores import pixel_scores
from curate.saliency.measures.agreement import spearman
from curate.saliency.methods import Explain, Method, explainer, maps_of


def randomised_weights(
    model: nn.Module,
    images: Tensor,
    method: Method = "gradient",
    target: Tensor | int | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    chunk: int = 64,
) -> np.ndarray:
    """Spearman's ρ of each map with that of the same network with random weights.

    A map that does not change (ρ near 1) does not show what the model learned, however stable it
    is. Every weight of two axes and more is drawn anew, normal with the standard deviation it had;
    the class explained stays the same.

    Args:
        model, images, target, bounds, normalise, chunk: as in :func:`gradient`.
        method, options: as in :func:`iterative_attack`.
        seed: of the weights.

    Returns:
        float64 (n,); NaN where a map is constant.

    Raises:
        CurateError: as :func:`gradient`, or a model without weights.
    """
    net, target = prepare(model, images, target, bounds, normalise, None, chunk)
    check_count("seed", seed, 0)
    explain = explainer(method, options)
    before = maps_of(explain, net, images, target)
    check_maps(before)
    return agreement_when_randomised(net, explain, images, target, before, seed)


def agreement_when_randomised(
    net: Net, explain: Explain, images: Tensor, target: Tensor, before: Tensor, seed: int
) -> np.ndarray:
    """:func:`randomised_weights` without its checks, the maps before given."""
    other = replace(net, model=_randomised(net.model, seed))
    after = maps_of(explain, other, images, target)
    return spearman(pixel_scores(before), pixel_scores(after))


def _randomised(model: nn.Module, seed: int) -> nn.Module:
    model = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    drawn = 0
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                noise = torch.randn(weight.shape, generator=generator, dtype=torch.float32)
                weight.copy_(noise.to(weight) * weight.std(correction=0))
                drawn += 1
    if not drawn:
        raise CurateError("model: no weights of two axes to randomise; skip this control")
    return model
