"""Certificates per pixel for any map (Anani et al., ICML 2025): sparsified, smoothed, tested."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from curate.errors import CurateError, CurateWarning, is_choice
from curate.saliency.engine.checks import check_count, check_maps, prepare
from curate.saliency.engine.net import Net, Normalise
from curate.saliency.maps.scores import pixel_scores
from curate.saliency.maps.smooth import noise_like
from curate.saliency.methods import Explain, Method, explainer, maps_of


@dataclass(frozen=True, eq=False, repr=False)
class PixelCertificates:
    """Which pixels of a sparsified map stay what they are for every small change of the image.

    Attributes:
        pixels: int8 (n, H, W): 1, certified among the top; -1, certified not; 0, not certified.
        counts: int32 (n, H, W), noisy copies in which the pixel was among the top.
        samples: noisy copies.
        sigma: of the noise, in pixel units.
        radius: l2 norm of the changes of the image that are covered, in pixel units.
        level: probability with which all certificates of an image hold together.
    """

    pixels: np.ndarray
    counts: np.ndarray
    samples: int
    sigma: float
    radius: float
    level: float

    @property
    def share(self) -> np.ndarray:
        """The share of each image's pixels that are certified, float64 (n,)."""
        return (self.pixels != 0).mean((1, 2))

    def __repr__(self) -> str:
        return (
            f"PixelCertificates({len(self.pixels)} images, σ={self.sigma:g}, "
            f"{self.share.mean():.1%} of the pixels)"
        )

    def __str__(self) -> str:
        return (
            f"{self.share.mean():.1%} of the pixels of {len(self.pixels)} maps are certified "
            f"against every change of l2 norm up to {self.radius:.3g}, all of an image's "
            f"together with probability {self.level:.1%}"
        )


def certify_pixels(
    model: nn.Module,
    images: Tensor,
    method: Method = "gradient",
    target: Tensor | int | None = None,
    *,
    top: float = 0.2,
    sigma: float | None = None,
    samples: int = 100,
    tau: float = 0.75,
    level: float = 0.999,
    correction: str = "holm",
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    chunk: int = 64,
) -> PixelCertificates:
    """Certify the pixels of the smoothed, sparsified map.

    A map becomes a picture of two values: its top pixels, and the others. Under normal noise each
    pixel has a likelier value; where its probability exceeds ``tau``, the likelier value is the
    same for every image within l2 distance σ Φ⁻¹(τ) (Anani et al., 2025, after Cohen et al.,
    2019). Whether it does is tested exactly from the noisy copies, and corrected over the pixels.
    Noisy pixels are not cut off at the bounds, and the class explained is that of the image.

    Args:
        model, images, target, bounds, normalise, chunk: as in :func:`gradient`.
        method, options: as in :func:`iterative_attack`.
        top: share of the pixels that a sparsified map has.
        sigma: standard deviation of the noise, in pixel units; None: 0.15 of the bounds' range.
        samples: noisy copies of each image.
        tau: probability that the likelier value has to exceed, at least one half.
        level: with which all certificates of an image hold.
        correction: "holm" or "bonferroni".
        seed: of the noise.

    Raises:
        CurateError: as :func:`gradient`, or numbers outside of their range, or NaN maps.

    Warns:
        CurateWarning: so few copies that no pixel can be certified.
    """
    net, target = prepare(model, images, target, bounds, normalise, None, chunk)
    check_count("samples", samples)
    check_count("seed", seed, 0)
    for name, value, low in (("top", top, 0), ("tau", tau, 0.5), ("level", level, 0)):
        if not low <= value < 1 or not value:
            raise CurateError(f"{name}: {value}; give a number from {low:g} to 1, below 1")
    if sigma is None:
        sigma = 0.15 * net.span
    if not sigma > 0:
        raise CurateError(f"sigma: {sigma}; give a standard deviation above 0, such as 0.15")
    if not is_choice(correction, ("holm", "bonferroni")):
        raise CurateError(f"correction: {correction!r}; choose holm or bonferroni")
    explain = explainer(method, options)
    pixels = images[0, 0].numel()
    least = samples_needed(pixels, tau, 1 - level)
    if samples < least:
        warnings.warn(
            f"samples: {samples}; no pixel can be certified from fewer than {least}, with "
            f"{pixels:,} pixels to an image, tau {tau:g} and level {level:g}",
            CurateWarning,
            stacklevel=2,
        )
    counts = count_top(net, explain, images.detach(), target, top, sigma, samples, seed)
    found = certified(counts, samples, tau, 1 - level, correction)
    radius = sigma * _normal_quantile(tau)
    return PixelCertificates(found, counts, samples, sigma, radius, level)


def samples_needed(pixels: int, tau: float, error: float) -> int:
    """The fewest noisy copies from which a pixel that is the same in all of them is certified."""
    least = max(1, math.floor(math.log(error / pixels, tau)))
    while pixels * (tau**least + (1 - tau) ** least) > error:
        least += 1
    return least


def count_top(
    net: Net,
    explain: Explain,
    images: Tensor,
    target: Tensor,
    top: float,
    sigma: float,
    samples: int,
    seed: int,
) -> np.ndarray:
    """In how many noisy copies each pixel is among the top: int32 (n, H, W)."""
    pixels = images[0, 0].numel()
    k = max(1, round(top * pixels))
    counts = torch.zeros(len(images), pixels, dtype=torch.int32, device=images.device)
    each = max(1, net.chunk // len(images))
    for start in range(0, samples, each):
        numbers = range(start, min(start + each, samples))
        noise = torch.stack([noise_like(images, seed, number) for number in numbers])
        noisy = (images[None] + sigma * noise[:, None]).flatten(0, 1)
        maps = maps_of(explain, net, noisy, target.repeat(len(numbers)))
        check_maps(maps)
        highest = pixel_scores(maps).flatten(1).topk(k, 1, sorted=False).indices
        for indices in highest.view(len(numbers), len(images), k):
            counts.scatter_add_(1, indices, torch.ones_like(indices, dtype=torch.int32))
    return counts.view(len(images), *images.shape[2:]).cpu().numpy()


def certified(
    counts: np.ndarray, samples: int, tau: float, error: float, correction: str
) -> np.ndarray:
    """Decide on every pixel: int8 like ``counts``, 1, -1 or 0.

    The p-value of a pixel is the probability that either value is seen as often as the one that
    is seen more, when neither's probability exceeds τ; it is largest at τ itself.

    Args:
        counts: int (n, H, W), successes in ``samples`` trials.
        samples: trials.
        tau: probability that the likelier value has to exceed.
        error: probability of any false certificate of an image.
        correction: "holm" or "bonferroni".
    """
    from scipy.stats import binom

    from curate.stats import holm

    often = np.arange(samples + 1)
    often = np.maximum(often, samples - often)
    p_values = np.minimum(
        1, binom.sf(often - 1, samples, tau) + binom.sf(often - 1, samples, 1 - tau)
    )
    signs = np.sign(2 * np.arange(samples + 1) - samples).astype(np.int8)
    found = np.zeros(counts.shape, np.int8)
    for row, image in enumerate(counts):
        p = p_values[image.ravel()]
        adjusted = holm(p) if correction == "holm" else p * p.size
        found[row] = np.where(adjusted <= error, signs[image.ravel()], 0).reshape(image.shape)
    return found


def _normal_quantile(probability: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)
