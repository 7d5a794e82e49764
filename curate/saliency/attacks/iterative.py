"""Attacks on an explanation that follow the gradient through the map."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from curate.errors import CurateError
from curate.saliency.attacks.objectives import fewest_kept, wanted
from curate.saliency.attacks.result import Attacked
from curate.saliency.attacks.setting import Best, Setting, check_steps, set_up
from curate.saliency.engine.net import Normalise
from curate.saliency.methods import Method

_LOOKS = 50  # iterates at which the map as it is and the prediction are looked at


def iterative_attack(
    model: nn.Module,
    images: Tensor,
    method: Method = "gradient",
    target: Tensor | int | None = None,
    *,
    objective: str = "topk",
    k: int = 100,
    region: Tensor | None = None,
    epsilon: float | None = None,
    step: float | None = None,
    iterations: int = 300,
    restarts: int = 1,
    softplus_beta: float = 30.0,
    confidence: float = 0.0,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    chunk: int = 64,
) -> Attacked:
    """The iterative sign attack (Ghorbani et al., AAAI 2019, algorithm 1).

    Each iteration moves every pixel by one step in the direction that the gradient through the
    map says, within ε of the original image, while softplus stands in for ReLU, whose second
    derivative is zero. The model and the map as they are judge: of the iterates that keep the
    prediction, the one that reaches most is returned.

    Args:
        model: as in :func:`gradient`.
        images: float (n, C, H, W), in pixel units.
        method: a name of ``METHODS``, or a function (model, images, target) -> maps.
        target: the class that is explained and kept; None: the predicted one.
        objective: "topk", "centre", "region" or "target" (the image's own map turned by half).
        k: the top pixels of "topk".
        region: bool (H, W), where "region" wants the map.
        epsilon: largest change of a pixel, in pixel units (L∞); None: 8/255 of the bounds' range.
        step: of a pixel in one iteration; None: 0.5/255 of the bounds' range, the paper's.
        iterations: of each restart.
        restarts: the best counts. The first starts within one step of the image (at an exact
            centre of mass the gradient is zero), the others anywhere within ε.
        softplus_beta: β of the softplus, for the attack's gradient only, where rectifiers read
            numbers near 1; it is divided by how large they are (:func:`rectifier_scale`).
        confidence: probability that the class has to keep.
        options: of the method, such as ``{"steps": 16}`` or ``{"softplus_beta": 2}``, with which
            the smoothed map is the one that is attacked, along its own gradient.
        seed: of the starts, the same for every image.
        bounds, normalise, chunk: as in :func:`gradient`.

    Raises:
        CurateError: as :func:`gradient`; k above the pixels, an ε of 0, a class that is not the
            predicted one, maps of NaN or zeros.
    """
    step = 0.5 / 255 * (bounds[1] - bounds[0]) if step is None else step
    check_steps(step, iterations, restarts)
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
    best = Best(setting)
    for restart in range(restarts):
        reach = setting.epsilon if restart else min(step, setting.epsilon)
        betas = [softplus_beta] * iterations
        climb(setting, best, reach, [step] * iterations, betas, 0.0, seed + restart)
    return best.result(f"iterative, {objective}")


def strong_attack(
    model: nn.Module,
    images: Tensor,
    method: Method = "gradient",
    target: Tensor | int | None = None,
    *,
    objective: str = "topk",
    k: int = 100,
    region: Tensor | None = None,
    epsilon: float | None = None,
    iterations: int = 300,
    restarts: int = 3,
    softplus_beta: float = 30.0,
    softplus_betas: tuple[float, float] = (20.0, 100.0),
    momentum: float = 0.9,
    confidence: float = 0.0,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    chunk: int = 64,
) -> Attacked:
    """A stronger attack than the paper's, whose figures are a lower bound on fragility.

    Restarts of three kinds by turns. The first takes signs in steps of ε/16, which for ε = 8 is the
    paper's attack; the second the same with a softplus that grows sharper (Dombrowski et al.,
    2019); the third follows the map turned by half as its target, by signs of a running sum of
    gradients (momentum; Dong et al., CVPR 2018) in steps that shrink from a tenth of ε to a
    hundredth, which leaves least of the ranks. The objective judges all of them; of "topk", the
    number of top pixels that are left goes before what is left on them.

    Args:
        model, images: and all others that are not named here, as in :func:`iterative_attack`.
        restarts: the best counts; from the third on they start anywhere within ε.
        softplus_beta: of the first restart.
        softplus_betas: first and last β of the others, both as of :func:`iterative_attack`.
        momentum: share of the running sum that every third restart keeps.

    Raises:
        CurateError: as :func:`iterative_attack`.
    """
    check_steps(1, iterations, restarts)
    terms: dict[str, Any] = {
        "epsilon": epsilon,
        "confidence": confidence,
        "options": options,
        "bounds": bounds,
        "normalise": normalise,
        "chunk": chunk,
    }
    setting = set_up(
        model, images, method, target, objective=objective, k=k, region=region, **terms
    )
    epsilon = setting.epsilon
    best = Best(
        setting, fewest_kept(setting.want, setting.maps, k) if objective == "topk" else None
    )
    first, last = softplus_betas
    shares = [i / max(1, iterations - 1) for i in range(iterations)]
    sharper = [first * (last / first) ** share for share in shares]
    even, shrinking = [epsilon / 16] * iterations, [epsilon * 10 ** -(1 + q) for q in shares]
    turned = replace(setting, want=wanted("target", setting.maps, k))
    kinds = (
        (setting, even, [softplus_beta] * iterations, 0.0),
        (setting, even, sharper, 0.0),
        (turned, shrinking, sharper, momentum),
    )
    for restart in range(restarts):
        followed, steps, betas, kept = kinds[restart % 3]
        reach, start = (epsilon, restart - 1) if restart > 1 else (epsilon / 16, 0)
        climb(followed, best, reach, steps, betas, kept, seed + start)
    return best.result(f"strong, {objective}")


def climb(
    setting: Setting,
    best: Best,
    reach: float,
    steps: list[float],
    betas: list[float],
    momentum: float,
    seed: int,
) -> None:
    """One restart: follow the setting's objective, and offer iterates to ``best``."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.rand(setting.images.shape[1:], generator=generator).to(setting.images)
    every = max(1, len(steps) // _LOOKS)
    for rows in torch.arange(len(setting.images), device=start.device).split(setting.group):
        changed = setting.inside(setting.images[rows] + (2 * start - 1) * reach, rows)
        running = torch.zeros_like(changed)
        for number, (step, beta) in enumerate(zip(steps, betas, strict=True), 1):
            gradient = _uphill(setting, changed, rows, beta)
            if momentum:
                size = gradient.abs().flatten(1).mean(1).view(-1, 1, 1, 1)
                tiny = torch.finfo(size.dtype).tiny
                running = momentum * running + gradient / size.clamp(min=tiny)
                gradient = running
            changed = setting.inside(changed + step * gradient.sign(), rows)
            if number % every == 0 or number <= 5 or number == len(steps):
                best.offer(changed, rows)


def _uphill(setting: Setting, changed: Tensor, rows: Tensor, beta: float) -> Tensor:
    net = replace(setting.net, softplus_beta=beta / setting.scale, constant_weights=True)
    with torch.enable_grad():
        changed = changed.detach().requires_grad_()
        maps = setting.explain(net, changed, setting.target[rows])
        try:
            found = _derivative(setting.want(maps, rows).sum(), changed)
        except RuntimeError as error:
            if "derivative" not in str(error) and "differentiate" not in str(error):
                raise
            raise CurateError(
                f"model: torch has no second derivative of a part of it ({error}), which an "
                "attack follows; write that part by functions that have one"
            ) from error
        if found is None:
            _check_constant(maps, setting.maps[rows])
            return torch.zeros_like(changed)
        return found


def _derivative(value: Tensor, by: Tensor) -> Tensor | None:
    """None where nothing leads from one to the other."""
    if not value.requires_grad:
        return None
    found: Tensor | None = torch.autograd.grad(value, by, allow_unused=True)[0]
    return found


def _check_constant(maps: Tensor, before: Tensor) -> None:
    """Of a linear model no map depends on the image; refuse what does and has no derivative."""
    if not torch.allclose(maps, before, rtol=1e-3, atol=1e-3 * float(before.abs().max())):
        raise CurateError(
            "model: its gradient changes with the image, and torch has no derivative of it, which "
            "an attack follows; look for functions that can be differentiated once only"
        )
