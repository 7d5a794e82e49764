"""Formulas as text and as LaTeX."""

from __future__ import annotations

import re
from fractions import Fraction

from curate.calculus.elementwise import MAPS
from curate.calculus.graph.node import Node, Number
from curate.calculus.show.formula import Formula, plain
from curate.calculus.show.notation import formula_of

_SUM, _PRODUCT, _POWER, _ATOM = range(4)
_LATEX = {
    **{entry.shown: entry.latex for entry in MAPS.values()},
    **{name: entry.latex for name, entry in MAPS.items()},
    "det": r"\det",
    "logdet": r"\log\det",
}
_LATEX_SYMBOLS = {"eye": r"\mathbb{I}"}
_GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "theta",
    "lambda",
    "mu",
    "nu",
    "rho",
    "sigma",
    "tau",
    "phi",
    "psi",
    "omega",
]


def text_of(node: Node) -> str:
    """The node's formula in the language that `parse` reads, as far as that goes."""
    return as_text(formula_of(node))


def latex_of(node: Node) -> str:
    """The node's formula in LaTeX."""
    return as_latex(formula_of(node))


def shortened(text: str, width: int) -> str:
    """The beginning of a text, for a ``repr`` of one line."""
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"


def as_text(formula: Formula) -> str:
    """In the matrix language."""
    return _text(formula)[0]


def _text(formula: Formula) -> tuple[str, int]:
    op, parts = formula
    if op == "name":
        return parts[0], _ATOM
    if op == "number":
        return _number(parts[0])
    if op == "call":
        function, *arguments = parts
        return f"{function}({', '.join(_text(a)[0] for a in arguments)})", _ATOM
    if op == "transpose":
        return _wrapped(parts[0], _ATOM) + "'", _ATOM
    if op == "item":
        return f"{_wrapped(parts[0], _ATOM)}[{parts[1]}]", _ATOM
    if op == "compare":
        symbol, one, two = parts
        return f"({_text(one)[0]} {symbol} {_text(two)[0]})", _ATOM
    if op in ("power", "elementwise_power"):
        base, exponent = _wrapped(parts[0], _ATOM), _wrapped(parts[1], _ATOM)
        return base + (" .^ " if op == "elementwise_power" else "^") + exponent, _POWER
    if op in ("times", "scaled", "elementwise_times"):
        symbol = " .* " if op == "elementwise_times" else "*"
        # x*(A*y) is (x*A)*y for matrices, but not for an elementwise factor among them
        first, *rest = (_inner(part, op) for part in parts)
        return symbol.join([first, *rest]), _PRODUCT
    return _sum(parts)


def _inner(part: Formula, op: str) -> str:
    same = part.op == op or (op == "scaled" and part.op == "times")
    return _text(part)[0] if same else _wrapped(part, _POWER)


def _wrapped(formula: Formula, least: int) -> str:
    text, level = _text(formula)
    return text if level >= least else f"({text})"


def _number(value: Number) -> tuple[str, int]:
    text = plain(value)
    if isinstance(value, Fraction):
        return text, _PRODUCT if value > 0 else _SUM
    return text, _ATOM if value >= 0 else _SUM


def _sum(terms: tuple[tuple[Number, Formula], ...]) -> tuple[str, int]:
    pieces: list[str] = []
    for coefficient, formula in terms:
        size = -coefficient if coefficient < 0 else coefficient
        if formula == Formula("number", (1,)):
            body = plain(size)
        elif size == 1:
            body = _wrapped(formula, _PRODUCT)
        else:
            text, level = _text(formula)
            joined = formula.op in ("times", "scaled") or level > _PRODUCT
            body = f"{plain(size)}*{text if joined else f'({text})'}"
        sign = "-" if coefficient < 0 else "+"
        pieces.append(f" {sign} {body}" if pieces else ("-" if sign == "-" else "") + body)
    level = _SUM if len(terms) > 1 or terms[0][0] < 0 else _PRODUCT
    return "".join(pieces), level


def as_latex(formula: Formula) -> str:
    """In LaTeX."""
    return _latex(formula)[0]


def _latex(formula: Formula) -> tuple[str, int]:
    op, parts = formula
    if op == "name":
        return _latex_name(parts[0]), _ATOM
    if op == "number":
        return _latex_number(parts[0]), _ATOM if parts[0] >= 0 else _SUM
    if op == "call":
        return _latex_call(*parts)
    if op == "transpose":
        return _latex_wrapped(parts[0], _ATOM) + r"^{\top}", _POWER
    if op == "item":
        return f"{_latex_wrapped(parts[0], _ATOM)}_{{{parts[1]}}}", _POWER
    if op == "compare":
        symbol, one, two = parts
        return f"\\left[{_latex(one)[0]} {_LATEX[symbol]} {_latex(two)[0]}\\right]", _ATOM
    if op in ("power", "elementwise_power"):
        exponent = _latex(parts[1])[0]
        hollow = r"\odot " if op == "elementwise_power" else ""
        return f"{_latex_wrapped(parts[0], _ATOM)}^{{{hollow}{exponent}}}", _POWER
    if op in ("times", "scaled", "elementwise_times"):
        symbol = r" \odot " if op == "elementwise_times" else r" \, "
        bodies = (
            _latex(part)[0]
            if part.op == op or (op == "scaled" and part.op == "times")
            else _latex_wrapped(part, _POWER)
            for part in parts
        )
        return symbol.join(bodies), _PRODUCT
    pieces: list[str] = []
    for coefficient, inner in parts:
        size = -coefficient if coefficient < 0 else coefficient
        body = _latex_wrapped(inner, _PRODUCT)
        if inner == Formula("number", (1,)):
            body = _latex_number(size)
        elif size != 1:
            body = f"{_latex_number(size)} \\, {body}"
        sign = "-" if coefficient < 0 else "+"
        pieces.append(f" {sign} {body}" if pieces else ("-" if sign == "-" else "") + body)
    return "".join(pieces), _SUM if len(parts) > 1 or parts[0][0] < 0 else _PRODUCT


def _latex_call(function: str, *arguments: Formula) -> tuple[str, int]:
    inner = ", ".join(_latex(argument)[0] for argument in arguments)
    if function == "inv":
        return f"{_latex_wrapped(arguments[0], _ATOM)}^{{-1}}", _POWER
    if function == "kron_tensor":
        return r" \otimes ".join(_latex_wrapped(a, _POWER) for a in arguments), _PRODUCT
    if function == "sqrt":
        return f"\\sqrt{{{inner}}}", _ATOM
    if function == "abs":
        return f"\\left|{inner}\\right|", _ATOM
    shown = _LATEX.get(function, rf"\operatorname{{{function}}}")
    return f"{shown}\\left({inner}\\right)", _ATOM


def _latex_wrapped(formula: Formula, least: int) -> str:
    text, level = _latex(formula)
    return text if level >= least else f"\\left({text}\\right)"


def _latex_number(value: Number) -> str:
    if isinstance(value, Fraction):
        sign = "-" if value < 0 else ""
        return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
    return plain(value)


def _latex_name(text: str) -> str:
    if text in _LATEX_SYMBOLS:
        return _LATEX_SYMBOLS[text]
    if text in _GREEK:
        return "\\" + text
    if text.startswith('"'):
        return rf"\text{{{text[1:-1].replace('->', '→')}}}"
    if re.fullmatch(r"\w+", text) and len(text) > 1 and not text.isdigit():
        return rf"\mathrm{{{text.replace('_', chr(92) + '_')}}}"
    return text
