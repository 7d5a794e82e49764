"""Calls of functions in a text: which there are, and what their arguments are."""

from __future__ import annotations

import difflib
from typing import Any, NamedTuple

from curate.calculus.errors import CalculusError, ParseError
from curate.calculus.expression import Expression, as_expression
from curate.calculus.graph import algebra, patterns
from curate.calculus.graph.node import Dim
from curate.calculus.graph.sizes import added, multiplied
from curate.calculus.graph.sums import size
from curate.calculus.language import functions
from curate.calculus.language.names import (
    ARGUMENTS,
    AXIS,
    FUNCTIONS,
    HIDDEN,
    INSTEAD,
    KEEP_ROWS,
    PRINTED,
    SIZED,
    SPELLINGS,
)
from curate.calculus.operators import axis_of, same_sizes
from curate.calculus.rules import reductions, spectral
from curate.calculus.rules.elementary import elementary
from curate.calculus.rules.minors import minors


class Value(NamedTuple):
    """An operand: a row is a vector that was transposed."""

    expression: Expression
    row: bool = False

    @property
    def order(self) -> int:
        """The number of axes."""
        return self.expression.order


def called(reader: Any, tree: Any) -> Value:
    """The value of a call, ``reader`` being what reads the rest of the text.

    Raises:
        ParseError: no such function; with the one that is meant, where that can be guessed.
        CalculusError: another number of arguments, or one of the wrong kind.
    """
    token, *given = (child for child in tree.children if child is not None)
    name = SPELLINGS.get(str(token), str(token))
    arguments = [a for a in given if getattr(a, "data", "") != "keyword"]
    keywords = {str(a.children[0]): a.children[1] for a in given if a not in arguments}
    if name == "transpose" and len(arguments) == 1:
        return reader.transposed(reader.value(arguments[0]))
    if name in PRINTED and len(arguments) == 1:
        inner, row = reader.value(arguments[0])
        return Value(inner.with_node(elementary(name, inner.node)), row)
    if name in HIDDEN:
        return Value(_with_sizes(reader, _hidden(reader, name, arguments), arguments))
    if name not in FUNCTIONS and name not in SIZED:
        raise ParseError(_unknown(name), reader.text, token.start_pos)
    if set(keywords) - ({"axis"} if name in AXIS else set()):
        raise CalculusError(f"{name}: takes no {sorted(keywords)[0]}=")
    least, most = ARGUMENTS.get(name, (1, 2 if name in AXIS else 1))
    if not least <= len(arguments) <= most:
        between = "or" if most == least + 1 else "to"
        takes = f"{least} argument(s)" if least == most else f"{least} {between} {most} arguments"
        if most > 9:
            takes = f"{least} or more arguments"
        raise CalculusError(f"{name}: takes {takes}, {len(arguments)} given")
    if name in SIZED:
        result, row = _sized(reader, name, arguments)
        return Value(_with_sizes(reader, result, arguments), row)
    axis = keywords.get("axis")
    if name in AXIS and name not in ("max", "min") and len(arguments) == 2:
        *arguments, axis = arguments
    values = [reader.value(argument) for argument in arguments]
    return _plain(reader, name, values, axis)


def _plain(reader: Any, name: str, values: list[Value], axis: Any) -> Value:
    operands = [value.expression for value in values]
    function = getattr(functions, name)
    row = values[0].row
    if name in ("max", "min", "logaddexp", "where", "xlogy") and len(values) > 1:
        rows = {value.row for value in values if value.order == 1}
        if len(rows) > 1:
            raise CalculusError(f"{name}: a row vector beside a column vector; transpose one")
        return Value(function(*operands), row=True in rows)
    if axis is not None:
        place = reader.whole_number(axis, "axis")
        if row:
            place = 0 if place in (1, -1) else place
        result = function(operands[0], axis=place)
        return Value(result, row=row and result.order == 1)
    result = function(*operands)
    keeps = name in KEEP_ROWS and result.order == values[0].order == 1
    return Value(result, row=row and keeps)


def _sized(reader: Any, name: str, arguments: list[Any]) -> Value:
    """Functions of which some arguments are sizes or whole numbers."""
    if name in ("eye", "zeros"):
        sizes = [_dim(reader, argument) for argument in arguments]
        if name == "eye":
            return Value(functions.eye(*sizes))
        return Value(as_expression(0).with_node(algebra.zero(tuple(sizes))))
    if name == "size":
        return _size(reader, arguments)
    first, *rest = arguments
    operand, row = reader.value(first)
    if name in ("vector", "matrix"):
        return Value(getattr(functions, name)(operand, *(_dim(reader, r) for r in rest)))
    if name == "reshape":
        return Value(functions.reshape(operand, *(_dim(reader, r) for r in rest)))
    numbers = [reader.whole_number(r, "diagonal" if name[:3] == "tri" else "axis") for r in rest]
    result = getattr(functions, name)(operand, *numbers)
    return Value(result, row)


def _hidden(reader: Any, name: str, arguments: list[Any]) -> Expression:
    """What occurs in printed derivatives only."""
    if len(arguments) < 2:
        raise CalculusError(f"{name}: takes 2 or more arguments, {len(arguments)} given")
    if name.endswith("_pattern"):
        kind = name.removesuffix("_pattern")
        if kind == "lower":
            diagonal = reader.whole_number(arguments[0])
            rows, columns = (_dim(reader, argument) for argument in arguments[1:])
            made = patterns.lower(rows, columns, diagonal)
        else:
            made = getattr(patterns, kind)(*(_dim(reader, a) for a in arguments))
        return as_expression(0).with_node(made)
    operand = reader.value(arguments[0]).expression
    number = reader.whole_number(arguments[1])
    u = operand.node
    if name == "peaks":
        node = reductions.peaks(reductions.maximum(u, number))
    elif name == "others":
        node = reductions.others(u, number)
    elif name == "minors":
        node = minors(u, number)
    elif name == "polar":
        node = spectral.polar(u, number)
    else:
        node = spectral.spectral(u, name.partition("m_")[0], number)
    return operand.with_node(node)


def _with_sizes(reader: Any, result: Expression, arguments: list[Any]) -> Expression:
    """The result, over the variables that are named in sizes, too: they follow from these."""
    named = [
        reader.value(call.children[1]).expression
        for argument in arguments
        for call in argument.find_data("call")
        if str(call.children[0]) == "size" and len(call.children) == 3
    ]
    if not named:
        return result
    sized, _ = same_sizes((result, *named), [], "size")
    return as_expression(sized[0])


def _size(reader: Any, arguments: list[Any]) -> Value:
    """``size(x, 0)``, the length of an axis, and ``size(n)``, n being the symbol of a size."""
    if len(arguments) == 1:
        return Value(as_expression(0).with_node(size(_dim(reader, arguments[0]))))
    operand = reader.value(arguments[0]).expression
    dim = operand.shape[_axis(reader, operand, arguments[1])]
    return Value(operand.with_node(size(dim)))


def _axis(reader: Any, operand: Expression, tree: Any) -> int:
    return axis_of(operand, reader.whole_number(tree, "axis"), "size")


def _dim(reader: Any, tree: Any) -> Dim:
    """A size: a whole number, a symbol, ``size(x, 0)``, or sums and products of these."""
    text = reader.source(tree)
    if text.isdigit():
        return int(text)
    if tree.data == "name":
        return text
    if tree.data in ("plus", "minus", "times"):
        one, two = (_dim(reader, child) for child in tree.children)
        if tree.data == "times":
            return multiplied(one, two)
        return added(one, two if tree.data == "plus" else multiplied(-1, two))
    if tree.data == "call" and str(tree.children[0]) == "size":
        _, first, *rest = tree.children
        if not rest:
            return _dim(reader, first)
        operand = reader.value(first).expression
        return operand.shape[_axis(reader, operand, rest[0])]
    raise CalculusError(
        f"size {text!r}: a whole number or the symbol of a size is needed, or size(x, 0)"
    )


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, FUNCTIONS, 3, 0.6)
    hint = INSTEAD.get(name.lower(), f"do you mean {' or '.join(close)}?" if close else "")
    known = f"known are {', '.join(FUNCTIONS)}"
    return f"no function {name!r}; {f'{hint}; ' if hint else ''}{known}"
