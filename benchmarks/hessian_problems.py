"""The problems of benchmarks/hessian.py: text, function for the peers, hand-written Hessian."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

Values = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Problem:
    """One problem.

    Attributes:
        text: for `curate.calculus.parse`.
        variable: the Hessian is by this one.
        values: makes them for a size n, float64.
        function: of a numpy-like module and the values in order.
        closed: the Hessian by hand, in torch.
    """

    name: str
    text: str
    variable: str
    sizes: tuple[int, ...]
    values: Callable[[int], Values]
    function: Callable[..., Any]
    closed: Callable[..., torch.Tensor]
    kinds: dict[str, str] = field(default_factory=dict)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def signs(n: int) -> torch.Tensor:
    return torch.where(normal(n) > 0, 1.0, -1.0).double()


def definite(n: int) -> torch.Tensor:
    a = normal(n, n)
    return a @ a.T / n + torch.eye(n, dtype=torch.float64)


def logistic_closed(y: torch.Tensor, X: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    p = torch.sigmoid(y * (X @ w))
    return X.T @ (X * (p * (1 - p) * y * y)[:, None])


def factorisation_closed(A: torch.Tensor, U: torch.Tensor, V: torch.Tensor) -> torch.Tensor:
    n, k = U.shape
    hessian = V.new_zeros(n, k, n, k)
    hessian.diagonal(0, 0, 2).copy_((2 * (V.T @ V))[:, :, None])
    return hessian


def net_closed(X: torch.Tensor, W: torch.Tensor, v: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    m, (d, h) = len(X), W.shape
    t = torch.tanh(X @ W)
    slope = (1 - t * t) * v
    jacobian = (X[:, :, None] * slope[:, None]).reshape(m, d * h)
    hessian = (jacobian.T @ jacobian).mul_(2).reshape(d, h, d, h)
    bend = -4 * (t @ v - y)[:, None] * t * slope
    blocks = ((X[:, :, None] * bend[:, None]).reshape(m, d * h).T @ X).reshape(d, h, d)
    hessian.diagonal(0, 1, 3).add_(blocks.permute(0, 2, 1))
    return hessian


def logdet_closed(A: torch.Tensor) -> torch.Tensor:
    inverse = torch.linalg.inv(A)
    return (-inverse)[None, :, :, None] * inverse.T[:, None, None]


def ridge_closed(
    X: torch.Tensor, w: torch.Tensor, y: torch.Tensor, c: torch.Tensor
) -> torch.Tensor:
    hessian = (X.T @ X).mul_(2)
    hessian.diagonal().add_(2 * c)
    return hessian


def lasso_closed(
    X: torch.Tensor, w: torch.Tensor, y: torch.Tensor, c: torch.Tensor, e: torch.Tensor
) -> torch.Tensor:
    hessian = (X.T @ X).mul_(2)
    hessian.diagonal().add_(c * e * (w * w + e) ** -1.5)
    return hessian


def process_closed(y: torch.Tensor, S: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    e = torch.exp(t)
    covariance = S.clone()
    covariance.diagonal().add_(e)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(covariance))
    a = inverse @ y
    q = e * a
    hessian = torch.outer(q, q).sub_((e[:, None] * inverse).mul_(0.5 * e)).mul_(inverse)
    hessian.diagonal().add_(0.5 * e * (inverse.diagonal() - a * a))
    return hessian


PROBLEMS = [
    Problem(
        "quadratic", "x'*A*x", "x", (100, 500, 1000, 2000),
        lambda n: {"x": normal(n), "A": normal(n, n)},
        lambda xp, x, A: x @ A @ x,
        lambda x, A: A + A.T,
    ),
    Problem(
        "logistic", "sum(log(exp(-y.*(X*w)) + vector(1)))", "w", (100, 300, 1000),
        lambda n: {"y": signs(2 * n), "X": normal(2 * n, n), "w": normal(n) / n**0.5},
        lambda xp, y, X, w: xp.sum(xp.log(xp.exp(-y * (X @ w)) + 1)),
        logistic_closed,
    ),
    Problem(
        "factorisation", "norm2(A-U*V')^2", "U", (20, 50, 100, 200),
        lambda n: {"A": normal(n, n), "U": normal(n, 5), "V": normal(n, 5)},
        lambda xp, A, U, V: xp.sum((A - U @ V.T) ** 2),
        factorisation_closed,
    ),
    Problem(
        "net", "norm2(tanh(X*W)*v-y)^2", "W", (5, 10, 20, 30),
        lambda n: {"X": normal(100, n), "W": normal(n, n) / n, "v": normal(n), "y": normal(100)},
        lambda xp, X, W, v, y: xp.sum((xp.tanh(X @ W) @ v - y) ** 2),
        net_closed,
    ),
    Problem(
        "log det", "logdet(A)", "A", (10, 20, 40),
        lambda n: {"A": definite(n) + normal(n, n) / n},
        lambda xp, A: xp.linalg.slogdet(A)[1],
        logdet_closed,
    ),
    Problem(
        "ridge", "norm2(X*w-y)^2 + c*norm2(w)^2", "w", (100, 300, 1000),
        lambda n: {"X": normal(2 * n, n), "w": normal(n), "y": normal(2 * n),
                   "c": torch.tensor(0.3, dtype=torch.float64)},
        lambda xp, X, w, y, c: xp.sum((X @ w - y) ** 2) + c * xp.sum(w * w),
        ridge_closed,
    ),
    Problem(
        "smooth lasso", "norm2(X*w-y)^2 + c*sum(sqrt(w.^2 + e))", "w", (100, 300, 1000),
        lambda n: {"X": normal(2 * n, n), "w": normal(n), "y": normal(2 * n),
                   "c": torch.tensor(0.3, dtype=torch.float64),
                   "e": torch.tensor(0.1, dtype=torch.float64)},
        lambda xp, X, w, y, c, e: xp.sum((X @ w - y) ** 2) + c * xp.sum(xp.sqrt(w * w + e)),
        lasso_closed,
    ),
    Problem(
        "Gaussian process",
        "0.5*y'*inv(S+diag(exp(t)))*y + 0.5*logdet(S+diag(exp(t)))", "t", (50, 100, 200, 400),
        lambda n: {"y": normal(n), "S": definite(n), "t": normal(n)},
        lambda xp, y, S, t: 0.5 * y @ xp.linalg.solve(S + xp.diag(xp.exp(t)), y)
        + 0.5 * xp.linalg.slogdet(S + xp.diag(xp.exp(t)))[1],
        process_closed,
        {"S": "positive definite matrix"},
    ),
]  # fmt: skip


PROCESS = "0.5*y'*inv(a^2*exp(-D/(2*b^2)) + c^2*eye)*y + 0.5*logdet(a^2*exp(-D/(2*b^2)) + c^2*eye)"
"""The negative log marginal likelihood of a Gaussian process, but for a constant."""


def process_values(n: int) -> Values:
    x = torch.rand(n, dtype=torch.float64) * 10
    numbers = {
        k: torch.tensor(v, dtype=torch.float64) for k, v in zip("abc", (1.2, 0.8, 0.3), strict=True)
    }
    return {**numbers, "D": (x[:, None] - x) ** 2, "y": torch.sin(x)}


def process_function(xp: Any, a: Any, b: Any, c: Any, D: Any, y: Any) -> Any:
    K = a**2 * xp.exp(-D / (2 * b**2)) + c**2 * xp.eye(len(y))
    return 0.5 * y @ xp.linalg.solve(K, y) + 0.5 * xp.linalg.slogdet(K)[1]


def process_by_hand(
    a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, D: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Value, gradient and Hessian as one writes them with one factorisation."""
    E = torch.exp(D * (-0.5 / b**2))
    K = a * a * E
    K.diagonal().add_(c * c)
    factor = torch.linalg.cholesky(K)
    inverse = torch.cholesky_inverse(factor)
    q = inverse @ y
    value = 0.5 * y @ q + factor.diagonal().log().sum()
    ED = E * D
    slopes = [2 * a * E, a * a / b**3 * ED, None]
    solved = [inverse @ slopes[0], inverse @ slopes[1], 2 * c * inverse]
    pulled = [slopes[0] @ q, slopes[1] @ q, 2 * c * q]
    gradient = torch.stack(
        [0.5 * (s.diagonal().sum() - q @ p) for s, p in zip(solved, pulled, strict=True)]
    )
    hessian = torch.empty(3, 3, dtype=y.dtype)
    for i in range(3):
        for j in range(i, 3):
            trace = (solved[i] * solved[j].T).sum()
            hessian[i, j] = hessian[j, i] = pulled[i] @ (inverse @ pulled[j]) - 0.5 * trace
    weight = 0.5 * (inverse - torch.outer(q, q))
    of_e, of_ed = (weight * E).sum(), (weight * ED).sum()
    hessian[0, 0] += 2 * of_e
    hessian[0, 1] += 2 * a / b**3 * of_ed
    hessian[1, 0] = hessian[0, 1]
    hessian[1, 1] += a * a / b**6 * (weight * ED * D).sum() - 3 * a * a / b**4 * of_ed
    hessian[2, 2] += 2 * weight.diagonal().sum()
    return value, gradient, hessian


def deep_net(layers: int) -> Problem:
    """``sum(tanh(W_L ... tanh(W_1 x)))`` by W_1."""
    text = "x"
    for layer in range(layers):
        text = f"tanh(W{layer + 1}*{text})"

    def values(n: int) -> Values:
        weights = {f"W{k + 1}": normal(n, n) / n**0.5 for k in range(layers)}
        return {"x": normal(n), **weights}

    def function(xp: Any, x: Any, *weights: Any) -> Any:
        for weight in weights:
            x = xp.tanh(weight @ x)
        return xp.sum(x)

    def no_closed_form(**values: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    return Problem("deep net", f"sum({text})", "W1", (8, 16), values, function, no_closed_form)
