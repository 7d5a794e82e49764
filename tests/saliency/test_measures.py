"""Measures of agreement against their slow definitions and other libraries."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curate import saliency
from curate.errors import CurateError

RNG = np.random.default_rng(0)


def pair(shape=(3, 16, 14), ties=False, dtype=torch.float32):
    a, b = RNG.gamma(1, size=(2, *shape))
    b = a + b
    if ties:
        a, b = np.round(a), np.round(b)
    return torch.tensor(a).to(dtype), torch.tensor(b).to(dtype)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rank_correlations_are_those_of_scipy(ties, dtype):
    from scipy.stats import kendalltau, spearmanr

    a, b = pair(ties=ties, dtype=dtype)
    found = saliency.spearman(a, b), saliency.kendall(a, b)
    for row in range(3):
        x, y = a[row].numpy().ravel(), b[row].numpy().ravel()
        assert found[0][row] == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
        assert found[1][row] == pytest.approx(kendalltau(x, y).statistic, abs=1e-12)


@given(st.lists(st.floats(-3, 3, width=32), min_size=2, max_size=30))
def test_mean_ranks_are_counts(values):
    from curate.saliency.measures.ranks import mean_ranks

    expected = [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]
    for dtype in (np.float32, np.float64):
        assert mean_ranks(np.array(values, dtype)).tolist() == expected


def test_rank_correlation_of_a_constant_map_is_not_known():
    a, b = pair()
    assert np.isnan(saliency.spearman(torch.ones_like(a), b)).all()


@pytest.mark.parametrize("ties", [False, True])
def test_topk_intersection_counts_common_pixels(ties):
    a, b = pair(ties=ties)
    found = saliency.topk_intersection(a, b, 20)
    for row in range(3):
        tops = []
        for maps in (a, b):
            values = maps[row].flatten().tolist()
            tops.append(set(sorted(range(len(values)), key=lambda i: (-values[i], i))[:20]))
        assert found[row] == len(tops[0] & tops[1]) / 20
    assert saliency.topk_intersection(a, a, 20).tolist() == [1, 1, 1]


def test_centre_shift_is_the_distance_of_centres_of_mass():
    from scipy.ndimage import center_of_mass

    a, b = pair()
    expected = [
        np.linalg.norm(np.subtract(center_of_mass(x.numpy()), center_of_mass(y.numpy())))
        for x, y in zip(a, b, strict=True)
    ]
    assert np.allclose(saliency.centre_shift(a, b), expected, atol=1e-6)


def test_ssim_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    a, b = pair()
    for row, found in enumerate(saliency.ssim(a, b)):
        x, y = (
            (maps[row].double().numpy() - float(maps[row].min()))
            / float(maps[row].max() - maps[row].min())
            for maps in (a, b)
        )
        expected = metrics.structural_similarity(
            x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1
        )
        assert found == pytest.approx(expected, abs=1e-6)


def test_bad_input():
    a, b = pair()
    with pytest.raises(CurateError, match="k: 225 pixels; a map has 224"):
        saliency.topk_intersection(a, b, 225)
    with pytest.raises(CurateError, match="NaN in a map"):
        saliency.spearman(a * float("nan"), b)
    with pytest.raises(CurateError, match="others: shape"):
        saliency.centre_shift(a, b[:2])
    with pytest.raises(CurateError, match="SSIM needs 11 x 11"):
        saliency.ssim(a[:, :5], b[:, :5])
