"""How fragile are the explanations of these predictions?"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from curate.errors import CurateError, is_choice
from curate.saliency.attacks.baselines import random_signs
from curate.saliency.attacks.iterative import iterative_attack, strong_attack
from curate.saliency.attacks.result import Attacked
from curate.saliency.attacks.setting import epsilon_of
from curate.saliency.audit.result import Fragility
from curate.saliency.certificates.pixels import certify_pixels
from curate.saliency.controls.deletion import curves
from curate.saliency.controls.randomised import agreement_when_randomised
from curate.saliency.engine.checks import prepare
from curate.saliency.engine.net import Net, Normalise
from curate.saliency.maps.completeness import baseline_like
from curate.saliency.maps.scores import pixel_scores
from curate.saliency.measures.agreement import (
    centre_shift,
    kendall,
    spearman,
    ssim,
    topk_intersection,
)
from curate.saliency.methods import Explain, Method, explainer, maps_of


def fragility(
    model: nn.Module,
    images: Tensor,
    method: Method = "gradient",
    *,
    example_ids: Sequence[int] | Sequence[str] | np.ndarray | None = None,
    labels: Tensor | None = None,
    wrong: Literal["error", "skip"] = "error",
    attack: Literal["iterative", "strong"] = "iterative",
    objective: str = "topk",
    k: int = 100,
    epsilon: float | None = None,
    iterations: int = 300,
    certify: Sequence[float] = (0.15,),
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    chunk: int = 64,
    **attack_options: Any,
) -> Fragility:
    """Attack the map of every image, beside random signs, controls and certificates.

    Args:
        model, images, bounds, normalise, chunk: as in :func:`gradient`. The predicted class of
            each image is explained and kept.
        method, options, objective, k, epsilon, iterations, seed: as in :func:`iterative_attack`.
        example_ids: of the images, to join the result to the example table; None: 0 … n - 1.
        labels: int64 (n,), where known: an explanation of a wrong prediction is another question.
        wrong: "error" refuses images whose label the model does not predict, "skip" leaves their
            rows null.
        attack: "iterative" (the paper's) or "strong".
        certify: standard deviations of the noise of :func:`certify_pixels`, as shares of the
            bounds' range; none: no certificates.
        attack_options: more of the attack's own, such as ``step`` and ``restarts``.

    Raises:
        CurateError: as :func:`iterative_attack`; labels or ids of another length, wrong
            predictions.
    """
    net, target = prepare(model, images, None, bounds, normalise, None, chunk)
    images = images.detach()
    ids = _ids(example_ids, len(images))
    rows = _right(target, labels, wrong)
    if not is_choice(attack, ("iterative", "strong")):
        raise CurateError(f"attack: {attack!r}; choose iterative or strong")
    images, target = images[rows], target[rows]
    epsilon = epsilon_of(epsilon, bounds)
    shared: dict[str, Any] = {"objective": objective, "k": k, "epsilon": epsilon, "seed": seed}
    asked: dict[str, Any] = {"bounds": bounds, "normalise": normalise, "chunk": chunk}
    asked |= {"options": options}
    run = iterative_attack if attack == "iterative" else strong_attack
    attacked = run(
        model, images, method, target, iterations=iterations, **shared, **asked, **attack_options
    )
    region = {"region": attack_options["region"]} if "region" in attack_options else {}
    random = random_signs(model, images, method, target, **shared, **asked, **region)

    explain = explainer(method, options)
    maps = maps_of(explain, net, images, target)
    columns = _agreement("", maps, attacked, k) | _agreement("random_", maps, random, k)
    columns |= _controls(net, explain, images, target, maps, bounds, seed)
    columns |= _sensitivity(net, explain, images, target, maps, attacked, epsilon, bounds, seed)
    for share in certify:
        sigma = share * (bounds[1] - bounds[0])
        found = certify_pixels(model, images, method, target, sigma=sigma, seed=seed, **asked)
        columns["certified_share" + ("" if share == certify[0] else f"_{share:g}")] = found.share
    label = method if isinstance(method, str) else getattr(method, "__name__", "method")
    return Fragility.of(label, epsilon, k, ids, rows, columns, images, maps, attacked)


def _agreement(prefix: str, maps: Tensor, attacked: Attacked, k: int) -> dict[str, np.ndarray]:
    """Every measure of each example; NaN where nothing kept the prediction."""
    before, after = pixel_scores(maps), pixel_scores(attacked.maps)
    found = {
        "spearman": spearman(before, after),
        "kendall": kendall(before, after),
        "topk": topk_intersection(before, after, k),
        "shift": centre_shift(before, after),
    }
    if min(before.shape[1:]) >= 11:
        found["ssim"] = ssim(before, after)
    lost = ~attacked.found.cpu().numpy()
    return {prefix + name: np.where(lost, np.nan, values) for name, values in found.items()}


def _controls(
    net: Net,
    explain: Explain,
    images: Tensor,
    target: Tensor,
    maps: Tensor,
    bounds: tuple[float, float],
    seed: int,
) -> dict[str, np.ndarray]:
    grey = baseline_like(sum(bounds) / 2, images)
    deletion = curves(net, images, maps, target, grey, 17)
    return {
        "randomised_spearman": agreement_when_randomised(net, explain, images, target, maps, seed),
        "deletion": deletion.deletion_area,
        "insertion": deletion.insertion_area,
    }


def _sensitivity(
    net: Net,
    explain: Explain,
    images: Tensor,
    target: Tensor,
    maps: Tensor,
    attacked: Attacked,
    epsilon: float,
    bounds: tuple[float, float],
    seed: int,
    draws: int = 10,
) -> dict[str, np.ndarray]:
    """Relative change of the map: the most over ten random changes (Yeh et al., 2019), and ours.

    The sampled figure is what the field reports as max-sensitivity.
    """
    sizes = maps.flatten(1).norm(dim=1)
    most = torch.zeros_like(sizes)
    for number in range(draws):
        generator = torch.Generator().manual_seed((seed << 20) + number)
        change = (2 * torch.rand(images.shape[1:], generator=generator) - 1).to(images)
        moved = (images + epsilon * change).clamp(*bounds)
        other = maps_of(explain, net, moved, target)
        most = torch.maximum(most, (other - maps).flatten(1).norm(dim=1) / sizes)
    ours = (attacked.maps - maps).flatten(1).norm(dim=1) / sizes
    ours = torch.where(attacked.found, ours, torch.nan)
    return {
        "max_sensitivity_sampled": most.double().cpu().numpy(),
        "max_sensitivity_attacked": ours.double().cpu().numpy(),
    }


def _ids(example_ids: Any, count: int) -> np.ndarray | list[str]:
    if example_ids is None:
        return np.arange(count)
    ids = list(example_ids)
    if len(ids) != count:
        raise CurateError(f"example_ids: {len(ids)} for {count} images; give one per image")
    twice = next((one for one, times in Counter(ids).items() if times > 1), None)
    if twice is not None:
        raise CurateError(f"example_ids: {twice!r} occurs twice; give each image its own")
    return [str(one) for one in ids] if isinstance(ids[0], str) else np.asarray(ids, np.int64)


def _right(predicted: Tensor, labels: Tensor | None, wrong: str) -> Tensor:
    every = torch.arange(len(predicted), device=predicted.device)
    if not is_choice(wrong, ("error", "skip")):
        raise CurateError(f"wrong: {wrong!r}; choose error or skip")
    if labels is None:
        return every
    labels = torch.as_tensor(labels).to(predicted.device)
    if labels.shape != predicted.shape:
        raise CurateError(
            f"labels: shape {tuple(labels.shape)} for {len(predicted)} images; give one per image"
        )
    rows = every[labels == predicted]
    lost = len(every) - len(rows)
    if wrong == "skip" and not len(rows):
        raise CurateError(
            f"labels: the model predicts another class for each of {lost} images; check its "
            "weights, its mean and std, and the order of the classes"
        )
    if lost and wrong == "error":
        first = int(every[labels != predicted][0])
        raise CurateError(
            f"labels: the model predicts another class for {lost} of {len(every)} images, first "
            f"image {first}; leave them out, or give wrong='skip' to skip them"
        )
    return rows
