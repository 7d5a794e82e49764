"""Formulas in matrix notation: plain data, and their constructors."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from curate.calculus.graph.node import Number

LETTERS = "ijklmnopqrstuvwxyzabcdefgh"


class Formula(NamedTuple):
    """A formula: an operation on formulas, names and numbers."""

    op: str
    parts: tuple[Any, ...]


def name(text: str) -> Formula:
    """A name or anything that stands for itself."""
    return Formula("name", (text,))


def call(function: str, *arguments: Formula) -> Formula:
    """A function of arguments."""
    return Formula("call", (function, *arguments))


def transposed(formula: Formula) -> Formula:
    """The transpose, twice being none."""
    if formula.op == "transpose":
        return formula.parts[0]
    if formula.op == "call" and formula.parts[0] == "diag":
        return formula
    if formula.op == "times":
        return times(*(transposed(part) for part in reversed(formula.parts)))
    if formula.op == "sum" and len(formula.parts) == 1:
        ((coefficient, inner),) = formula.parts
        return Formula("sum", ((coefficient, transposed(inner)),))
    return Formula("transpose", (formula,))


def times(*factors: Formula) -> Formula:
    """A matrix product."""
    return Formula("times", factors)


def plain(value: Number) -> str:
    """A number as text."""
    return str(value) if isinstance(value, int | Fraction) else repr(float(value))
