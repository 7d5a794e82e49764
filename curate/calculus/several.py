"""Value, gradient, Hessian and Hessian-vector product in one program with shared parts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from curate.calculus.compile.bind import (
    as_tensors,
    check_declarations,
    declarations,
    without_underscores,
)
from curate.calculus.compile.codegen import function
from curate.calculus.compile.compiled import Compiled, planner_for
from curate.calculus.errors import CalculusError
from curate.calculus.expression import Expression
from curate.calculus.graph.node import Node, intern
from curate.calculus.graph.sums import splice, total
from curate.calculus.recent import Recent
from curate.calculus.rules.structure import apply_structure
from curate.calculus.show.render import shortened

Names = str | Sequence[str] | None


class Blocks(Mapping[Any, Any]):
    """The derivatives by several variables: an array per name, or per pair of names.

    ``flat`` is one vector (gradients, products) or one matrix (Hessians) of all of them, in the
    order of the names.
    """

    def __init__(self, names: tuple[str, ...], blocks: Mapping[Any, Any]) -> None:
        self.names, self._blocks = names, dict(blocks)

    def __getitem__(self, key: Any) -> Any:
        return self._blocks[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{key}: {tuple(block.shape)}" for key, block in self._blocks.items())
        return f"Blocks({shortened(shapes, 90)})"

    @property
    def flat(self) -> Any:
        """One vector, or one matrix, of all elements."""
        numpy = isinstance(next(iter(self._blocks.values())), np.ndarray | np.generic)
        joined: Any = np.concatenate if numpy else torch.cat
        if self.names[0] in self._blocks:
            return joined([self._blocks[name].reshape(-1) for name in self.names])
        sizes = {name: math.isqrt(math.prod(self[name, name].shape)) for name in self.names}
        rows = [
            joined([self[one, two].reshape(sizes[one], sizes[two]) for two in self.names], 1)
            for one in self.names
        ]
        return joined(rows, 0)


class Several:
    """A function of named values that gives several outputs; what `program` returns."""

    def __init__(
        self,
        expression: Expression,
        value: bool,
        gradient: Names,
        hessian: Names,
        product: Names,
        args: Sequence[str],
    ) -> None:
        if expression.order:
            raise CalculusError(
                f"program: the expression has the shape {expression.shape}; a scalar is needed"
            )
        self.made_of = (expression, value, gradient, hessian, product, tuple(args))
        self.outputs: list[tuple[Names, list[Any]]] = []
        nodes: list[Node] = []
        if value:
            self.outputs.append((None, [()]))
            nodes.append(expression.node)
        for names, order in ((gradient, 1), (hessian, 2)):
            if names is not None:
                given = _names(names)
                keys = [(a,) for a in given] if order == 1 else [
                    (a, b) for k, a in enumerate(given) for b in given[k:]
                ]  # fmt: skip
                self.outputs.append((names, keys))
                nodes += [expression.derivative(*key).node for key in keys]
        scope = dict(expression.scope)
        if product is not None:
            given = _names(product)
            directions = {name: _direction(expression, name) for name in given}
            scope |= {node.data[0]: node for node in directions.values()}
            self.outputs.append((product, [(name,) for name in given]))
            nodes += [_product(expression, name, directions) for name in given]
        if not nodes:
            raise CalculusError("program: nothing is asked for; say value=True or gradient=...")
        whole = Expression(expression.node, scope, expression.reasons)
        self.nodes = [apply_structure(node) for node in nodes]
        self.bound = Compiled(whole, None, None, None, args)
        self._declared = declarations(scope)
        self._programs: Recent[tuple[Any, tuple[str, ...]]] = Recent()

    def __getstate__(self) -> dict[str, Any]:
        return {"made_of": self.made_of}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(*state["made_of"])  # type: ignore[misc]

    def __repr__(self) -> str:
        expression, value, gradient, hessian, product, _ = self.made_of
        asked = {"value": value, "gradient": gradient, "hessian": hessian, "product": product}
        end = ", ".join(f"{k}={v!r}" for k, v in asked.items() if v is not None) + ")"
        return f"program({shortened(str(expression), max(10, 88 - len(end)))}, {end}"

    def __call__(self, /, *positional: Any, **values: Any) -> Any:
        """Evaluate: what was asked for, in the order value, gradient, Hessian, product.

        Args:
            *positional: values of the variables that ``args`` names, in that order.
            **values: one tensor, array or number per variable; the directions of a product of
                the Hessian are called ``x_direction``.

        Returns:
            a tuple, or the one output that was asked for; `Blocks` for a list of names.

        Raises:
            TypeError: a value without the name of its variable.
            CalculusError: a value is missing or of the wrong type.
        """
        if positional:
            values = self.bound._named(positional, values)
        scope = self.bound.expression.scope
        values = without_underscores(values, scope)
        tensors = as_tensors(values or {"": 0.0}, None, None)
        like = next(iter(tensors.values()))
        key = (*((name, tensors[name].shape) for name in values), like.dtype, like.device.type)
        found = self._programs.find(key)
        if found is None:
            made = self._program(tensors if values else {}, like)
            found = self._programs.keep(key, made)
        run, names = found
        check_declarations(self._declared, tensors)
        arguments = [tensors[name] for name in names]
        results = _separate([value for (value,) in run(like, *arguments)], arguments)
        numpy = not any(isinstance(value, torch.Tensor) for value in values.values())
        return self._given([r.numpy() if numpy else r for r in results])

    def _program(self, tensors: dict[str, torch.Tensor], like: torch.Tensor) -> tuple[Any, Any]:
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        planner = planner_for(self.bound.expression, shapes, *self.nodes)
        roots = planner.lower_all(*self.nodes)
        small = like.is_cpu and like.dtype in (torch.float32, torch.float64)
        run, _ = function(
            planner.program, roots, patterns=[()] * len(roots), dtype=like.dtype if small else None
        )
        return run, tuple(planner.program.inputs)

    def _given(self, results: list[Any]) -> Any:
        outputs = []
        for names, keys in self.outputs:
            mine, results = results[: len(keys)], results[len(keys) :]
            if names is None or isinstance(names, str):
                outputs.append(mine[0])
                continue
            blocks: dict[Any, Any] = {}
            for k, block in zip(keys, mine, strict=True):
                blocks[k if len(k) == 2 else k[0]] = block
                if len(k) == 2 and k[0] != k[1]:
                    rows = self.bound.expression.scope[k[0]].order
                    order = (*range(rows, block.ndim), *range(rows))
                    numpy = isinstance(block, np.ndarray | np.generic)
                    blocks[k[::-1]] = block.transpose(order) if numpy else block.permute(order)
            outputs.append(Blocks(tuple(names), blocks))
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


def program(
    expression: Expression,
    *,
    value: bool = True,
    gradient: Names = None,
    hessian: Names = None,
    product: Names = None,
    args: Sequence[str] = (),
) -> Several:
    """Value, gradient, Hessian and Hessian-vector product of a scalar in one program.

    What they have in common (a factorisation, a kernel matrix) is computed once. With ``args`` the
    result is what `scipy.optimize.minimize` takes with ``jac=True``.

    Args:
        expression: a scalar.
        value: whether the value is wanted.
        gradient, hessian, product: the variable to differentiate by, or a list of variables, whose
            derivatives are `Blocks`. ``product`` is the Hessian times a direction, which is given
            as the value of ``x_direction``; the Hessian is not formed.
        args: the variables whose values may be given by position, in that order.

    Raises:
        CalculusError: the expression is no scalar or has no such variable, or nothing is wanted.
    """
    return Several(expression, value, gradient, hessian, product, args)


def _names(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _direction(expression: Expression, name: str) -> Node:
    expression.derivative(name)  # which complains of a name that is none
    direction = f"{name}_direction"
    if direction in expression.scope:
        raise CalculusError(f"product: the expression has a variable {direction!r}; rename it")
    return intern("variable", expression.scope[name].shape, data=(direction, None))


def _product(expression: Expression, name: str, directions: Mapping[str, Node]) -> Node:
    """The rows of the Hessian by one variable times the directions, term by term."""
    rows = expression.scope[name].order
    terms = []
    for other, direction in directions.items():
        node = expression.derivative(name, other).node
        axes = tuple(range(node.order))
        for term in node.terms:
            raw = splice(1, ((direction, axes[rows:]),), axes[:rows], term, node, axes)
            terms.append(raw)
    return total(expression.scope[name].shape, terms)


def _separate(results: list[torch.Tensor], arguments: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The results, none of which shares memory with another or with an argument."""
    taken = {argument.untyped_storage().data_ptr() for argument in arguments}
    apart = []
    for result in results:
        place = result.untyped_storage().data_ptr()
        repeats = 0 in result.stride() and result.numel() > 1
        if place in taken or repeats or result.untyped_storage().nbytes() > 2 * result.nbytes:
            result = result.clone(memory_format=torch.contiguous_format)
        taken.add(result.untyped_storage().data_ptr())
        apart.append(result)
    return apart
