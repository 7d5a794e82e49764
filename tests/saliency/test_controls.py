"""Controls, certificates and defences."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from curate import saliency
from curate.errors import CurateError
from curate.saliency.certificates.pixels import certified
from tests.saliency.nets import Styled, build, images

X = images()


def test_random_weights_change_a_gradient_and_not_a_map_of_the_image_alone():
    net = build()
    changed = saliency.randomised_weights(net, X)
    same = saliency.randomised_weights(net, X, method=lambda model, x, target: x)
    assert np.allclose(same, 1)
    assert changed.max() < 0.9
    assert torch.equal(net(X), build()(X))  # the model is not changed


def test_a_model_without_weights_has_no_such_control():
    class Sum(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :3] * 2

    with pytest.raises(CurateError, match="no weights of two axes"):
        saliency.randomised_weights(Sum().eval(), X)


def test_deletion_and_insertion_by_hand():
    net = build()
    maps = saliency.gradient(net, X, 1)
    found = saliency.deletion_curves(net, X, maps, 1, baseline=0.2, points=5)
    for row in range(len(X)):
        order = maps[row].abs().sum(0).flatten().argsort(descending=True)
        for point, share in enumerate([0, 0.25, 0.5, 0.75, 1]):
            gone = order[: round(share * 36)]
            for kept, curve in ((X, found.deletion), (None, found.insertion)):
                image = X[row].clone() if kept is not None else torch.full_like(X[row], 0.2)
                other = torch.full_like(X[row], 0.2) if kept is not None else X[row]
                for pixel in gone.tolist():
                    image[:, pixel // 6, pixel % 6] = other[:, pixel // 6, pixel % 6]
                expected = float(net(image[None]).softmax(1)[0, 1].detach())
                assert curve[row, point] == pytest.approx(expected, abs=1e-12)
    assert np.allclose(found.deletion_area, np.trapezoid(found.deletion, found.shares, axis=1))
    assert "deleting" in str(found)
    assert len(repr(found)) < 100


def test_certificates_by_hand():
    from scipy.stats import binomtest

    counts = np.array([[[0, 60, 95, 100]]])
    found = certified(counts, 100, 0.75, 0.01, "bonferroni")
    p = [binomtest(max(c, 100 - c), 100, 0.75, "greater").pvalue for c in (0, 60, 95, 100)]
    expected = [
        (0 if value * 4 > 0.01 else sign) for value, sign in zip(p, (-1, 1, 1, 1), strict=True)
    ]
    assert found[0, 0].tolist() == expected == [-1, 0, 1, 1]
    assert (np.abs(certified(counts, 100, 0.75, 0.01, "holm")) >= np.abs(found)).all()


@pytest.mark.parametrize("correction", ["holm", "bonferroni"])
def test_false_certificates_are_as_rare_as_promised(correction):
    """All pixels lie on the boundary, the worst case: any certificate is false."""
    rng = np.random.default_rng(0)
    probability = np.where(np.arange(64) % 2, 0.75, 0.25).reshape(1, 8, 8)
    counts = rng.binomial(100, np.repeat(probability, 4000, 0)).astype(np.int32)
    false = (certified(counts, 100, 0.75, 0.05, correction) != 0).any((1, 2)).mean()
    assert 0.01 < false <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)


def test_certified_pixels_hold_under_fresh_noise_and_count_what_is_seen():
    net = build()
    found = saliency.certify_pixels(net, X, sigma=0.02, samples=60, level=0.99)
    assert found.pixels.shape == found.counts.shape == (4, 6, 6)
    assert int(found.counts.sum()) == 4 * 60 * round(0.2 * 36)
    assert 0 < found.share.mean() < 1
    fresh = saliency.certify_pixels(net, X, sigma=0.02, samples=400, seed=7)
    often = fresh.counts / 400
    assert (often[found.pixels == 1] > 0.75).all()
    assert (often[found.pixels == -1] < 0.25).all()
    assert found.radius == pytest.approx(0.02 * 0.67449, rel=1e-4)
    chunked = saliency.certify_pixels(net, X, sigma=0.02, samples=60, level=0.99, chunk=3)
    assert np.array_equal(found.counts, chunked.counts)
    assert len(repr(found)) < 100


def test_bad_numbers():
    for match, options in [
        ("samples: 0", {"samples": 0}),
        ("sigma: 0", {"sigma": 0}),
        ("tau: 0.4", {"tau": 0.4}),
        ("top: 1", {"top": 1}),
        ("level: 1", {"level": 1}),
        ("correction: 'none'", {"correction": "none"}),
        ("maps: NaN", {"method": lambda model, x, target: x * float("nan")}),
    ]:
        with pytest.raises(CurateError, match=match):
            saliency.certify_pixels(build(), X, **{"samples": 2, **options})
    with pytest.raises(CurateError, match="maps: NaN in 4 of 4"):
        saliency.deletion_curves(build(), X, X * float("nan"))
    with pytest.raises(CurateError, match="step: 0"):
        saliency.curvature_penalty(build(), X, torch.zeros(4, dtype=torch.long), step=0)


def test_the_curvature_penalty_is_the_turn_of_the_gradient_and_trains():
    torch.manual_seed(0)
    net, labels = build(Styled, act=F.softplus), torch.tensor([0, 1, 2, 3])

    def slope(x, label):
        x = x.detach().clone().requires_grad_()
        F.cross_entropy(net(x[None]), label[None]).backward()
        return x.grad

    sizes = []
    for image, label in zip(X, labels, strict=True):
        here = slope(image, label)
        there = slope(image + 0.01 * here / here.norm(), label)
        sizes.append(float(((there - here) / 0.01).square().sum()))
    penalty = saliency.curvature_penalty(net, X, labels)
    assert float(penalty.detach()) == pytest.approx(np.mean(sizes), rel=1e-9)
    optimizer = torch.optim.SGD(net.parameters(), 0.003)
    for _ in range(20):
        optimizer.zero_grad()
        saliency.curvature_penalty(net, X, labels).backward()
        optimizer.step()
    assert float(saliency.curvature_penalty(net, X, labels).detach()) < 0.5 * np.mean(sizes)
