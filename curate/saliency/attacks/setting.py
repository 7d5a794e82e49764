"""What all attacks share: the net, the maps before, the ball, and the best image so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from curate.errors import CurateError
from curate.saliency.attacks.objectives import Wanted, wanted
from curate.saliency.attacks.result import Attacked
from curate.saliency.engine.checks import check_count, prepare
from curate.saliency.engine.net import Net, Normalise
from curate.saliency.engine.scale import rectifier_scale
from curate.saliency.methods import Explain, Method, copies_of, explainer, maps_of


@dataclass(frozen=True, eq=False)
class Setting:
    """An attack's terms.

    Attributes:
        net: the model as it is.
        explain: the method under attack.
        images: before the attack.
        maps: theirs.
        target: the class that is explained, and that has to stay predicted.
        want: the objective.
        epsilon: largest change of a pixel.
        bounds: of a pixel.
        confidence: probability that the class has to keep.
        group: images whose maps are made in one pass, so that the gradient through them needs no
            second one.
    """

    net: Net
    explain: Explain
    images: Tensor
    maps: Tensor
    target: Tensor
    want: Wanted
    epsilon: float
    bounds: tuple[float, float]
    confidence: float
    group: int

    @cached_property
    def scale(self) -> float:
        """Of what the model's rectifiers read, :func:`rectifier_scale`."""
        return rectifier_scale(self.net, self.images, self.bounds)

    def inside(self, changed: Tensor, rows: Tensor) -> Tensor:
        """The nearest images within ε of the originals and within the bounds."""
        original = self.images[rows]
        near = changed.clamp(min=original - self.epsilon, max=original + self.epsilon)
        return near.clamp(*self.bounds)


def set_up(
    model: nn.Module,
    images: Tensor,
    method: Method,
    target: Tensor | int | None,
    *,
    objective: str,
    k: int,
    region: Tensor | None,
    epsilon: float | None,
    confidence: float,
    options: Mapping[str, Any] | None,
    bounds: tuple[float, float],
    normalise: Normalise,
    chunk: int,
) -> Setting:
    """Check what the user gave, and explain the images before the attack."""
    net, target = prepare(model, images, target, bounds, normalise, None, chunk)
    images = images.detach()
    epsilon = epsilon_of(epsilon, bounds)
    if not 0 <= confidence < 1:
        raise CurateError(f"confidence: {confidence}; give a probability below 1")
    predicted, sure = net.predict(images, least=2)
    wrong = (predicted != target).nonzero()[:, 0].tolist()
    if wrong:
        raise CurateError(
            f"target: the model already predicts another class for {len(wrong)} of {len(images)} "
            f"images, first image {wrong[0]}; leave those out, as no prediction is to be kept"
        )
    unsure = (sure < confidence).nonzero()[:, 0].tolist()
    if unsure:
        raise CurateError(
            f"confidence: {confidence}; the model gives image {unsure[0]} less already; ask for "
            "less, or leave it out"
        )
    explain = explainer(method, options)
    maps = maps_of(explain, net, images, target)
    want = wanted(objective, maps, k, region)
    group = max(1, chunk // copies_of(method, options))
    return Setting(net, explain, images, maps, target, want, epsilon, bounds, confidence, group)


@dataclass
class Best:
    """The best image so far, by the map as it is, that keeps the prediction.

    Attributes:
        judge: what is best; None: the objective.
    """

    setting: Setting
    judge: Wanted | None = None
    images: Tensor = field(init=False)
    maps: Tensor = field(init=False)
    value: Tensor = field(init=False)
    found: Tensor = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.setting.images)
        self.images, self.maps = self.setting.images.clone(), self.setting.maps.clone()
        self.value = self.images.new_full((count,), -torch.inf)
        self.found = torch.zeros(count, dtype=torch.bool, device=self.images.device)

    def offer(self, changed: Tensor, rows: Tensor) -> None:
        """Keep the changed images (m, C, H, W) that are better than what there was."""
        setting = self.setting
        predicted, sure = setting.net.predict(changed)
        keeps = (predicted == setting.target[rows]) & (sure >= setting.confidence)
        changed, rows = changed.detach()[keeps], rows[keeps]
        if not len(rows):
            return
        maps = maps_of(setting.explain, setting.net, changed, setting.target[rows])
        value = (self.judge or setting.want)(maps, rows)
        better = value > self.value[rows]
        rows = rows[better]
        self.images[rows], self.maps[rows] = changed[better], maps[better]
        self.value[rows] = value[better]
        self.found[rows] = True

    def result(self, name: str) -> Attacked:
        """What was found; images of which nothing was have the objective they started with."""
        setting = self.setting
        every = torch.arange(len(self.images), device=self.images.device)
        objective = setting.want(self.maps, every)
        return Attacked(name, self.images, self.found, self.maps, objective, setting.target)


def epsilon_of(epsilon: float | None, bounds: tuple[float, float]) -> float:
    """The largest change of a pixel: 8/255 of the bounds' range where it is None.

    Raises:
        CurateError: a change that is none, or larger than the range of a pixel.
    """
    span = bounds[1] - bounds[0]
    if epsilon is None:
        return 8 / 255 * span
    if not 0 < epsilon <= span:
        raise CurateError(
            f"epsilon: {epsilon}; give the largest change of a pixel, above 0 and within the "
            f"range of {span:g}, such as {8 / 255 * span:.3g}"
        )
    return epsilon


def check_steps(step: float, iterations: int, restarts: int) -> None:
    """Refuse steps and counts that lead nowhere."""
    if not step > 0:
        raise CurateError(f"step: {step}; give a change per iteration above 0")
    check_count("iterations", iterations)
    check_count("restarts", restarts)
