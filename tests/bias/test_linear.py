"""The closed-form classifier against slow references: least squares, leaving out row by row."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.bias.classifiers.linear import fit_linear, fit_nested
from curate.bias.classifiers.logistic import fit_logistic
from curate.bias.classifiers.ridge import PENALTIES, Moments, Ridge
from curate.errors import CurateError


def blobs(n, d, classes, seed, apart=1.0):
    """Gaussian classes around random centres: features, labels."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    x = rng.normal(size=(n, d)) + apart * rng.normal(size=(classes, d))[y]
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y)


def ridge_of(x):
    if len(x) <= x.shape[1]:
        return Ridge.of_rows(x)
    moments = Moments(x.mean(0))
    for part in x.split(7):
        moments.add(part)
    return Ridge.of_moments(moments)


def solved(x, targets, penalty):
    """Ridge regression by its normal equations in float64: predictions, degrees of freedom."""
    x = x.double().numpy()
    standard = (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1)
    normal = standard.T @ standard + penalty * len(x) * np.eye(x.shape[1])
    hat = standard @ np.linalg.solve(normal, standard.T)
    return hat @ targets, np.trace(hat)


@pytest.mark.parametrize(("n", "d"), [(40, 6), (12, 30), (25, 25), (30, 1)])
@pytest.mark.parametrize("penalty", [0.01, 1.0, 50.0])
def test_ridge_solves_the_normal_equations(n, d, penalty):
    x, y = blobs(n, d, 3, seed=n + d)
    x = x * torch.logspace(-2, 3, d) + 5
    targets = torch.nn.functional.one_hot(y, 3).float()
    targets -= targets.mean(0)
    ridge = ridge_of(x)
    weights = ridge.weights(ridge.project(x, targets), penalty)
    predicted, freedom = solved(x, targets.double().numpy(), penalty)
    np.testing.assert_allclose(ridge.predict(x, weights), predicted, atol=2e-4)
    assert ridge.residual_share(penalty) == pytest.approx(1 - freedom / n, abs=1e-4)


@pytest.mark.parametrize(("n", "d"), [(60, 5), (30, 80)])
def test_penalty_minimises_generalised_cross_validation(n, d):
    x, y = blobs(n, d, 3, seed=d)
    targets = torch.nn.functional.one_hot(y, 3).float()
    targets -= targets.mean(0)
    errors = []
    for penalty in PENALTIES.tolist():
        predicted, freedom = solved(x, targets.double().numpy(), penalty)
        kept = 1 - (freedom + 1) / n
        error = ((targets.numpy() - predicted) ** 2).sum() / kept**2
        errors.append(error if kept >= 0.2 else np.inf)
    ridge = ridge_of(x)
    best = ridge.best_penalties(ridge.project(x, targets)[None], targets[None])
    assert errors[PENALTIES.tolist().index(float(best))] <= min(errors) * 1.001


def test_residual_over_share_is_close_to_leaving_each_row_out():
    x, y = blobs(80, 10, 2, seed=0)
    targets = torch.nn.functional.one_hot(y, 2).double()
    standard = (x - x.mean(0)).double() / x.std(0, unbiased=False)
    centred = targets - targets.mean(0)
    left_out = []
    for row in range(80):
        rest = torch.arange(80) != row
        a, stop = standard[rest], 80 * 0.5 * torch.eye(10).double()
        solution = torch.linalg.solve(a.T @ a + stop, a.T @ centred[rest])
        left_out.append(centred[row] - standard[row] @ solution)
    ridge = ridge_of(x)
    fitted = ridge.predict(x, ridge.weights(ridge.project(x, centred.float()), 0.5))
    quick = (centred - fitted) / ridge.residual_share(0.5)
    reference = torch.stack(left_out)
    assert (quick - reference).square().mean() < 0.01 * reference.square().mean()


@pytest.mark.parametrize("n", [10, 15, 20, 30])
def test_of_few_rows_it_learns_no_less_than_nearest_centres(n):
    """Ten classes, of which some have one row or none; mean of 20 seeds."""
    found, centres = [], []
    for seed in range(20):
        x, y = blobs(n + 300, 200, 10, seed, apart=0.4)
        model = fit_linear(x[:n], y[:n], 10)
        found.append((model.scores(x[n:]).argmax(1) == y[n:]).double().mean())
        seen = y[:n].unique()
        means = torch.stack([x[:n][y[:n] == label].mean(0) for label in seen])
        nearest = seen[torch.cdist(x[n:], means).argmin(1)]
        centres.append((nearest == y[n:]).double().mean())
    assert np.mean(found) > np.mean(centres) - 0.02


@pytest.mark.parametrize(("n", "d"), [(400, 20), (60, 200)])
def test_it_tells_blobs_apart_as_the_best_linear_rule_does(n, d):
    x, y = blobs(n + 1000, d, 4, seed=1, apart=3 / d**0.5)
    found = fit_linear(x[:n], y[:n], 4).scores(x[n:]).argmax(1)
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rule = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(x[:n], y[:n])
    reference = rule.score(x[n:], y[n:])
    assert (found == y[n:]).double().mean() > reference - 0.02


def test_no_class_hides_between_two_others():
    """Regression on indicators alone never names the middle of three classes on a line."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(3).repeat(100)
    x = 5 * y[:, None].float() + torch.randn(300, 1, generator=generator)
    assert (fit_linear(x, y, 3).scores(x).argmax(1) == y).double().mean() > 0.95


def test_probabilities_are_calibrated_on_new_examples():
    x, y = blobs(6000, 30, 5, seed=2, apart=0.25)
    probabilities = fit_linear(x[:1000], y[:1000], 5).probabilities(x[1000:])
    torch.testing.assert_close(probabilities.sum(1), torch.ones(5000))
    sure, guess = probabilities.max(1)
    right = (guess == y[1000:]).double()
    for low, high in ((0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0)):
        inside = (sure >= low) & (sure < high)
        assert inside.sum() > 100
        assert abs(right[inside].mean() - sure[inside].mean()) < 0.07  # about 2 standard errors


def test_nested_fits_are_the_fits_of_their_own_rows():
    x, y = blobs(90, 40, 3, seed=3)
    sizes = [10, 40, 41, 90]
    for size, nested in zip(sizes, fit_nested(x, y, 3, sizes), strict=True):
        alone = fit_linear(x[:size], y[:size], 3)
        assert nested.penalty == alone.penalty
        torch.testing.assert_close(nested.scores(x), alone.scores(x), atol=2e-3, rtol=1e-3)


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 20), st.integers(2, 6), st.integers(0, 1000))
def test_any_shape_gives_finite_probabilities_twice_the_same(n, d, classes, seed):
    x, y = blobs(n, d, classes, seed)
    x[:, 0] = 0.1  # a constant column
    model = fit_linear(x, y, classes)
    probabilities = model.probabilities(x)
    assert probabilities.shape == (n, classes)
    assert torch.isfinite(probabilities).all()
    assert (model.weight[:, 0] == 0).all()
    assert torch.equal(fit_linear(x, y, classes).weight, model.weight)


def test_shift_and_scale_of_columns_do_not_matter():
    x, y = blobs(300, 8, 3, seed=4)
    scale, shift = torch.logspace(-3, 3, 8), torch.linspace(-50, 50, 8)
    plain, changed = fit_linear(x, y, 3), fit_linear((x + shift) * scale, y, 3)
    torch.testing.assert_close(
        plain.probabilities(x), changed.probabilities((x + shift) * scale), atol=2e-3, rtol=0
    )


def test_logistic_regression_finds_the_minimum_of_its_objective():
    """With t the mean of the diagonal the prior is least: the objective as one of the weights."""
    x, y = blobs(200, 3, 3, seed=5)
    weights, bias = fit_logistic(x, y)
    x = x.double()
    spread = (x - x.mean(0)).square().mean().sqrt()
    scaled = (x - x.mean(0)) / spread
    free = (weights * spread).requires_grad_()
    offset = (bias + x.mean(0) @ weights).requires_grad_()
    t = free.diagonal().sum() * 32 / (3 * 32 + 1)  # of least 32 (diagonal - t)^2 + t^2
    prior = 32 * (free - t * torch.eye(3)).square().sum() + offset.square().sum() + t.square()
    loss = torch.nn.functional.cross_entropy(scaled @ free + offset, y) + prior / 400
    for gradient in torch.autograd.grad(loss, [free, offset]):
        assert gradient.abs().max() < 1e-4


def test_an_absent_class_is_not_named():
    x, y = blobs(100, 5, 2, seed=6, apart=3)
    assert fit_linear(x, y, 4).scores(x).argmax(1).max() < 2


@pytest.mark.parametrize(
    ("x", "y", "options", "said"),
    [
        (torch.zeros(3), torch.zeros(3).long(), {}, "x:"),
        (torch.zeros(3, 2), torch.zeros(2).long(), {}, "x:"),
        (torch.zeros(0, 2), torch.zeros(0).long(), {}, "x:"),
        (torch.zeros(3, 2), torch.tensor([0, 1, 2]), {}, "y:"),
        (torch.full((3, 2), torch.nan), torch.tensor([0, 1, 1]), {}, "not finite"),
        (torch.zeros(3, 2), torch.tensor([0, 1, 1]), {"penalty": 0.0}, "penalty: 0.0"),
    ],
)
def test_what_it_refuses(x, y, options, said):
    with pytest.raises(CurateError, match=said):
        fit_linear(x, y, 2, **options)


def test_sizes_must_ascend():
    x, y = blobs(10, 2, 2, seed=7)
    with pytest.raises(CurateError, match="sizes"):
        next(fit_nested(x, y, 2, [5, 3]))


def test_it_is_no_worse_than_a_support_vector_machine_on_real_features(real_data):
    """HOG of five sources, 60 training and 60 test images of each; seed 0."""
    from sklearn.svm import LinearSVC

    from curate.bias import as_sources
    from curate.features import extract

    names = ("caltech101", "corel5k", "scene15", "clothing", "houses")
    paths = {name: real_data / "natural-images" / f"{name}_64.parquet" for name in names}
    rng = np.random.default_rng(0)
    parts = []
    for source in as_sources(paths):
        rows = rng.permutation(len(source))[:120]
        parts.append(torch.from_numpy(extract(source.take(rows))))
    x, test_x = (torch.cat([part[rows] for part in parts]) for rows in (slice(60), slice(60, None)))
    y = torch.arange(5).repeat_interleave(60)
    svm = LinearSVC(random_state=0).fit(x.numpy(), y.numpy()).score(test_x.numpy(), y.numpy())
    found = (fit_linear(x, y, 5).scores(test_x).argmax(1) == y).double().mean()
    assert found >= svm
    assert found > 0.4  # chance is 0.2
