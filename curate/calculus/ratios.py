"""Maps over their arguments, smooth where the argument is 0: values, series, stand-alone code.

``f_ratio0(u)`` is ``f(u) / u``, ``f_inverse0(u)`` is ``u / f(u)``, and ``f_over0(s)`` is
``f(r) / r`` with ``s = r^2`` for odd f; a higher number is that derivative of it. Near 0 they are
summed as series, elsewhere derived from the quotient, which cancels no digits there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

ODD = ("tanh", "sinh", "tan", "arctan", "arcsin", "arcsinh", "arctanh", "erf")
"""Maps f for which ``f(r) / r`` is a smooth function of ``s = r^2``; so it is for the sine."""
RATIOS = (*ODD, "sin", "expm1", "log1p")
"""Maps f for which ``f(u) / u`` is a smooth function of u."""
ORDERS = 7
_TERMS, _NEAR = 40, 0.25
_RADIUS = {"sin": 1.0, "sinh": 1.0, "erf": 1.0, "expm1": 1.0}
_RADIUS_OF_OTHERS = 0.35
_RADIUS_OF_INVERSES = 0.6
_SLOPES = {
    "tanh": "1 - xp.tanh(r) ** 2", "sinh": "xp.cosh(r)", "tan": "1 + xp.tan(r) ** 2",
    "arctan": "1 / (1 + r * r)", "arctanh": "1 / (1 - r * r)", "arcsin": "(1 - r * r) ** -0.5",
    "arcsinh": "(1 + r * r) ** -0.5", "erf": "1.1283791670955126 * xp.exp(-r * r)",
    "sin": "xp.cos(r)", "expm1": "xp.exp(r)", "log1p": "1 / (1 + r)",
}  # fmt: skip
"""The derivatives of the maps, in stand-alone code."""


@functools.lru_cache
def _odd_series(name: str) -> list[float]:
    """The coefficients a of ``f(r) = r (a_0 + a_1 r^2 + a_2 r^4 + ...)``."""
    if name in ("tan", "tanh"):  # f' = 1 + f^2, and 1 - f^2
        a = [1.0]
        for k in range(1, _TERMS):
            a.append(sum(a[i] * a[k - 1 - i] for i in range(k)) / (2 * k + 1))
    else:
        first = {
            "sin": lambda k: math.factorial(2 * k) ** -1.0,
            "sinh": lambda k: math.factorial(2 * k) ** -1.0,
            "erf": lambda k: 2 / math.sqrt(math.pi) / math.factorial(k),
            "arcsin": lambda k: math.comb(2 * k, k) / 4.0**k,
            "arcsinh": lambda k: math.comb(2 * k, k) / 4.0**k,
        }.get(name, lambda k: 1.0)
        a = [first(k) / (2 * k + 1) for k in range(_TERMS)]
    alternates = name in ("sin", "tanh", "arctan", "arcsinh", "erf")
    return [-x if alternates and k % 2 else x for k, x in enumerate(a)]


@functools.lru_cache
def _ratio_series(name: str) -> list[float]:
    """The coefficients a of ``f(u) = u (a_0 + a_1 u + a_2 u^2 + ...)``."""
    if name == "expm1":
        return [1 / math.factorial(k + 1) for k in range(_TERMS)]
    if name == "log1p":
        return [(-1) ** k / (k + 1) for k in range(_TERMS)]
    return [0.0 if k % 2 else _odd_series(name)[k // 2] for k in range(_TERMS)]


@functools.lru_cache
def _inverse_series(name: str) -> list[float]:
    """The coefficients b of ``u = f(u) (b_0 + b_1 u + b_2 u^2 + ...)``."""
    a = _ratio_series(name)
    b = [1 / a[0]]
    for k in range(1, _TERMS):
        b.append(-sum(a[i] * b[k - i] for i in range(1, k + 1)) / a[0])
    return b


def _over(name: str, n: int, s: Tensor) -> Tensor:
    """The n-th derivative by ``s = r^2`` of ``f(r) / r``."""
    function = getattr(torch, name)
    return _derived(
        lambda far: function(torch.sqrt(far)) / torch.sqrt(far), n, s, s < _NEAR, _odd_series(name)
    )


def _ratio(name: str, n: int, u: Tensor) -> Tensor:
    """The n-th derivative by u of ``f(u) / u``."""
    function = getattr(torch, name)
    near = torch.abs(u) < _RADIUS.get(name, _RADIUS_OF_OTHERS)
    return _derived(lambda far: function(far) / far, n, u, near, _ratio_series(name))


def _inverse(name: str, n: int, u: Tensor) -> Tensor:
    """The n-th derivative by u of ``u / f(u)``."""
    function = getattr(torch, name)
    quotient = _STEADY.get(name, lambda far: far / function(far))
    near = torch.abs(u) < min(_RADIUS.get(name, _RADIUS_OF_OTHERS), _RADIUS_OF_INVERSES)
    return _derived(quotient, n, u, near, _inverse_series(name))


def _over_expm1(u: Tensor) -> Tensor:
    """``u / expm1(u)`` where the exponential overflows, too."""
    size = torch.abs(u)
    return size * torch.exp(-size) / -torch.expm1(-size) + torch.relu(-u)


def _over_sinh(u: Tensor) -> Tensor:
    """``u / sinh(u)`` where the exponential overflows, too."""
    size = torch.abs(u)
    return 2 * size * torch.exp(-size) / -torch.expm1(-2 * size)


_STEADY = {"expm1": _over_expm1, "sinh": _over_sinh}


def _derived(
    quotient: Callable[[Tensor], Tensor], n: int, u: Tensor, near: Tensor, coefficients: list[float]
) -> Tensor:
    """The n-th derivative of the quotient, by the series where u is near 0."""
    small = torch.where(near, u, 0.0)
    series = torch.zeros_like(u)
    for k in range(_TERMS - 1, n - 1, -1):
        series = series * small + coefficients[k] * math.perm(k, n)
    with torch.inference_mode(False), torch.enable_grad():
        far = torch.where(near, 1.0, u).clone().requires_grad_()
        ratio = quotient(far)
        for _ in range(n):
            (ratio,) = torch.autograd.grad(ratio.sum(), far, create_graph=True)
    return torch.where(near, series, ratio.detach())


NAMES = {"over": ODD, "ratio": RATIOS, "inverse": RATIOS}
SERIES = {"over": _odd_series, "ratio": _ratio_series, "inverse": _inverse_series}
_VALUES = {"over": _over, "ratio": _ratio, "inverse": _inverse}
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    f"{name}_{kind}{n}": functools.partial(_VALUES[kind], name, n)
    for kind, names in NAMES.items()
    for name in names
    for n in range(ORDERS)
}


def _over_code(name: str, n: int) -> str | None:
    """``f_over0`` or its first derivative in stand-alone code; None for higher ones."""
    slope = f", lambda r: {_SLOPES[name]}" if n else ""
    return f"over({_call(name)}, {_odd_series(name)[:14]}, {{0}}{slope})" if n < 2 else None


def _ratio_code(name: str, n: int) -> str | None:
    """``f_ratio0`` or its first derivative in stand-alone code; None for higher ones."""
    call, slope = _call(name), _SLOPES[name]
    far = [f"{call}(r) / r", f"({slope} - {call}(r) / r) / r"]
    return _near_zero(_ratio_series(name), far, n)


def _inverse_code(name: str, n: int) -> str | None:
    """``f_inverse0`` or its first derivative in stand-alone code; None for higher ones."""
    call, slope = _call(name), _SLOPES[name]
    far = [f"r / {call}(r)", f"(1 - r / {call}(r) * ({slope})) / {call}(r)"]
    return _near_zero(_inverse_series(name), far, n)


CODE = {"over": _over_code, "ratio": _ratio_code, "inverse": _inverse_code}


def _near_zero(series: list[float], far: list[str], n: int) -> str | None:
    """A call of the helper that sums the series near 0 and goes by ``far`` elsewhere."""
    if n >= len(far):
        return None
    derived = [k * a for k, a in enumerate(series)][1:] if n else series
    return f"near_zero({{0}}, {derived[:23]}, 0.2, lambda r: {far[n]})"


def _call(name: str) -> str:
    return "special.erf" if name == "erf" else f"xp.{name}"
