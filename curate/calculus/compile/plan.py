"""Lower a graph, for given sizes, to a program; every node is emitted once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from curate.calculus.compile.assemble import Part, assemble, scaled, without_repeats
from curate.calculus.compile.contract import Labelled, contract
from curate.calculus.compile.lowering.matrices import inverse_and_logdet, of_matrix
from curate.calculus.compile.lowering.patterns import Pattern, Product, dense
from curate.calculus.compile.program import Program, Value
from curate.calculus.compile.solving import Inverse, only_in_products, solved
from curate.calculus.errors import ShapeError
from curate.calculus.graph.canonical import canonical, is_symmetric
from curate.calculus.graph.node import Dim, Labels, Node, Term, walk
from curate.calculus.graph.signs import nonnegative
from curate.calculus.graph.sizes import size_in
from curate.calculus.rules.germs.text import germ_text
from curate.calculus.rules.minors import decomposed
from curate.calculus.rules.structure import positive_definite

_POWERS = {-1.0: "reciprocal", 0.5: "sqrt", -0.5: "rsqrt"}
_OVER_AXES = {"largest": 1, "maximum": 1, "peaks": 2, "logsumexp": 3}
"""Flops per element of the operand."""


class Planner:
    """Lowers one graph for one set of sizes."""

    def __init__(self, sizes: Mapping[Dim, int]) -> None:
        self.sizes = sizes
        self.program = Program()
        self.values: dict[Node, Value] = {}
        self.numbers: dict[Node, float] = {}
        self.solved: dict[Node, int] = {}
        self.shared: set[Node] = set()
        self.both: set[Node] = set()

    def shape(self, node: Node) -> tuple[int, ...]:
        """The sizes of a node's axes."""
        return tuple(self.size(dim) for dim in node.shape)

    def size(self, dim: Dim) -> int:
        """The number that a size is."""
        found = size_in(dim, self.sizes)
        assert found is not None, dim
        return found

    def lower(self, root: Node, *, dense: bool = True) -> Value | list[Part]:
        """Emit every node below the root; the root as one tensor, or as parts."""
        (root,) = self._prepared(root)
        for node in walk(root):
            if node in self.solved or (node.kind == "pattern" and node is not root):
                continue
            if node is root and not dense:
                return (
                    self.parts(root)
                    if root.kind == "sum"
                    else [Part(1.0, self._whole(root), tuple(range(root.order)))]
                )
            self.value(node)
        return self.values.get(root) or self._constant(root)

    def lower_all(self, *roots: Node) -> list[Value]:
        """Emit every node below the roots once, and the roots as tensors."""
        roots = self._prepared(*roots)
        for node in walk(*roots):
            if node not in self.solved and (node.kind != "pattern" or node in roots):
                self.value(node)
        return [self.values.get(root) or self._constant(root) for root in roots]

    def _prepared(self, *roots: Node) -> tuple[Node, ...]:
        """The roots, simplified for these sizes, after a look at what they share."""
        roots = tuple(decomposed(root) for root in roots)
        self.solved = only_in_products(*roots)
        uses = Counter(node.args[0] for node in self.solved for _ in range(self.solved[node]))
        uses.update(n.args[0] for n in walk(*roots) if n.kind in ("logdet", "determinant"))
        self.shared = {matrix for matrix, count in uses.items() if count > 1}
        formed = {n.args[0] for n in walk(*roots) if n.kind == "inverse" and n not in self.solved}
        logs = {n.args[0] for n in walk(*roots) if n.kind == "logdet" and not n.data}
        self.both = {n for n in formed & logs if is_symmetric(n) and not positive_definite(n)}
        return roots

    def _whole(self, node: Node) -> Labelled:
        self.value(node)
        return Labelled(self.operand(node), tuple(range(node.order)))

    def value(self, node: Node) -> Value | None:
        """The tensor of a node whose operands are emitted; None for a number."""
        if node not in self.values and node not in self.numbers:
            number = self._number(node)
            if number is not None:
                self.numbers[node] = number
            else:
                self.values[node] = self._lowered(node)
                if node.order == 2 and is_symmetric(node):
                    self.program.symmetric.add(self.values[node].name)
        return self.values.get(node)

    def _number(self, node: Node) -> float | None:
        """The number that a scalar of numbers and sizes is, if it is one."""
        if node.kind == "size":
            return float(self.size(node.data))
        if node.order or not node.operands:
            return None
        if node.kind == "power" and node.args[0] in self.numbers:
            base, exponent = self.numbers[node.args[0]], float(node.data)
            return math.inf if base == 0 and exponent < 0 else base**exponent
        if node.kind == "map" and node.data == "log" and node.args[0] in self.numbers:
            return math.log(self.numbers[node.args[0]])
        if node.kind == "sum" and all(operand in self.numbers for operand in node.operands):
            return float(
                sum(
                    float(c) * math.prod(self.numbers[factor] for factor, _ in factors)
                    for c, factors, _ in node.data
                )
            )
        return None

    def _constant(self, node: Node) -> Value:
        number = self.numbers[node]
        self.values[node] = value = self.program.emit_owned("full", (), (), value=number)
        return value

    def operand(self, node: Node) -> Value:
        """The tensor of an operand, numbers included."""
        if node.kind == "pattern":
            self.value(node)
        return self.values.get(node) or self._constant(node)

    def _pattern(self, node: Node, labels: Labels) -> Pattern:
        """A pattern with its sizes.

        Raises:
            ShapeError: an index or slice beyond the end, or sizes that do not multiply up.
        """
        kind, start = node.data
        shape, place = self.shape(node), start if kind == "lower" else self.size(start)
        if kind == "fuse":
            if shape[0] != shape[1] * shape[2]:
                raise ShapeError(f"reshape: {shape[0]} elements into {shape[1:]}")
        elif kind != "lower":
            length = 1 if kind == "index" else shape[0]
            if place < 0 or length < 0 or place + length > shape[-1]:
                what = f"[{place}]" if kind == "index" else f"[{place}:{place + length}]"
                raise ShapeError(f"{what} of an axis with {shape[-1]} elements; choose less")
        return Pattern(kind, place, shape, labels)

    def _lowered(self, node: Node) -> Value:
        shape = self.shape(node)
        emit = self.program.emit
        count = math.prod(shape)
        if node.kind == "variable":
            name, structure = node.data
            if structure == "diagonal!":
                full = self.program.read(name, shape * 2)
                return emit("diagonal", (full,), shape, one=0, two=1)
            return self.program.read(name, shape)
        if node.kind == "sum":
            return assemble(self.program, self.parts(node), shape)
        if node.kind == "pattern":
            pattern = self._pattern(node, tuple(range(node.order)))
            return dense(self.program, pattern.kind, shape, pattern.start)
        operands = tuple(self.operand(operand) for operand in node.args)
        if node.kind == "opaque":
            return operands[0]
        if node.kind == "map":
            return emit(node.data, operands, shape, count)
        if node.kind == "germ":
            kind = "germ" if len(operands) == 1 else "shifted_germ"
            return emit(kind, operands, shape, count, more=germ_text(node)[0])
        if node.kind == "power":
            exponent = float(node.data)
            if exponent in _POWERS:
                return emit(_POWERS[exponent], operands, shape, count)
            return emit("power", operands, shape, count, exponent=exponent)
        if node.kind in _OVER_AXES:
            flops = _OVER_AXES[node.kind] * math.prod(operands[0].shape)
            kind = "amax" if node.kind in ("largest", "maximum") else node.kind
            return emit(kind, operands, shape, flops, axes=tuple(range(-node.data, 0)))
        if node.kind == "others":
            return emit("product_of_others", operands, shape, 4 * count, order=node.data)
        matrix = node.args[0]
        if matrix in self.both and (node.kind == "inverse" or not node.data):
            return inverse_and_logdet(self.program, node, operands[0])
        return of_matrix(self.program, node, operands[0], shape, matrix in self.shared)

    def parts(self, node: Node) -> list[Part]:
        """Every term of a sum."""
        shape = self.shape(node)
        dense = [term for term in node.data if len(set(term.out)) == len(term.out)]
        alone = len(dense) == 1
        return [self.part(term, shape, alone=alone or term not in dense) for term in node.data]

    def part(self, term: Term, shape: tuple[int, ...], *, alone: bool) -> Part:
        """Emit one term as a scale and a core over distinct labels.

        A term that stands alone takes its scale into its smallest operand, where that is cheaper.
        """
        scale = float(term.coefficient)
        factors: list[Labelled | Inverse] = []
        positive = set()
        patterns = []
        for node, labels in term.factors:
            if node.kind == "pattern":
                patterns.append(self._pattern(node, labels))
                continue
            if node in self.numbers:
                scale *= self.numbers[node]
                continue
            if node in self.solved:
                factors.append(Inverse(node, labels))
                continue
            operand = without_repeats(self.program, self.values[node], labels)
            factors.append(operand)
            if term.factors.count((node, labels)) % 2 == 0 or nonnegative(node):
                positive.add(operand)
        distinct = tuple(dict.fromkeys(term.out))
        product = Product(self.program, factors, distinct)
        product.absorb(patterns)
        scale *= product.scale
        operands = self._solved(product.operands, product.out)
        if not operands and not product.steps:
            return Part(scale, None, term.out)
        if not operands:
            one = self.program.emit_owned("full", (), (), value=1.0)
            return Part(scale, product.finished(Labelled(one, ())), term.out)
        size = math.prod(shape[term.out.index(label)] for label in distinct)
        smallest = min(operands, key=lambda part: math.prod(part.value.shape))
        summed = any(label not in product.out for part in operands for label in part.labels)
        # a product with itself that is summed over has a cheaper form, which a scale would hide
        shared = summed and sum(part.value == smallest.value for part in operands) > 1
        if alone and not shared and scale != 1.0 and 8 * math.prod(smallest.value.shape) <= size:
            smaller = scaled(self.program, scale, smallest.value)
            operands[operands.index(smallest)] = Labelled(smaller, smallest.labels)
            scale = 1.0
        core = contract(
            self.program,
            operands,
            product.out,
            symmetric=not patterns and _swaps(term),
            positive=frozenset(positive),
        )
        return Part(scale, product.finished(core), term.out)

    def _solved(self, factors: list[Labelled | Inverse], out: Labels) -> list[Labelled]:
        """The factors of a product, with solves for inverses wherever possible."""
        inverses = [factor.node for factor in factors if isinstance(factor, Inverse)]
        matrices = {node.args[0]: self.operand(node.args[0]) for node in inverses}
        found = solved(self.program, factors, out, matrices, self.shared)
        if isinstance(found, list):
            return found
        value = self.value(found.node)
        assert value is not None
        formed = Labelled(value, found.labels)
        return self._solved([formed if f is found else f for f in factors], out)


def _swaps(term: Term) -> bool:
    """Whether a term is symmetric under exchanging the halves of its output."""
    half = len(term.out) // 2
    if not half or len(set(term.out)) != 2 * half or len(term.out) != 2 * half:
        return False
    return canonical(*term[:2], term.out[half:] + term.out[:half]) == term
