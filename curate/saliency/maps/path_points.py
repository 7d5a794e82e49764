"""Where on the way from the baseline to the image to take gradients: adaptive trapezoids."""

from bisect import bisect
from dataclasses import dataclass, field

import torch
from torch import Tensor

from curate.saliency.engine.net import Net
from curate.saliency.engine.sums import Terms

_FIRST = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass
class _Way:
    """One image's way: the logit and its slope along the way at the places seen so far."""

    places: list[float] = field(default_factory=list)
    logits: list[float] = field(default_factory=list)
    slopes: list[float] = field(default_factory=list)
    gradients: list[Tensor] = field(default_factory=list)

    def add(self, place: float, logit: float, along: float, gradient: Tensor) -> None:
        at = bisect(self.places, place)
        self.places.insert(at, place)
        self.logits.insert(at, logit)
        self.slopes.insert(at, along)
        self.gradients.insert(at, gradient)

    def errors(self) -> list[float]:
        """By how much the trapezoid of each part misses the rise of the logit."""
        parts = range(len(self.places) - 1)
        return [
            (self.places[i + 1] - self.places[i]) * (self.slopes[i] + self.slopes[i + 1]) / 2
            - (self.logits[i + 1] - self.logits[i])
            for i in parts
        ]

    def next_places(self, tolerance: float, room: int) -> list[float]:
        """The middles of the worst parts; none where the map adds up."""
        errors = self.errors()
        allowed = tolerance * abs(self.logits[-1] - self.logits[0])
        if abs(sum(errors)) <= allowed:
            return []
        order = sorted(range(len(errors)), key=lambda i: -abs(errors[i]))
        least = max(abs(errors[order[0]]) / 2, allowed / len(errors) / 2)
        worst = [i for i in order if abs(errors[i]) >= least or i == order[0]][:room]
        return [(self.places[i] + self.places[i + 1]) / 2 for i in worst]

    def weights(self) -> list[float]:
        """Of the gradient at each place in the trapezoids' sum."""
        ends = [self.places[0], *self.places, self.places[-1]]
        return [(ends[i + 2] - ends[i]) / 2 for i in range(len(self.places))]


def choose_points(
    net: Net, images: Tensor, target: Tensor, base: Tensor, tolerance: float, most: int
) -> tuple[Tensor, Terms]:
    """Maps (n, C, H, W) that add up to the tolerance, and the places and weights of their sums.

    Every gradient that is taken counts in the map. Few images are under way at a time, as their
    gradients are held until the weights are known.
    """
    maps = torch.empty_like(images)
    rows, places, weights = [], [], []
    group = max(1, net.chunk // 4)
    for start in range(0, len(images), group):
        part = range(start, min(start + group, len(images)))
        ways = _ways(net, images, target, base, part, tolerance, most)
        for row, way in zip(part, ways, strict=True):
            share = torch.tensor(way.weights(), dtype=images.dtype, device=images.device)
            mean = torch.einsum("k,kchw->chw", share, torch.stack(way.gradients))
            maps[row] = (images[row] - base[row]) * mean
            rows += [row] * len(way.places)
            places += way.places
            weights.append(share)
    chosen = torch.tensor(places, dtype=images.dtype, device=images.device)
    return maps, Terms(torch.tensor(rows, device=images.device), [chosen, torch.cat(weights)])


def _ways(
    net: Net,
    images: Tensor,
    target: Tensor,
    base: Tensor,
    part: range,
    tolerance: float,
    most: int,
) -> list[_Way]:
    ways = [_Way() for _ in part]
    asked = [(i, place) for i in range(len(ways)) for place in _FIRST]
    while asked:
        for start in range(0, len(asked), net.chunk):
            some = asked[start : start + net.chunk]
            rows = torch.tensor([part[i] for i, _ in some], device=images.device)
            place = torch.tensor([p for _, p in some], dtype=images.dtype, device=images.device)
            way = images[rows] - base[rows]
            with torch.enable_grad():
                points = (base[rows] + place[:, None, None, None] * way).requires_grad_()
                logits = net.score(points, target[rows])
                gradients = torch.autograd.grad(logits.sum(), points)[0]
            along = (gradients * way).flatten(1).sum(1)
            values = zip(some, logits.tolist(), along.tolist(), gradients, strict=True)
            for (i, at), logit, rise, gradient in values:
                ways[i].add(at, logit, rise, gradient)
        asked = [
            (i, place)
            for i, way in enumerate(ways)
            for place in way.next_places(tolerance, most - len(way.places))
        ]
    return ways
