"""Expressions: what `parse` and the operators build, and what `derivative` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union

from curate.calculus.compile.compiled import Compiled
from curate.calculus.compile.explain import Explanation, explain
from curate.calculus.compile.lazy import Lazy, lazy
from curate.calculus.errors import CalculusError, number_hint
from curate.calculus.graph import algebra
from curate.calculus.graph.node import Node
from curate.calculus.graph.node import variables as variables_of
from curate.calculus.graph.sizes import Reason, shown
from curate.calculus.operators import (
    averaged,
    compared,
    elementwise,
    expression,
    item,
    matmul,
    summed,
)
from curate.calculus.rules.deep import first_derivative, higher_derivative, second_derivative
from curate.calculus.rules.structure import with_symmetry
from curate.calculus.scoped import Scoped
from curate.calculus.show.code import code_of
from curate.calculus.show.einsum import dot_text, einsum_text
from curate.calculus.show.render import latex_of

Operand = Union["Expression", int, float]


class Expression(Scoped):
    """A scalar, vector, matrix or tensor expression of named variables.

    Operators follow numpy: ``* / **`` and ``+ -`` are elementwise and broadcast from the right,
    ``@`` contracts, ``.T`` reverses the axes. `parse` follows the matrix language instead.
    """

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **_: Any) -> Expression:
        """Numpy's numbers are operands; its functions and arrays are not."""
        symbol = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
        if method == "__call__" and ufunc.__name__ in symbol and len(inputs) == 2:
            return self._operator(symbol[ufunc.__name__], *inputs)
        raise CalculusError(
            f"numpy.{ufunc.__name__}: takes no expression; the functions of curate.calculus do, "
            "and a variable stands for an array, whose values are given when calling"
        )

    def __init__(
        self,
        node: Node,
        scope: Mapping[str, Node],
        reasons: tuple[Reason, ...] = (),
        columns: int | None = None,
    ) -> None:
        super().__init__(node, scope, reasons, columns)
        self._compiled: dict[tuple, Compiled] = {}
        self._derived: dict[tuple[str, ...], Expression] = {}

    @property
    def variables(self) -> list[str]:
        """The names of the variables that the value depends on."""
        return sorted(variables_of(self.node))

    # -- derivatives ---------------------------------------------------------------------------

    def derivative(self, *names: str | Expression) -> Expression:
        """The derivative by these variables, one after the other.

        The axes are those of the expression, then those of each variable in the order given, as in
        JAX.

        Raises:
            CalculusError: a name that the expression does not have.
        """
        wanted = tuple(self._name(name) for name in names) or (self._only_variable(),)
        if wanted not in self._derived:
            variables = [self.scope[name] for name in wanted]
            if self.order == 0 and wanted[:2] == (wanted[0],) * 2:
                node, rest = second_derivative(self.node, variables[0]), variables[2:]
            else:
                node, rest = first_derivative(self.node, variables[0]), variables[1:]
            for variable in rest:
                node = higher_derivative(node, variable)
            columns = self.scope[wanted[-1]].order
            self._derived[wanted] = Expression(node, self.scope, self.reasons, columns)
        return self._derived[wanted]

    def gradient(self, name: str | Expression | None = None) -> Expression:
        """The derivative of a scalar expression.

        Raises:
            CalculusError: the expression is not a scalar, or has no such variable.
        """
        if self.order:
            raise CalculusError(
                f"gradient: the expression has the shape {shown(self.shape)}, not that of a "
                "scalar; ask for its jacobian"
                + number_hint(name for name, v in self.scope.items() if v.order == 1)
            )
        return self.derivative(self._name(name))

    def jacobian(self, name: str | Expression | None = None) -> Expression:
        """The derivative: the expression's axes, then the variable's."""
        return self.derivative(self._name(name))

    def hessian(
        self, name: str | Expression | None = None, other: str | Expression | None = None
    ) -> Expression:
        """The second derivative by ``name`` and ``name``, or by ``name`` and ``other``."""
        first = self._name(name)
        return self.derivative(first, first if other is None else self._name(other))

    def _name(self, name: str | Expression | None) -> str:
        if name is None:
            return self._only_variable()
        if isinstance(name, Expression) and name.node.kind == "variable":
            name = name.node.data[0]
        if not isinstance(name, str) or name not in self.scope:
            raise CalculusError(
                f"{name!r} is not a variable of the expression; it has {sorted(self.scope)}"
            )
        return name

    def _only_variable(self) -> str:
        if len(self.scope) != 1:
            raise CalculusError(
                f"name: the expression has the variables {sorted(self.scope)}; say by which one"
            )
        return next(iter(self.scope))

    # -- evaluation ----------------------------------------------------------------------------

    def compile(
        self, dtype: Any = None, device: Any = None, out: Any = None, args: Sequence[str] = ()
    ) -> Compiled:
        """A function of the variables by name, as `scipy.optimize.minimize` takes it with ``args``.

        Args:
            dtype: what to compute in (``torch.float32``, ``"float64"``); that of the values
                when not given.
            device: where to compute; that of the values when not given.
            out: a tensor that every call writes its result into.
            args: the variables whose values may be given by position, in that order.
        """
        key = (str(dtype), str(device), tuple(args))
        if out is not None:
            return Compiled(self, dtype, device, out, args)
        if key not in self._compiled:
            self._compiled[key] = Compiled(self, dtype, device, None, args)
        return self._compiled[key]

    def __call__(self, /, *positional: Any, out: Any = None, **values: Any) -> Any:
        """Evaluate; ``out`` is a tensor to write the result into.

        Raises:
            TypeError: a value without the name of its variable.
        """
        compiled = self._compiled.get(("None", "None", ())) or self.compile()
        return compiled(*positional, out=out, **values)

    def lazy(self, /, **values: Any) -> Lazy:
        """Evaluate without forming what unit tensors only repeat."""
        return lazy(self, values)

    # -- notation ------------------------------------------------------------------------------

    def latex(self) -> str:
        """The expression in LaTeX."""
        return latex_of(with_symmetry(self.node))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def einsum(self) -> str:
        """The program as text: one einsum, elementwise map or matrix function per line."""
        return einsum_text(self.node)

    def code(self, target: str = "numpy", name: str | Expression | None = None) -> str:
        """A Python module without curate: ``value_and_gradient`` of the variables, by one of them.

        Args:
            target: ``"numpy"`` (with scipy.special where that is needed), ``"torch"`` or ``"jax"``.
            name: the variable to differentiate by; the only one where there is one.

        Raises:
            CalculusError: no such target, or a function that it lacks.
        """
        slope = with_symmetry(self.derivative(self._name(name)).node)
        return code_of(with_symmetry(self.node), slope, self.scope, target)

    def dot(self) -> str:
        """The graph in Graphviz' language."""
        return dot_text(self.node)

    def explain(self, /, **values: Any) -> Explanation:
        """What was simplified, and flops and bytes of every step.

        Args:
            **values: the variables' values or shapes; 100 for every size that is not given.
        """
        return explain(self, values)

    # -- operators -----------------------------------------------------------------------------

    @property
    def T(self) -> Expression:  # noqa: N802
        """The axes in reverse."""
        return self.with_node(algebra.transpose(self.node))

    @staticmethod
    def _of(scoped: Scoped) -> Expression:
        return Expression(scoped.node, scoped.scope, scoped.reasons)

    def with_node(self, node: Node) -> Expression:
        """Another node over the same variables."""
        return Expression(node, self.scope, self.reasons)

    def _operator(self, symbol: str, one: Operand, two: Operand) -> Expression:
        return self._of(elementwise(symbol, one, two))

    def __neg__(self) -> Expression:
        return self.with_node(algebra.scale(-1, self.node))

    def __pos__(self) -> Expression:
        return self

    def __add__(self, other: Operand) -> Expression:
        return self._operator("+", self, other)

    def __radd__(self, other: Operand) -> Expression:
        return self._operator("+", other, self)

    def __sub__(self, other: Operand) -> Expression:
        return self._operator("-", self, other)

    def __rsub__(self, other: Operand) -> Expression:
        return self._operator("-", other, self)

    def __mul__(self, other: Operand) -> Expression:
        return self._operator("*", self, other)

    def __rmul__(self, other: Operand) -> Expression:
        return self._operator("*", other, self)

    def __truediv__(self, other: Operand) -> Expression:
        return self._operator("/", self, other)

    def __rtruediv__(self, other: Operand) -> Expression:
        return self._operator("/", other, self)

    def __pow__(self, other: Operand) -> Expression:
        return self._operator("**", self, other)

    def __rpow__(self, other: Operand) -> Expression:
        return self._operator("**", other, self)

    def __matmul__(self, other: Expression) -> Expression:
        return self._of(matmul(self, other))

    def __getitem__(self, key: Any) -> Expression:
        """An element, or a slice of step 1, as numpy has it."""
        return self._of(item(self, key))

    __iter__ = None

    def __gt__(self, other: Operand) -> Expression:
        return self._of(compared(">", self, other))

    def __ge__(self, other: Operand) -> Expression:
        return self._of(compared(">=", self, other))

    def __lt__(self, other: Operand) -> Expression:
        return self._of(compared("<", self, other))

    def __le__(self, other: Operand) -> Expression:
        return self._of(compared("<=", self, other))

    def sum(self, axis: int | None = None) -> Expression:
        """The sum of all elements, or along one axis."""
        return self._of(summed(self, axis))

    def mean(self, axis: int | None = None) -> Expression:
        """The mean of all elements, or along one axis."""
        return self._of(averaged(self, axis))


def as_expression(value: Any) -> Expression:
    """An operand as an expression: numbers become constants.

    Raises:
        CalculusError: a value that is neither an expression nor a number.
    """
    if isinstance(value, Expression):
        return value
    return Expression._of(expression(value))
