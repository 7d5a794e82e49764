"""Exact influence of training examples on a linear or logistic head (Koh & Liang, ICML 2017).

The Hessian of the head's mean loss is the closed form of the calculus, whole and damped, not a
conjugate-gradient or diagonal approximation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch

from curate.calculus.errors import CalculusError
from curate.calculus.expression import Expression
from curate.calculus.language.parse import parse
from curate.scores._head import array, design, guess, parameters, targets

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
    if (test_features is None) != (test_labels is None):
        raise CalculusError("test_features and test_labels: give both or none")
    single = SingleInfluence(head, features, labels, loss=loss, damping=damping)
    own = _self_products(single.factor, single.residuals, single.x) / len(single.x)
    if test_features is None:
        return Influence(None, own.numpy())
    x, y = single.read(test_features, test_labels)
    mean_gradient = _residuals(single.loss, x, single.weight, y).T @ x / len(x)
    direction = torch.cholesky_solve(mean_gradient.reshape(-1, 1), single.factor)
    reached = single.x @ direction.reshape(single.weight.shape).T
    others = (reached * single.residuals).sum(1) / len(single.x)
    return Influence(others.numpy(), own.numpy())


class SingleInfluence:
    """Influence of every training example on every single test example, after one factorisation.

    ``on(test_features, test_labels)[t, i] = g_t' H^-1 g_i / m``: what the loss of test example t
    would gain (to first order) if training example i were left out; positive for examples that
    help. Its mean over t is the ``influence`` of :func:`influence`.

    Args:
        head, features, labels, loss, damping: as :func:`influence` has them.

    Raises:
        ShapeError, CalculusError: as :func:`influence`.

    Attributes:
        weight: (outputs, d), d the features and, where the head has a bias, a column of ones.
        loss: its kind. ``x``: (m, d). ``residuals``: (m, outputs), the losses' derivatives by the
            outputs. ``factor``: of the Hessian (Cholesky, lower). All float64 on the CPU.
    """

    def __init__(
        self,
        head: Any,
        features: Any,
        labels: Any,
        *,
        loss: Loss | None = None,
        damping: float = 1e-3,
    ) -> None:
        self.weight, self._has_bias = parameters(head)
        self.x = design(features, self._has_bias, self.weight, "features")
        y = array(labels, "labels")
        self.loss = loss or guess(self.weight, y)
        if self.loss not in LOSSES:
            raise CalculusError(f"loss: {self.loss!r} is none of {sorted(LOSSES)}")
        if not damping >= 0:
            raise CalculusError(f"damping: {damping!r}; it has to be 0 or more")
        if self.loss == "logistic" and len(self.weight) != 1:
            raise CalculusError(
                f"loss: logistic is for one output; the head has {len(self.weight)}"
            )
        y = targets(y, self.loss, self.x, self.weight, "labels")
        n = self.weight.numel()
        matrix = _hessian(self.loss)(X=self.x, W=self.weight, Y=y, a=damping).reshape(n, n)
        self.factor, failed = torch.linalg.cholesky_ex(matrix)
        if failed:
            raise CalculusError(
                f"damping: with {damping} the Hessian is not positive definite; give a larger one"
            )
        self.residuals = _residuals(self.loss, self.x, self.weight, y)

    def __repr__(self) -> str:
        return f"SingleInfluence({len(self.x)} training examples, {self.loss} head)"

    def read(
        self, features: Any, labels: Any, graph: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Test examples as (t, d) and (t, outputs), checked."""
        x = design(features, self._has_bias, self.weight, "test_features", graph)
        return x, targets(array(labels, "test_labels"), self.loss, x, self.weight, "test_labels")

    def outputs(self, features: torch.Tensor) -> torch.Tensor:
        """What the head says of features (t, ...): (t, outputs), float64, with their graph."""
        x = design(features, self._has_bias, self.weight, "features", graph=True)
        return x @ self.weight.T

    def on(self, test_features: Any, test_labels: Any) -> torch.Tensor:
        """Influence of each training example on each test example.

        Args:
            test_features: t x features; a tensor that requires a gradient gives a result that can
                be differentiated by it.
            test_labels: t, as the labels.

        Returns:
            float64 (t, m), high = helps.

        Raises:
            ShapeError, CalculusError: as :func:`influence`.
        """
        x, y = self.read(test_features, test_labels, graph=True)
        residuals = _residuals(self.loss, x, self.weight, y)
        solved, n = self._solved, self.weight.numel()
        step = max(1, 2**23 // n)  # test gradients in 64 MiB at a time
        parts = [
            (r[:, :, None] * rows[:, None, :]).reshape(len(rows), n) @ solved
            for r, rows in zip(residuals.split(step), x.split(step), strict=True)
        ]
        return torch.cat(parts)

    @cached_property
    def _solved(self) -> torch.Tensor:
        """``H^-1 g_i / m`` of the training examples, (n, m)."""
        gradients = (self.residuals[:, :, None] * self.x[:, None, :]).reshape(len(self.x), -1)
        return torch.cholesky_solve(gradients.T, self.factor) / len(self.x)


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
