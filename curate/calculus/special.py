"""Elementwise functions that generated programs call and torch lacks, or has less exactly."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def softplus(u: Tensor) -> Tensor:
    """``log(1 + exp u)``; torch's own threshold of 20 would cost 2e-9."""
    return torch.nn.functional.softplus(u, 1.0, 40.0)


def rsqrt_or_zero(u: Tensor) -> Tensor:
    """``u ** (-1/2)``, and 0 where u is 0."""
    return torch.where(u == 0, 0.0, torch.rsqrt(u))


def rsqrt_or_nan(u: Tensor) -> Tensor:
    """``u ** (-1/2)``, and NaN where u is 0."""
    return torch.where(u == 0, math.nan, torch.rsqrt(u))


def slope_or_nan(u: Tensor) -> Tensor:
    """The sign, and NaN where u is 0."""
    return torch.where(u == 0, math.nan, torch.sign(u))


def kink(u: Tensor) -> Tensor:
    """0, and NaN where u is 0 or NaN."""
    return torch.where(u == 0, math.nan, u - u)


def log_or_zero(u: Tensor) -> Tensor:
    """``log u``, and 0 where u is 0."""
    return torch.where(u == 0, 0.0, torch.log(u))


def log1mexp(u: Tensor) -> Tensor:
    """``log(1 - exp u)`` for u below 0 (Maechler, 2012)."""
    near = torch.log(-torch.expm1(u))
    return torch.where(u > -math.log(2), near, torch.log1p(-torch.exp(u)))


def logcosh(u: Tensor) -> Tensor:
    """``log(cosh u)``."""
    size = torch.abs(u)
    near = torch.log1p(2 * torch.sinh(torch.clamp(size, max=1.0) / 2) ** 2)
    return torch.where(size < 1, near, size + torch.log1p(torch.exp(-2 * size)) - math.log(2))


def bose(u: Tensor) -> Tensor:
    """``1 / (exp u - 1)``."""
    return 1 / torch.expm1(u)


def cloglog(u: Tensor) -> Tensor:
    """``log(1 - exp(-exp u))``; u itself where ``exp u`` vanishes."""
    return torch.where(u < -40, u, log1mexp(-torch.exp(u)))


def cloglog_slope(u: Tensor) -> Tensor:
    """Its derivative ``t / (exp t - 1)``, where ``t = exp u``."""
    t = torch.exp(torch.clamp(u, max=7.0))
    return torch.where(u < -40, 1.0, torch.where(u > 7, 0.0, t / torch.expm1(t)))


def cloglog_bend(u: Tensor) -> Tensor:
    """Its second derivative ``q (1 - t - q)``, with q the first."""
    t = torch.exp(torch.clamp(u, max=7.0))
    q = cloglog_slope(u)
    # near t = 0 the difference cancels: 1 - q is t/2 - t^2/12
    small = -t / 2 - t * t / 12 + t**4 / 720
    return q * torch.where(t < 0.05, small, 1 - t - q)


def anchor(u: Tensor) -> Tensor:
    """u, and 0 where it is infinite."""
    return torch.where(torch.isinf(u), 0.0, u)


def capped(u: Tensor) -> Tensor:
    """u up to a number whose exponential is large and finite."""
    return torch.clamp(u, max=math.log(torch.finfo(u.dtype).max) - 1)


def log_size(u: Tensor) -> Tensor:
    """``log |u|``."""
    return torch.log(torch.abs(u))


def mills(u: Tensor) -> Tensor:
    """The normal density over the normal distribution function."""
    return math.sqrt(2 / math.pi) / torch.special.erfcx(-u / math.sqrt(2))


def mills_excess(u: Tensor) -> Tensor:
    """``u + mills(u)``, by its asymptotic series where that cancels."""
    x = torch.clamp(-u, min=1.0)
    w = 1 / (x * x)
    series = (1 + w * (-2 + w * (10 + w * (-74 + w * (706 - 8162 * w))))) / x
    far = 60.0 if u.dtype == torch.float64 else 12.0
    return torch.where(u < -far, series, u + mills(u))


def xlogy(u: Tensor, v: Tensor) -> Tensor:
    """``u log v``, and 0 where u is 0."""
    return torch.special.xlogy(u, v)


def larger(u: Tensor, v: Tensor) -> Tensor:
    """The larger one of each pair."""
    return torch.maximum(u, v)


def maximum(u: Tensor, v: Tensor) -> Tensor:
    """The larger one of each pair."""
    return torch.maximum(u, v)


def exceeds(u: Tensor, v: Tensor) -> Tensor:
    """1 where u is larger, 1/2 where they are equal, else 0."""
    return (torch.gt(u, v).to(u.dtype) + torch.ge(u, v).to(u.dtype)) / 2


def greater(u: Tensor, v: Tensor) -> Tensor:
    """1 where u > v, else 0."""
    return torch.gt(u, v).to(u.dtype)


def at_least(u: Tensor, v: Tensor) -> Tensor:
    """1 where u >= v, else 0."""
    return torch.ge(u, v).to(u.dtype)


def equal(u: Tensor, v: Tensor) -> Tensor:
    """1 where u == v, else 0."""
    return torch.eq(u, v).to(u.dtype)


def differs(u: Tensor, v: Tensor) -> Tensor:
    """1 where u != v, else 0."""
    return torch.ne(u, v).to(u.dtype)


def where(condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """``yes`` where the condition is not 0, else ``no``."""
    return torch.where(condition != 0, yes, no)


def power_slope(u: Tensor, v: Tensor) -> Tensor:
    """``v u^(v-1)``, and 0 where v is 0."""
    return torch.where(v == 0, 0.0, v * torch.pow(u, v - 1))


def near_zero(
    u: Tensor,
    series: list[float],
    radius: float,
    far: Callable[[Tensor, Tensor | None], Tensor],
    v: Tensor | None = None,
) -> Tensor:
    """A power series where ``|u|`` is below the radius, elsewhere another function; in float64."""
    wide = u.double()
    near = torch.abs(wide) < radius
    small = torch.where(near, wide, 0.0)
    alternate = not any(series[1::2])  # an even function
    variable, total = small * small if alternate else small, torch.zeros_like(wide)
    for a in reversed(series[::2] if alternate else series):
        total = total * variable + a
    other = far(torch.where(near, radius, wide), None if v is None else v.double())
    return torch.where(near, total, other).to(u.dtype)


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    function.__name__: function  # type: ignore[attr-defined]
    for function in (
        softplus, logcosh, rsqrt_or_zero, rsqrt_or_nan, slope_or_nan, kink, log_or_zero, log1mexp,
        bose, cloglog, cloglog_slope, cloglog_bend, anchor, capped, log_size, mills, mills_excess,
        xlogy, larger, power_slope, maximum, exceeds, greater, at_least, equal, differs, where,
        near_zero,
    )
}  # fmt: skip
