"""From a text in the matrix language to an expression."""

from __future__ import annotations

import functools
import keyword
from typing import Any

from curate.calculus.errors import CalculusError, ParseError, ShapeError, number_hint
from curate.calculus.expression import Expression, as_expression
from curate.calculus.graph.algebra import constant_value
from curate.calculus.graph.sizes import shown
from curate.calculus.language import functions
from curate.calculus.language.calls import Value, called
from curate.calculus.language.grammar import parser
from curate.calculus.language.kinds import default_kind, variable
from curate.calculus.language.names import FUNCTIONS as FUNCTIONS
from curate.calculus.operators import compared, elementwise, item, matmul


def parse(text: str, /, **kinds: Any) -> Expression:
    """Read an expression in the matrix language of matrixcalculus.org.

    ``*`` is the matrix product, ``.* ./ .^`` are elementwise, ``'`` transposes, ``^`` is a power
    of a scalar or of a square matrix. A scalar beside a vector or matrix counts for every
    element.

    Args:
        text: such as ``"sum(log(exp(-y.*(X*w)) + vector(1)))"``.
        **kinds: of the variables that are not as the defaults have them (names that begin with
            a–g: scalar, h–z: vector, A–Z: matrix): ``A="symmetric matrix"``,
            ``T="tensor(3)"``, ``X="matrix(m, n)"``.

    Raises:
        ParseError: no expression; the message points at the character.
        ShapeError: operands that do not fit; the message names them, their shapes, their place.
        CalculusError: a kind that does not exist, or one for a name that is not in the text.
    """
    if not isinstance(text, str):
        raise CalculusError(f"text: a string is needed, not {type(text).__name__}")
    kinds = {
        name[:-1] if keyword.iskeyword(name[:-1]) and name not in text else name: kind
        for name, kind in kinds.items()
    }
    if all(isinstance(kind, str) for kind in kinds.values()):
        return _cached(text, tuple(sorted(kinds.items())))
    return _parse(text, kinds)


@functools.lru_cache(maxsize=512)
def _cached(text: str, kinds: tuple[tuple[str, str], ...]) -> Expression:
    """The same text gives the same object, with the derivatives and programs that it holds."""
    return _parse(text, dict(kinds))


def _parse(text: str, kinds: dict[str, Any]) -> Expression:
    from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken

    try:
        tree = parser().parse(text)
    except UnexpectedToken as error:
        if error.token.type == "$END":
            raise ParseError("the expression ends too early", text, len(text)) from None
        raise ParseError(
            f"unexpected {str(error.token)!r}", text, error.pos_in_stream or 0
        ) from None
    except UnexpectedCharacters as error:
        found = text[error.pos_in_stream or 0]
        raise ParseError(f"unexpected {found!r}", text, error.pos_in_stream or 0) from None
    except UnexpectedEOF:
        raise ParseError("the expression ends too early", text, len(text)) from None
    reader = _Reader(text, kinds)
    value = reader.value(tree)
    unused = set(kinds) - reader.names
    if unused:
        raise CalculusError(f"{sorted(unused)}: declared, but not in the text {text!r}")
    return value.expression


class _Reader:
    def __init__(self, text: str, kinds: dict[str, Any]) -> None:
        self.text, self.kinds = text, kinds
        self.names: set[str] = set()

    def source(self, tree: Any) -> str:
        """The piece of the text that a subtree was read from."""
        return self.text[tree.meta.start_pos : tree.meta.end_pos]

    def value(self, tree: Any) -> Value:
        """Evaluate a subtree."""
        try:
            return getattr(self, tree.data)(tree)
        except ParseError:
            raise
        except CalculusError as error:
            raise _with_position(error, self.text, tree) from error

    def number(self, tree: Any) -> Value:
        token = str(tree.children[0])
        return Value(as_expression(int(token) if token.isdigit() else float(token)))

    def name(self, tree: Any) -> Value:
        name = str(tree.children[0])
        if name == "eye" and name not in self.kinds:
            return Value(functions.eye())
        kind = self.kinds.get(name, default_kind(name))
        if kind is None:
            raise CalculusError(f"{name}: declare its kind, as {name}='vector'")
        self.names.add(name)
        return Value(variable(name, kind))

    def call(self, tree: Any) -> Value:
        return called(self, tree)

    def contraction(self, tree: Any) -> Value:
        token, spec, *arguments = tree.children
        if str(token) != "einsum":
            raise CalculusError(f"{token}: takes no text; einsum does")
        operands = [self.value(argument).expression for argument in arguments]
        return Value(functions.einsum(str(spec)[1:-1], *operands))

    def compare(self, tree: Any) -> Value:
        one, symbol, two = tree.children
        a, b = self.value(one), self.value(two)
        if a.order and b.order and (a.order != b.order or a.row != b.row):
            raise self._misfit(tree, str(symbol), a, b)
        result = compared(str(symbol), a.expression, b.expression)
        return Value(as_expression(result), a.row or b.row)

    def item(self, tree: Any) -> Value:
        operand, *keys = tree.children
        value = self.value(operand)
        places = tuple(self._key(key) for key in keys)
        result = item(value.expression, places if len(places) > 1 else places[0])
        row = value.row if value.order == 1 else isinstance(places[0], int)
        return Value(as_expression(result), row and result.order == 1)

    def _key(self, key: Any) -> int | slice:
        ends = [None if end is None else self.whole_number(end) for end in key.children]
        return slice(*ends) if key.data == "slice" else ends[0]  # type: ignore[return-value]

    def whole_number(self, tree: Any, what: str = "index") -> int:
        """The number that a subtree is.

        Raises:
            CalculusError: it is something else.
        """
        expression = self.value(tree).expression
        number = constant_value(expression.node) if expression.order == 0 else None
        if not isinstance(number, int):
            raise CalculusError(f"{what} {self.source(tree)!r}: a whole number is needed")
        return number

    def negative(self, tree: Any) -> Value:
        operand, row = self.value(tree.children[0])
        return Value(-operand, row)

    def transpose(self, tree: Any) -> Value:
        return self.transposed(self.value(tree.children[0]))

    def transposed(self, value: Value) -> Value:
        """The transpose: of a vector, a row."""
        operand, row = value
        if operand.order > 2:
            raise ShapeError(
                f"transpose: the operand has the shape {shown(operand.shape)}; a matrix is needed"
            )
        return Value(operand, not row) if operand.order == 1 else Value(operand.T)

    def plus(self, tree: Any) -> Value:
        return self._elementwise(tree, "+")

    def minus(self, tree: Any) -> Value:
        return self._elementwise(tree, "-")

    def elementwise_times(self, tree: Any) -> Value:
        return self._elementwise(tree, "*", ".*")

    def elementwise_over(self, tree: Any) -> Value:
        return self._elementwise(tree, "/", "./")

    def elementwise_power(self, tree: Any) -> Value:
        return self._elementwise(tree, "**", ".^")

    def _elementwise(self, tree: Any, operator: str, symbol: str = "") -> Value:
        a, b = (self.value(child) for child in tree.children)
        where = self.source(tree)
        fits = a.order == b.order and a.row == b.row
        if a.order and b.order and not fits:
            raise self._misfit(tree, symbol or operator, a, b)
        result = elementwise(operator, a.expression, b.expression, where)
        return Value(as_expression(result), a.row or b.row)

    def _pair(self, tree: Any, symbol: str) -> str:
        """The two operands as they stand in the text, with the operator between them."""
        return f" {symbol} ".join(self.source(child) for child in tree.children)

    def _misfit(self, tree: Any, symbol: str, a: Value, b: Value) -> ShapeError:
        hint = ""
        if symbol == "*" and a.order == b.order == 1:
            hint = "; .* is elementwise, ' transposes"
        nodes = [value.expression.node for value in (a, b) if value.order == 1]
        vectors = [node.data[0] for node in nodes if node.kind == "variable"]
        hint = number_hint(vectors) or hint
        pair = self._pair(tree, symbol)
        return ShapeError(f"{pair}: {_shape(a)} and {_shape(b)} do not fit{hint}")

    def times(self, tree: Any) -> Value:
        a, b = (self.value(child) for child in tree.children)
        where = self.source(tree)
        if not a.order or not b.order:
            result = elementwise("*", a.expression, b.expression, where)
            return Value(as_expression(result), a.row or b.row)
        if a.order > 2 or b.order > 2:
            raise self._misfit(tree, "*", a, b)
        if a.order == b.order == 1 and a.row != b.row:
            if a.row:
                return Value(as_expression(matmul(a.expression, b.expression, where)))
            return Value(functions.einsum("i,j->ij", a.expression, b.expression))
        if (a.order == 1 and not a.row) or (b.order == 1 and b.row) or a.row is b.row is True:
            raise self._misfit(tree, "*", a, b)
        product = as_expression(matmul(a.expression, b.expression, where))
        return Value(product, row=product.order == 1 and a.row)

    def over(self, tree: Any) -> Value:
        a, b = (self.value(child) for child in tree.children)
        if b.order:
            raise self._misfit(tree, "/", a, b)
        quotient = elementwise("/", a.expression, b.expression, self.source(tree))
        return Value(as_expression(quotient), a.row)

    def left_over(self, tree: Any) -> Value:
        a, b = (self.value(child) for child in tree.children)
        if a.order != 2 or b.row:
            raise self._misfit(tree, "\\", a, b)
        return Value(functions.solve(a.expression, b.expression))

    def power(self, tree: Any) -> Value:
        a, b = (self.value(child) for child in tree.children)
        exponent = constant_value(b.expression.node) if b.order == 0 else None
        if a.order == 2 and isinstance(exponent, int):
            return Value(functions.matrix_power(a.expression, exponent))
        if a.order or b.order:
            raise ShapeError(
                f"{self._pair(tree, '^')}: {_shape(a)} to the power {_shape(b)}; ^ is for "
                "scalars and whole powers of square matrices, .^ is elementwise"
                + ("; e^u is written exp(u)" if self.source(tree.children[0]) == "e" else "")
            )
        result = elementwise("**", a.expression, b.expression, self.source(tree))
        return Value(as_expression(result))


def _shape(value: Value) -> str:
    kind = {0: "", 1: "row vector " if value.row else "column vector ", 2: "matrix "}
    return kind.get(value.order, "tensor ") + shown(value.expression.shape)


def _with_position(error: CalculusError, text: str, tree: Any) -> CalculusError:
    """The error with the place in the text; a ShapeError stays one."""
    message = str(error)
    if "\n" in message:  # an inner operation has said it already
        return error
    position = tree.meta.start_pos
    pointer = f"\n  {text}\n  {' ' * position}{'^' * max(1, tree.meta.end_pos - position)}"
    return type(error)(f"{message} (at character {position + 1}){pointer}")
