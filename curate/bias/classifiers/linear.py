"""A linear classifier of many classes that is fitted in closed form, then calibrated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from curate.bias.classifiers.logistic import fit_logistic
from curate.bias.classifiers.ridge import Moments, Ridge
from curate.errors import CurateError

_LEAST = 1e-3
"""Of the calibration, for predictions of unit spread."""


@dataclass(frozen=True, eq=False, repr=False)
class Linear:
    """A fitted linear classifier; its scores are log-odds up to a constant an example.

    Attributes:
        weight: float32 (classes, d).
        bias: float32 (classes,).
        penalty: the ridge penalty that was used, for mean squared errors of standardised features.
    """

    weight: Tensor
    bias: Tensor
    penalty: float

    def __repr__(self) -> str:
        classes, features = self.weight.shape
        return f"Linear({classes} classes, {features} features, penalty={self.penalty:.4g})"

    def scores(self, x: Tensor) -> Tensor:
        """Logits (n, classes) of features (n, d)."""
        return torch.addmm(self.bias, x, self.weight.T)

    def probabilities(self, x: Tensor) -> Tensor:
        """Softmax of the scores: (n, classes), rows sum to 1."""
        return self.scores(x).softmax(1)


def fit_linear(x: Tensor, y: Tensor, classes: int, *, penalty: float | None = None) -> Linear:
    """Fit a linear classifier; the same arguments give the same classifier.

    Ridge regression of the classes' indicators on standardised features, then multinomial
    logistic regression on its (n, classes) leave-one-out predictions, which both follow from one
    eigendecomposition (generalised cross-validation: Golub, Heath & Wahba, 1979; regression
    followed by a small classifier: Hastie, Tibshirani & Buja, 1994). The two steps make one linear
    map, whose probabilities are calibrated, and in which no class hides behind two others, as it
    does in regression alone. Costs n·d·min(n, d) multiplications and no iteration over x.

    Args:
        x: float32 (n, d); constant columns get weight 0.
        y: int64 (n,) in 0..classes-1; a class may be rare or absent.
        classes: how many there are.
        penalty: of squared weights, against mean squared errors, for features of unit variance;
            None: the best of 33 from 1e-4 to 1e4 by generalised cross-validation of x and y.

    Raises:
        CurateError: shapes or labels that do not fit, a value that is not finite, a penalty that
            is not positive.
    """
    return next(fit_nested(x, y, classes, [len(x)], penalty=penalty))


def fit_nested(
    x: Tensor, y: Tensor, classes: int, sizes: Sequence[int], *, penalty: float | None = None
) -> Iterator[Linear]:
    """:func:`fit_linear` of the first ``sizes[0]``, ``sizes[1]``, … rows, which share their work.

    The second moments of a smaller set are a part of the larger's: all sizes together cost one
    pass over x. ``sizes`` ascend.
    """
    _check(x, y, classes, penalty)
    if list(sizes) != sorted(sizes) or not 0 < sizes[0] <= sizes[-1] <= len(x):
        raise CurateError(f"sizes: {list(sizes)}; give ascending sizes from 1 to {len(x)}")
    moments = Moments(x.mean(0))
    for size in sizes:
        if size > x.shape[1]:  # else the (n, n) products are fewer than the (d, d) ones
            moments.add(x[moments.count : size])
            ridge = Ridge.of_moments(moments)
        else:
            ridge = Ridge.of_rows(x[:size])
        yield _fit(ridge, x[:size], y[:size], classes, penalty)


def _fit(ridge: Ridge, x: Tensor, y: Tensor, classes: int, penalty: float | None) -> Linear:
    targets = torch.nn.functional.one_hot(y, classes).to(x.dtype)
    centred = targets - targets.mean(0)
    projected = ridge.project(x, centred)
    chosen = (
        float(ridge.best_penalties(projected[None], centred[None])) if penalty is None else penalty
    )
    weights = ridge.weights(projected, chosen)
    fitted = ridge.predict(x, weights)
    kept = ridge.residual_share(chosen)
    held_out = centred - (centred - fitted) / kept
    mixing, bias = upright(*fit_logistic(held_out, y), held_out, y)
    weight = (weights.double() @ mixing) * ridge.scale.double()[:, None]
    bias = bias - ridge.mean.double() @ weight
    return Linear(weight.T.float().contiguous(), bias.float(), chosen)


def upright(mixing: Tensor, bias: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The same calibration with no temperature below zero.

    Where two classes hold copies of the same examples, an example's own label is missing when it
    is left out and its copy's label is not: left-out predictions then point the wrong way, and
    a calibration that may be negative turns the classifier upside down. Along every difference of
    classes that it would turn, it keeps their sign and next to no certainty, and the bias is
    that of the classes' shares.

    Args:
        mixing: float64 (classes, classes), of left-out predictions.
        bias: float64 (classes,).
        x: the predictions, (n, classes).
        y: int64 (n,) in 0..classes-1.
    """
    x = x.double()
    classes, mean = len(mixing), x.mean(0)
    least = _LEAST / float((x - mean).square().mean().sqrt().clamp(min=1e-12))
    differences = torch.eye(classes, dtype=x.dtype, device=x.device) - 1 / classes
    seen = differences @ mixing @ differences
    values, vectors = torch.linalg.eigh((seen + seen.T) / 2)
    vectors = vectors[:, values < least]
    turned = vectors[:, (differences @ vectors).square().sum(0) > 0.5]  # not the common direction
    if not turned.shape[1]:
        return mixing, bias
    shares = (torch.bincount(y, minlength=classes) + 1.0).double().log()
    along = turned @ turned.T
    upright = mixing + along * least - along @ seen @ along
    return upright, bias + along @ (shares - bias - mean @ upright)


def _check(x: Tensor, y: Tensor, classes: int, penalty: float | None) -> None:
    if x.ndim != 2 or y.shape != x.shape[:1] or not x.numel():
        raise CurateError(
            f"x: {tuple(x.shape)} with labels y {tuple(y.shape)}; give (n, d) and (n,), n and d "
            "at least 1"
        )
    if y.is_floating_point() or y.is_complex() or y.dtype == torch.bool:
        raise CurateError(f"y: labels of {y.dtype}; give int64 class indices")
    if int(y.min()) < 0 or int(y.max()) >= classes:
        raise CurateError(
            f"y: labels from {int(y.min())} to {int(y.max())}; give 0 to {classes - 1}"
        )
    if not bool(torch.isfinite(x.sum())) and not bool(torch.isfinite(x).all()):
        raise CurateError("x: some of its values are not finite; leave these rows or columns out")
    if penalty is not None and not penalty > 0:
        raise CurateError(f"penalty: {penalty}; give a positive number, or None to choose one")
