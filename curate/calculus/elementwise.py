"""Elementwise maps: one entry each, with all that is known of it. A new map is a line here.

Those that a text may hold are listed in language/names.py, and in language/functions.py for Python.
The others occur in derivatives. `step` is the derivative of relu, `slope` that of abs, 0 at 0, and
`kink` that of slope: 0, but NaN at 0. `root` and `rsqrt_or_zero` are ``s^(1/2)`` of a sum of
squares, and ``s^(-1/2)`` that is 0 at 0, so that the first derivative of norm2 at 0 is 0; higher
ones there are NaN (rules/singular.py). `log_or_zero` is the logarithm that is 0 at 0, as the
derivative of ``x^y`` by y needs it. `mills` is the normal density over the distribution, and
``mills_excess(u)`` is ``mills(u) + u``; ``bose(u)`` is ``1/(exp(u) - 1)``; ``cloglog(u)`` is
``log(1 - exp(-exp(u)))``. `anchor`, `capped` and `log_size` are those of rules/mixtures.py.

Conventions at kinks: the first derivatives of abs and norm2 at 0 are 0, and higher ones are NaN
there, unless the whole has a limit; those of relu are the ones from the left, 0; sign has the
derivative 0 everywhere. (JAX has d|x|/dx = 1 at 0, torch 0.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from curate.calculus.special import FUNCTIONS

Slope = Callable[..., Any]
_HALF = Fraction(1, 2)


class Map(NamedTuple):
    """What is known of a map.

    Attributes:
        slope: its derivative, of an `Element` (rules/maps.py) or one by each of several, or the
            number that it is; None where none is known.
        torch: the call in generated programs, torch's or that of special.py of the same name where
            "" is given; ``{out}`` is where an ``out=`` goes.
        numpy: the same for small arrays (``{c[1.0]}`` is a number as an array); "" where numpy has
            no faster one.
        slow: whether numpy has no vector instructions for it.
        code: the call in stand-alone code, ``xp`` being the module; that of the same name where ""
            is given, None where there is none.
        needs: the helper functions (show/code_text.py) and modules that the code calls.
        shown: its name in print, or the operator.
        latex: its name in LaTeX.
        zero: its value at 0, where that is a number worth knowing.
        sign: 1 where it is positive, 0 where it is never negative, None where it may be.
        printed: whether a printed derivative may hold it, and so a text.
    """

    slope: Slope | int | None = None
    torch: str = ""
    numpy: str = ""
    slow: bool = False
    code: str | None = ""
    needs: tuple[str, ...] = ()
    shown: str = ""
    latex: str = ""
    zero: Any = None
    sign: int | None = None
    printed: bool = False


def _bell(factor: float) -> Slope:
    return lambda u: factor * (-(u * u)).exp()


def _special(name: str, operands: int = 1) -> dict[str, Any]:
    """The code where the module of special functions has the map."""
    arguments = ", ".join(f"{{{k}}}" for k in range(operands))
    return {"code": f"special.{name}({arguments})", "needs": ("special",)}


def _helper(name: str) -> dict[str, Any]:
    """The code where a helper of the same name is written."""
    return {"code": f"{name}({{0}})", "needs": (name,)}


def _compared(name: str, symbol: str, latex: str) -> Map:
    code = f"xp.where({{0}} {symbol} {{1}}, 1.0, 0.0)"
    return Map(0, f"{name}({{0}}, {{1}})", code=code, shown=symbol, latex=latex)


def _polygamma(n: int) -> Slope:
    return lambda u: getattr(u, f"polygamma{n + 1}")()


_MAPS = {
    "sin": Map(lambda u: u.cos(), numpy="sin({0}{out})", slow=True, latex=r"\sin", zero=0),
    "cos": Map(lambda u: -u.sin(), numpy="cos({0}{out})", slow=True, latex=r"\cos", zero=1),
    "tan": Map(
        lambda u: 1 + u.tan() ** 2, numpy="tan({0}{out})", slow=True, latex=r"\tan", zero=0
    ),
    "arcsin": Map(
        lambda u: (1 - u * u) ** -_HALF, "torch.asin({0}{out})", "arcsin({0}{out})", True,
        latex=r"\arcsin", zero=0,
    ),
    "arccos": Map(
        lambda u: -((1 - u * u) ** -_HALF), "torch.acos({0}{out})", "arccos({0}{out})", True,
        latex=r"\arccos",
    ),
    "arctan": Map(
        lambda u: (1 + u * u) ** -1, "torch.atan({0}{out})", "arctan({0}{out})", True,
        latex=r"\arctan", zero=0,
    ),
    "tanh": Map(lambda u: 1 - u.tanh() ** 2, numpy="tanh({0}{out})", latex=r"\tanh", zero=0),
    "sinh": Map(lambda u: u.cosh(), zero=0),
    "cosh": Map(lambda u: u.sinh(), zero=1, sign=1),
    "arcsinh": Map(lambda u: (1 + u * u) ** -_HALF, "torch.asinh({0}{out})", zero=0),
    "arccosh": Map(lambda u: (-1 + u * u) ** -_HALF, "torch.acosh({0}{out})"),
    "arctanh": Map(lambda u: (1 - u * u) ** -1, "torch.atanh({0}{out})", zero=0),
    "exp": Map(lambda u: u.exp(), numpy="exp({0}{out})", latex=r"\exp", zero=1, sign=1),
    "expm1": Map(lambda u: u.exp(), zero=0),
    "log": Map(lambda u: u**-1, numpy="log({0}{out})", latex=r"\log"),
    "log1p": Map(lambda u: (1 + u) ** -1, zero=0),
    "log_or_zero": Map(
        lambda u: u**-1, code="xp.where({0} == 0, 0.0, xp.log(xp.where({0} == 0, 1.0, {0})))",
        shown="log", zero=0,
    ),
    "abs": Map(lambda u: u.slope(), numpy="absolute({0}{out})", zero=0, sign=0),
    "slope": Map(
        lambda u: u.kink(), "torch.sign({0}{out})", "sign({0}{out})", code="xp.sign({0})",
        shown="sign", zero=0,
    ),
    "slope_or_nan": Map(
        lambda u: u.kink(), code="xp.where({0} == 0, float('nan'), xp.sign({0}))", shown="sign"
    ),
    "kink": Map(
        lambda u: u.kink(), code="xp.where({0} == 0, float('nan'), 0 * {0})", printed=True
    ),
    "sign": Map(0, numpy="sign({0}{out})", zero=0),
    "relu": Map(
        lambda u: u.step(), "torch.relu({0})", "maximum({0}, 0.0)",
        code="xp.where({0} > 0, {0}, 0.0)", zero=0, sign=0,
    ),
    "step": Map(
        0, "torch.gt({0}, 0).to({0}.dtype)", "greater({0}, 0).astype(dtype)",
        code="xp.where({0} > 0, 1.0, 0.0)", zero=0, sign=0,
    ),
    "sigmoid": Map(
        lambda u: u.sigmoid() * (-u).sigmoid(),
        numpy="divide({c[1.0]}, add({c[1.0]}, exp(negative({0}))){out})",
        code="xp.exp(-softplus(-{0}))", needs=("softplus",), zero=_HALF, sign=1,
    ),
    "softplus": Map(
        lambda u: u.sigmoid(), numpy="logaddexp({0}, 0.0)", slow=True, **_helper("softplus"),
        zero=math.log(2), sign=1,
    ),
    "logcosh": Map(
        lambda u: u.tanh(), code="abs({0}) + xp.log1p(xp.exp(-2 * abs({0}))) - 0.6931471805599453",
        zero=0, printed=True,
    ),
    "root": Map(
        lambda u: _HALF * u.rsqrt_or_zero(), "torch.sqrt({0}{out})", "sqrt({0}{out})",
        code="xp.sqrt({0})", shown="sqrt", zero=0, sign=0,
    ),
    "rsqrt_or_zero": Map(
        lambda u: -_HALF * u.rsqrt_or_zero() ** 3,
        code="xp.where({0} == 0, 0.0, 1 / xp.sqrt(xp.where({0} == 0, 1.0, {0})))", zero=0, sign=0,
    ),
    "rsqrt_or_nan": Map(
        lambda u: -_HALF * u.rsqrt_or_nan() ** 3,
        code="xp.where({0} == 0, float('nan'), 1 / xp.sqrt({0}))",
    ),
    "erf": Map(
        _bell(2 / math.sqrt(math.pi)), "torch.special.erf({0}{out})", **_special("erf"),
        zero=0,
    ),
    "erfc": Map(
        _bell(-2 / math.sqrt(math.pi)), "torch.special.erfc({0}{out})", **_special("erfc"),
        zero=1, sign=1,
    ),
    "log_ndtr": Map(
        lambda u: u.mills(), "torch.special.log_ndtr({0}{out})", **_special("log_ndtr")
    ),
    "mills": Map(
        lambda u: -(u.mills() * u.mills_excess()),
        code="xp.exp(-0.5 * {0} * {0} - special.log_ndtr({0})) / 2.5066282746310002",
        needs=("special",), sign=1, printed=True,
    ),
    "mills_excess": Map(
        lambda u: 1 - u.mills() * u.mills_excess(), code=None, sign=1, printed=True
    ),
    "log1mexp": Map(
        lambda u: -(-u).bose(),
        code="xp.where({0} > -0.6931, xp.log(-xp.expm1({0})), xp.log1p(-xp.exp({0})))",
        printed=True,
    ),
    "bose": Map(lambda u: -(u.bose() + u.bose() ** 2), code="1 / xp.expm1({0})", printed=True),
    "cloglog": Map(lambda u: u.cloglog_slope(), **_helper("cloglog"), printed=True),
    "cloglog_slope": Map(lambda u: u.cloglog_bend(), **_helper("cloglog_slope"), printed=True),
    "cloglog_bend": Map(code=None, printed=True),
    "lgamma": Map(lambda u: u.digamma(), **_special("gammaln")),
    "digamma": Map(
        lambda u: u.polygamma1(), "torch.special.digamma({0}{out})", **_special("digamma")
    ),
    "anchor": Map(0, code="xp.where(xp.isinf({0}), 0.0, {0})"),
    "log_size": Map(0, code="xp.log(xp.abs({0}))"),  # inside anchors only
    "capped": Map(1, code="xp.where({0} > cap({0}), cap({0}), {0})", needs=("cap",)),
    "pow": Map(
        lambda u, v: (u.power_slope(v), u.log_or_zero() * u.pow(v)), "torch.pow({0}, {1}{out})",
        "power({0}, {1}{out})", True, code="{0} ** {1}",
    ),
    "power_slope": Map(
        lambda u, v: (
            v * u.power_slope(v - 1), u.pow(v - 1) + v * u.log_or_zero() * u.pow(v - 1),
        ),
        "power_slope({0}, {1})", code="xp.where({1} == 0, 0.0, {1} * {0} ** ({1} - 1))",
    ),
    "xlogy": Map(
        lambda u, v: (v.log(), u * v**-1), "xlogy({0}, {1})", **_special("xlogy", 2)
    ),
    "larger": Map(0, "larger({0}, {1})", code="xp.maximum({0}, {1})"),  # inside anchors only
    "maximum": Map(
        lambda u, v: (u.exceeds(v), v.exceeds(u)), "maximum({0}, {1})",
        code="xp.maximum({0}, {1})", shown="max",
    ),
    "exceeds": Map(
        0, "exceeds({0}, {1})",
        code="xp.where({0} > {1}, 1.0, xp.where({0} == {1}, 0.5, 0.0))",
    ),
    "greater": _compared("greater", ">", ">"),
    "at_least": _compared("at_least", ">=", r"\geq"),
    "equal": _compared("equal", "==", "="),
    "differs": _compared("differs", "!=", r"\neq"),
    "where": Map(None, "where({0}, {1}, {2})", code="xp.where({0} != 0, {1}, {2})"),
}  # fmt: skip
_MAPS |= {
    f"polygamma{n}": Map(
        _polygamma(n) if n < 9 else None, f"torch.polygamma({n}, {{0}}{{out}})",
        code=f"special.polygamma({n}, {{0}})", needs=("special",), printed=True,
    )
    for n in range(1, 10)
}  # fmt: skip


def _complete(name: str, entry: Map) -> Map:
    """The entry with what follows from the name."""
    own = name in FUNCTIONS
    return entry._replace(
        torch=entry.torch or (f"{name}({{0}})" if own else f"torch.{name}({{0}}{{out}})"),
        code=f"xp.{name}({{0}})" if entry.code == "" else entry.code,
        shown=entry.shown or name,
        latex=entry.latex or rf"\operatorname{{{entry.shown or name}}}",
    )


MAPS = {name: _complete(name, entry) for name, entry in _MAPS.items()}
