"""Attacks that see no gradient: random signs, and one step by queries."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from curate.saliency.attacks.result import Attacked
from curate.saliency.attacks.setting import Best, set_up
from curate.saliency.engine.checks import check_count
from curate.saliency.engine.net import Normalise
from curate.saliency.methods import Method, maps_of


def random_signs(
    model: nn.Module,
    images: Tensor,
    method: Method = "gradient",
    target: Tensor | int | None = None,
    *,
    objective: str = "topk",
    k: int = 100,
    region: Tensor | None = None,
    epsilon: float | None = None,
    draws: int = 1,
    confidence: float = 0.0,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    chunk: int = 64,
) -> Attacked:
    """Every pixel moved by ε up or down at random: the paper's baseline.

    Args:
        draws: the one that does most and keeps the prediction counts.
        model, images: and all others, as in :func:`iterative_attack`.

    Raises:
        CurateError: as :func:`iterative_attack`.
    """
    check_count("draws", draws)
    setting = set_up(
        model,
        images,
        method,
        target,
        objective=objective,
        k=k,
        region=region,
        epsilon=epsilon,
        confidence=confidence,
        options=options,
        bounds=bounds,
        normalise=normalise,
        chunk=chunk,
    )
    best, every = Best(setting), torch.arange(len(images), device=images.device)
    for number in range(draws):
        best.offer(
            setting.inside(images + setting.epsilon * _signs(images, seed, number), every), every
        )
    return best.result("random signs")


def black_box_step(
    model: nn.Module,
    images: Tensor,
    method: Method = "gradient",
    target: Tensor | int | None = None,
    *,
    objective: str = "topk",
    k: int = 100,
    region: Tensor | None = None,
    epsilon: float | None = None,
    queries: int = 32,
    confidence: float = 0.0,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    chunk: int = 64,
) -> Attacked:
    """One step of ε by signs that queries of the map suggest; no gradient through it.

    Random signs are tried in pairs of opposites a quarter of ε away, and weighed by what they do
    to the objective (natural evolution strategies; Ilyas et al., ICML 2018). Where the full step
    changes the prediction, half and a quarter of it are tried.

    Args:
        queries: maps per image, rounded up to pairs.
        model, images: and all others, as in :func:`iterative_attack`.

    Raises:
        CurateError: as :func:`iterative_attack`.
    """
    check_count("queries", queries, 2)
    setting = set_up(
        model,
        images,
        method,
        target,
        objective=objective,
        k=k,
        region=region,
        epsilon=epsilon,
        confidence=confidence,
        options=options,
        bounds=bounds,
        normalise=normalise,
        chunk=chunk,
    )
    images, epsilon = setting.images, setting.epsilon
    best, every = Best(setting), torch.arange(len(images), device=images.device)
    uphill = torch.zeros_like(images)
    for number in range((queries + 1) // 2):
        signs = _signs(images, seed, number)
        for way in (1, -1):
            asked = setting.inside(images + way * epsilon / 4 * signs, every)
            maps = maps_of(setting.explain, setting.net, asked, setting.target)
            uphill += way * setting.want(maps, every)[:, None, None, None] * signs
    for share in (1, 0.5, 0.25):
        left = every[~best.found]
        moved = images[left] + share * epsilon * uphill[left].sign()
        best.offer(setting.inside(moved, left), left)
    return best.result("one step by queries")


def _signs(images: Tensor, seed: int, number: int) -> Tensor:
    generator = torch.Generator().manual_seed((seed << 20) + number)
    return (2 * torch.randint(2, images.shape[1:], generator=generator) - 1).to(images)
