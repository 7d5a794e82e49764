"""Where on the way from the baseline to the image to take gradients: adaptive trapezoids."""

from bisect import bisect
from collections import deque
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

    Every gradient that is taken counts in the map, and is held until the weights are known: that
    is what the half of a chunk that a pass leaves free is for. As each image under way waits for
    one gradient at least, passes are of one size until the last images: memory that was freed by
    passes of many sizes fits the next one badly.
    """
    maps = torch.empty_like(images)
    ways = [_Way() for _ in images]
    size = max(1, net.chunk // 2)
    queue: deque[tuple[int, float]] = deque()
    begun = under_way = 0
    while queue or begun < len(ways):
        while under_way < size and begun < len(ways):
            queue += [(begun, place) for place in _FIRST]
            begun, under_way = begun + 1, under_way + 1
        asked = [queue.popleft() for _ in range(min(size, len(queue)))]
        _ask(net, images, target, base, ways, asked)
        waiting = {row for row, _ in queue}
        for row in dict.fromkeys(row for row, _ in asked):
            if row in waiting:
                continue
            way = ways[row]
            further = way.next_places(tolerance, most - len(way.places))
            queue += [(row, place) for place in further]
            if not further:
                share = torch.tensor(way.weights()).to(images)
                mean = torch.einsum("k,kchw->chw", share, torch.stack(way.gradients))
                maps[row] = (images[row] - base[row]) * mean
                way.gradients.clear()
                under_way -= 1
    rows = [row for row, way in enumerate(ways) for _ in way.places]
    places, weights = (
        torch.tensor([value for way in ways for value in values(way)]).to(images)
        for values in (lambda way: way.places, _Way.weights)
    )
    return maps, Terms(torch.tensor(rows, device=images.device), [places, weights])


def _ask(
    net: Net,
    images: Tensor,
    target: Tensor,
    base: Tensor,
    ways: list[_Way],
    asked: list[tuple[int, float]],
) -> None:
    """One pass: the logit and its gradient at each place (row, share of the way)."""
    rows = torch.tensor([row for row, _ in asked], device=images.device)
    place = torch.tensor([place for _, place in asked]).to(images)
    way = images[rows] - base[rows]
    with torch.enable_grad():
        points = (base[rows] + place[:, None, None, None] * way).requires_grad_()
        logits = net.score(points, target[rows])
        gradients = torch.autograd.grad(logits.sum(), points)[0]
    along = (gradients * way).flatten(1).sum(1)
    values = zip(asked, logits.tolist(), along.tolist(), gradients, strict=True)
    for (row, at), logit, rise, gradient in values:
        ways[row].add(at, logit, rise, gradient)
