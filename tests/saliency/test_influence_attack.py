"""The attack on influences: its step by hand, what it keeps, and what it refuses."""

import numpy as np
import pytest
import torch
from torch import nn

from curate import saliency
from curate.errors import CurateError
from curate.scores import SingleInfluence

EPSILON = 0.03
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)


class Features(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6)

    def forward(self, x):
        return self.norm(self.conv(x)).relu().mean((2, 3))


@pytest.fixture(params=["softmax", "logistic"])
def problem(request):
    torch.manual_seed(0)
    net = Features().double().eval()
    images = torch.rand(40, 3, 9, 9, dtype=torch.float64)
    labels = torch.randint(0, 2 if request.param == "logistic" else 3, (40,))
    with torch.no_grad():
        read = net(normalised(images))
    head = nn.Linear(6, 1 if request.param == "logistic" else 3).double()
    nn.init.normal_(head.weight, std=3)
    return net, head, SingleInfluence(head, read, labels, damping=0.01), images[:7], labels[:7]


def normalised(images):
    mean, std = (torch.tensor(v, dtype=images.dtype).view(3, 1, 1) for v in (MEAN, STD))
    return (images - mean) / std


def predicted(net, head, images):
    out = head(net(normalised(images)))
    return (out[:, 0] > 0).long() if out.shape[1] == 1 else out.argmax(1)


def test_one_step_is_the_papers(problem):
    net, head, influences, images, labels = problem
    found = saliency.influence_attack(
        net, influences, images, labels, epsilon=EPSILON, normalise=(MEAN, STD)
    )
    for row in range(len(images)):
        x = images[row : row + 1].clone().requires_grad_()
        single = influences.on(net(normalised(x)), labels[row : row + 1])[0]
        top = single.detach().argsort(descending=True)[:3]
        single[top].sum().backward()
        moved = (images[row] - EPSILON * x.grad[0].sign()).clamp(0, 1)
        keeps = predicted(net, head, moved[None]) == predicted(net, head, images[row : row + 1])
        assert bool(found.found[row]) == bool(keeps)
        expected = moved if keeps else images[row]
        assert torch.allclose(found.images[row], expected, atol=1e-12)
        after = influences.on(net(normalised(expected[None])), labels[row : row + 1])[0]
        np.testing.assert_allclose(found.before[row], single.detach(), rtol=1e-8)
        np.testing.assert_allclose(found.after[row], after.detach(), rtol=1e-8, atol=1e-12)
    assert found.found.any()


def test_what_it_keeps_and_that_more_steps_do_more(problem):
    net, head, influences, images, _ = problem
    runs = [
        saliency.influence_attack(
            net, influences, images, epsilon=EPSILON, iterations=count, step=EPSILON / 4,
            normalise=(MEAN, STD), chunk=chunk,
        )
        for count, chunk in ((1, 64), (12, 3))
    ]  # fmt: skip
    sums = []
    for found in runs:
        assert float((found.images - images).abs().max()) <= EPSILON + 1e-12
        assert torch.equal(predicted(net, head, found.images), predicted(net, head, images))
        assert torch.equal(found.images[~found.found], images[~found.found])
        top = found.before.topk(3).indices
        sums.append(found.after.gather(1, top).sum(1))
        assert (sums[-1] <= found.before.gather(1, top).sum(1) + 1e-12).float().mean() > 0.8
    assert sums[1].sum() < sums[0].sum()
    table = found.table
    assert table.column_names == ["found", "influence_spearman", "influence_topk"]
    assert repr(found) == f"InfluenceAttacked({int(found.found.sum())} of 7 images)"
    assert "most influential replaced" in str(found)
    chosen = [set(row.topk(3).indices.tolist()) for row in found.before]
    now = [set(row.topk(3).indices.tolist()) for row in found.after]
    lost = [1 - len(a & b) / 3 for a, b in zip(chosen, now, strict=True)]
    np.testing.assert_allclose(table["influence_topk"], lost)


def test_errors(problem):
    net, _, influences, images, labels = problem

    def wrong(match, *arguments, **options):
        with pytest.raises(CurateError, match=match):
            saliency.influence_attack(*arguments, normalise=(MEAN, STD), **options)

    wrong("k: 41; there are 40", net, influences, images, k=41)
    wrong("k: 0", net, influences, images, k=0)
    wrong("epsilon: 0", net, influences, images, epsilon=0)
    wrong("step: -1", net, influences, images, step=-1)
    wrong("iterations: 0", net, influences, images, iterations=0)
    wrong("images: values from", net, influences, images + 1)
    wrong("training mode", net.train(), influences, images)
    net.eval()
    squared = SingleInfluence(torch.ones(1, 6), torch.rand(9, 6), torch.rand(9), damping=0.1)
    wrong("squared loss", net, squared, images)
    wrong("features", nn.Sequential(nn.Flatten()).eval(), influences, images)
    wrong("test_labels", net, influences, images, labels + 5)
