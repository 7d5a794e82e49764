"""The attack on explanations by training examples (Ghorbani et al., AAAI 2019, section 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from curate.errors import CurateError
from curate.saliency.attacks.setting import epsilon_of
from curate.saliency.engine.checks import check_count, prepare
from curate.saliency.engine.net import Net, Normalise
from curate.saliency.measures.agreement import spearman, topk_intersection

if TYPE_CHECKING:  # the calculus is imported late
    from curate.scores import SingleInfluence


@dataclass(frozen=True, eq=False, repr=False)
class InfluenceAttacked:
    """What became of each of n test images' influential training examples.

    Attributes:
        images: (n, C, H, W), perturbed; where nothing kept the prediction, as they were.
        found: bool (n,), whether anything that was tried kept the prediction.
        before, after: influence of each of the m training examples on each image, float64 (n, m),
            high = helps.
        k: the most influential ones that the attack pushed down.
        target: the class that was kept, int64 (n,).
    """

    images: Tensor
    found: Tensor
    before: Tensor
    after: Tensor
    k: int
    target: Tensor

    @property
    def table(self) -> pa.Table:
        """A row per image: ``found``, ``influence_spearman`` (1 - ρ of the influences before and
        after) and ``influence_topk`` (the share of the k most influential that others replace).
        """
        before, after = self.before[:, None], self.after[:, None]
        columns = {
            "found": self.found.cpu().numpy(),
            "influence_spearman": 1 - spearman(before, after),
            "influence_topk": 1 - topk_intersection(before, after, self.k),
        }
        return pa.table(columns)

    def __repr__(self) -> str:
        return f"InfluenceAttacked({int(self.found.sum())} of {len(self.images)} images)"

    def __str__(self) -> str:
        table = self.table
        rho = 1 - np.mean(table["influence_spearman"].to_numpy())
        lost = np.mean(table["influence_topk"].to_numpy())
        return (
            f"influences of {self.before.shape[1]:,} training examples on {len(self.images)} "
            f"images, attacked: Spearman's ρ {rho:.2f}, {lost:.0%} of the {self.k} most "
            f"influential replaced; {int(self.found.sum())} images keep their prediction"
        )


def influence_attack(
    features: nn.Module,
    influences: SingleInfluence,
    images: Tensor,
    labels: Tensor | None = None,
    *,
    k: int = 3,
    epsilon: float | None = None,
    step: float | None = None,
    iterations: int = 1,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    chunk: int = 64,
) -> InfluenceAttacked:
    """Change test images so that other training examples seem responsible for the prediction.

    Each iteration moves every pixel by one step against the gradient of the summed influence of
    the k training examples that were most influential at first (equation 5 of the paper, where
    one step of ε is taken and k is 3). Of the iterates that keep the prediction, the one with the
    smallest sum is returned.

    Args:
        features: images to what the head reads, (n, d), in ``eval()`` mode.
        influences: of the training examples, on the head of these features.
        images: float (n, C, H, W), in pixel units.
        labels: int64 (n,), whose loss is explained; None: the predicted classes.
        k: training examples.
        epsilon: largest change of a pixel, in pixel units (L∞); None: 8/255 of the bounds' range.
        step: of a pixel in one iteration; None: ε over the iterations.
        iterations: steps.
        bounds, normalise, chunk: as in :func:`gradient`.

    Raises:
        CurateError: as :func:`gradient`; a head of the squared loss, which predicts no class; more
            examples than there are; an ε or a step of 0.
    """
    if influences.loss == "squared":
        raise CurateError("influences: of a squared loss, which predicts no class to be kept")
    classifier = _Classifier(features, influences)
    net, target = prepare(classifier, images, None, bounds, normalise, None, chunk)
    epsilon = epsilon_of(epsilon, bounds)
    check_count("iterations", iterations)
    check_count("k", k)
    if k > len(influences.x):
        raise CurateError(f"k: {k}; there are {len(influences.x)} training examples")
    step = epsilon / iterations if step is None else step
    if not step > 0:
        raise CurateError(f"step: {step}; give a change per iteration above 0")
    labels = target if labels is None else labels.to(target.device)
    reader = replace(net, model=features, constant_weights=True)
    images = images.detach()
    before = torch.cat([
        _influences(reader, influences, part, of)
        for part, of in zip(images.split(chunk), labels.split(chunk), strict=True)
    ])  # fmt: skip
    top = before.topk(k).indices
    best, after = images.clone(), before.clone()
    found = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    for rows in torch.arange(len(images), device=images.device).split(chunk):
        changed, lowest = images[rows], before.new_full((len(rows),), torch.inf)
        most = top[rows.to(top.device)]
        for _ in range(iterations):
            changed = changed.requires_grad_()
            with torch.enable_grad():
                sums = _influences(reader, influences, changed, labels[rows]).gather(1, most)
                (uphill,) = torch.autograd.grad(sums.sum(), changed)
            near = changed.detach() - step * uphill.sign()
            near = near.clamp(min=images[rows] - epsilon, max=images[rows] + epsilon)
            changed = near.clamp(*bounds)
            reached = _influences(reader, influences, changed, labels[rows])
            sums = reached.gather(1, most).sum(1)
            better = (net.predict(changed)[0] == target[rows]) & (sums < lowest).to(rows.device)
            lowest = torch.where(better.to(lowest.device), sums, lowest)
            best[rows[better]] = changed[better]
            after[rows[better].cpu()] = reached[better.to(reached.device)]
            found[rows[better]] = True
    return InfluenceAttacked(best, found, before, after, k, target)


class _Classifier(nn.Module):
    """Features and head as one model, for its prediction."""

    def __init__(self, features: nn.Module, influences: SingleInfluence) -> None:
        super().__init__()
        self.features, self.influences = features, influences
        self.train(features.training)

    def forward(self, images: Tensor) -> Tensor:
        outputs = self.influences.outputs(self.features(images)).to(images.device)
        if outputs.shape[1] == 1:  # logistic: a logit z is a softmax over 0 and z
            outputs = torch.cat([torch.zeros_like(outputs), outputs], 1)
        return outputs


def _influences(reader: Net, influences: SingleInfluence, images: Tensor, labels: Tensor) -> Tensor:
    return influences.on(reader.read(images), labels)
