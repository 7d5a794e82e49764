"""Exact influence of training examples on a linear or logistic head (Koh & Liang, ICML 2017).

The Hessian of the head's mean loss is the closed form of the calculus, whole and damped, not a
conjugate-gradient or diagonal approximation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch

from curate.calculus.errors import CalculusError, ShapeError
from curate.calculus.expression import Expression
from curate.calculus.language.parse import parse

Loss = Literal["logistic", "softmax", "squared"]

LOSSES: dict[str, str] = {
    "softmax": "mean(logsumexp(X*W', 1)) - mean(sum(Y .* (X*W'), 1)) + a*sum(W .* W)/2",
    "logistic": "mean(softplus(-Y .* (X*W'))) + a*sum(W .* W)/2",
    "squared": "mean(sum((X*W' - Y).^2, 1))/2 + a*sum(W .* W)/2",
}
"""The loss that each kind of head minimises, in the calculus' own language.

X has one row per example (with a column of ones where the head has a bias), W one row per output,
Y the targets: one-hot for softmax, ±1 for logistic, numbers for squared.
"""


@dataclass(frozen=True, eq=False, repr=False)
class Influence:
    """Influence of each training example, float64, high = keep.

    Attributes:
        influence: what the mean test loss would gain (to first order) if the example were left
            out: positive for examples that help; None without a test set.
        self_influence: the same for the example's own loss: high for examples that only
            themselves support (rare, atypical or mislabelled).
    """

    influence: np.ndarray | None
    self_influence: np.ndarray

    @property
    def table(self) -> pa.Table:
        """The columns ``influence`` (where there is a test set) and ``self_influence``."""
        columns = {"influence": self.influence, "self_influence": self.self_influence}
        return pa.table({name: value for name, value in columns.items() if value is not None})

    def __repr__(self) -> str:
        test = "without" if self.influence is None else "with"
        return f"Influence({len(self.self_influence)} examples, {test} a test set)"

    def __str__(self) -> str:
        """The number of examples, and the range of each column."""
        lines = [f"influence of {len(self.self_influence)} training examples (high = keep)"]
        for name, column in zip(self.table.column_names, self.table.columns, strict=True):
            low, middle, high = np.quantile(column.to_numpy(), [0, 0.5, 1])
            lines.append(f"{name:<14} {low:.3g} … {high:.3g}, median {middle:.3g}")
        return "\n".join(lines)


def influence(
    head: Any,
    features: Any,
    labels: Any,
    test_features: Any = None,
    test_labels: Any = None,
    *,
    loss: Loss | None = None,
    damping: float = 1e-3,
) -> Influence:
    """Influence and self-influence of training examples on a head.

    With g_i the gradient of example i's loss by the head's parameters and H the Hessian of the
    mean loss plus ``damping`` times the unit matrix: ``self_influence_i = g_i' H^-1 g_i / m`` and
    ``influence_i = g_test' H^-1 g_i / m``, g_test being the mean gradient over the test set.

    Args:
        head: a ``torch.nn.Linear``, or its weight (outputs x features), or (weight, bias).
        features: m x features, what the head reads.
        labels: m class indices (softmax, and logistic as 0/1), or targets (squared).
        test_features, test_labels: of the examples whose loss counts.
        loss: ``"softmax"``, ``"logistic"`` (one output) or ``"squared"``; when not given,
            squared for labels that are not whole numbers, else logistic for a head with one
            output and softmax for more.
        damping: added to the Hessian's diagonal: the weight decay that the head was trained
            with, or a small number that makes the Hessian invertible.

    Raises:
        ShapeError: features, labels and head do not fit each other.
        CalculusError: an unknown loss, labels outside the head's outputs, a damping below 0 or
            one under which the Hessian is singular.
    """
    weight, has_bias = _parameters(head)
    x = _design(features, has_bias, weight, "features")
    y_given = _array(labels, "labels")
    kind = loss or _guess(weight, y_given)
    if kind not in LOSSES:
        raise CalculusError(f"loss: {kind!r} is none of {sorted(LOSSES)}")
    if not damping >= 0:
        raise CalculusError(f"damping: {damping!r}; it has to be 0 or more")
    if kind == "logistic" and len(weight) != 1:
        raise CalculusError(f"loss: logistic is for one output; the head has {len(weight)}")
    y = _targets(y_given, kind, x, weight, "labels")
    if (test_features is None) != (test_labels is None):
        raise CalculusError("test_features and test_labels: give both or none")

    hessian = _hessian(kind)(X=x, W=weight, Y=y, a=damping)
    n = weight.numel()
    matrix = hessian.reshape(n, n)
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if failed:
        raise CalculusError(
            f"damping: with {damping} the Hessian is not positive definite; give a larger one"
        )
    residuals = _residuals(kind, x, weight, y)
    own = _self_products(factor, residuals, x) / len(x)
    if test_features is None:
        return Influence(None, own.numpy())
    x_test = _design(test_features, has_bias, weight, "test_features")
    y_test = _targets(_array(test_labels, "test_labels"), kind, x_test, weight, "test_labels")
    mean_gradient = _residuals(kind, x_test, weight, y_test).T @ x_test / len(x_test)
    direction = torch.cholesky_solve(mean_gradient.reshape(n, 1), factor).reshape(weight.shape)
    others = ((x @ direction.T) * residuals).sum(1) / len(x)
    return Influence(others.numpy(), own.numpy())


@lru_cache(maxsize=8)
def _hessian(kind: str) -> Expression:
    kinds = {"X": "matrix", "W": "matrix", "Y": "matrix", "a": "scalar"}
    return parse(LOSSES[kind], **kinds).hessian("W")


def _residuals(kind: str, x: torch.Tensor, weight: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The loss's derivative by the outputs; an example's gradient is its row times its x."""
    outputs = x @ weight.T
    if kind == "softmax":
        return torch.softmax(outputs, 1) - y
    if kind == "logistic":
        return -y * torch.sigmoid(-y * outputs)
    return outputs - y


def _self_products(
    factor: torch.Tensor, residuals: torch.Tensor, x: torch.Tensor, chunk: int = 4096
) -> torch.Tensor:
    """``g' H^-1 g`` of each example, in chunks that fit 64 MiB."""
    step = max(1, min(chunk, 2**23 // factor.shape[0]))
    products = []
    for start in range(0, len(x), step):
        r, rows = residuals[start : start + step], x[start : start + step]
        gradients = (r[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
        half = torch.linalg.solve_triangular(factor, gradients.T, upper=False)
        products.append((half * half).sum(0))
    return torch.cat(products) if products else x.new_zeros(0)


def _parameters(head: Any) -> tuple[torch.Tensor, bool]:
    bias = None
    if isinstance(head, torch.nn.Linear):
        head, bias = head.weight, head.bias
    elif isinstance(head, tuple):
        if len(head) != 2:
            raise CalculusError(f"head: a pair (weight, bias) is needed, not {len(head)} parts")
        head, bias = head
    weight = _array(head, "head")
    weight = weight[None] if weight.ndim == 1 else weight
    if weight.ndim != 2:
        raise ShapeError(f"head: the weight has the shape {tuple(weight.shape)}; it needs two axes")
    if bias is None:
        return weight, False
    column = _array(bias, "head").reshape(-1, 1)
    if len(column) != len(weight):
        raise ShapeError(f"head: {len(column)} biases for {len(weight)} outputs")
    return torch.cat([weight, column], 1), True


def _array(value: Any, name: str) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", torch.float64)
    try:
        return torch.from_numpy(np.array(value, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise CalculusError(f"{name}: numbers are needed ({error})") from error


def _design(features: Any, has_bias: bool, weight: torch.Tensor, name: str) -> torch.Tensor:
    x = _array(features, name)
    expected = weight.shape[1] - has_bias
    if x.ndim != 2 or x.shape[1] != expected or not len(x):
        raise ShapeError(
            f"{name}: the shape {tuple(x.shape)}; the head reads (examples, {expected})"
        )
    if not torch.isfinite(x).all():
        raise CalculusError(f"{name}: NaN or infinity among the values")
    return torch.cat([x, x.new_ones(len(x), 1)], 1) if has_bias else x


def _guess(weight: torch.Tensor, labels: torch.Tensor) -> str:
    if labels.ndim == 2 or not torch.equal(labels, labels.round()):
        return "squared"
    return "logistic" if len(weight) == 1 else "softmax"


def _targets(
    labels: torch.Tensor, kind: str, x: torch.Tensor, weight: torch.Tensor, name: str
) -> torch.Tensor:
    outputs = len(weight)
    if kind == "squared":
        y = labels.reshape(len(labels), -1)
        if y.shape != (len(x), outputs):
            raise ShapeError(
                f"{name}: the shape {tuple(labels.shape)} for {len(x)} examples, {outputs} outputs"
            )
        return y
    if labels.shape != (len(x),):
        raise ShapeError(f"{name}: the shape {tuple(labels.shape)} for {len(x)} examples")
    classes = 2 if kind == "logistic" else outputs
    whole = labels.round()
    if kind == "logistic" and set(labels.unique().tolist()) <= {-1.0, 1.0}:
        return labels[:, None]
    if not torch.equal(whole, labels) or labels.min() < 0 or labels.max() >= classes:
        raise CalculusError(
            f"{name}: class indices from 0 to {classes - 1} are needed, not "
            f"{labels.min().item():g} … {labels.max().item():g}"
        )
    if kind == "logistic":
        return 2 * labels[:, None] - 1
    return torch.nn.functional.one_hot(labels.long(), outputs).to(x.dtype)
