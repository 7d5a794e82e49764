"""Lower a graph, for given sizes, to a program; every node is emitted once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from curate.calculus.compile import runtime
from curate.calculus.compile.assemble import Part, assemble, scaled, without_repeats
from curate.calculus.compile.contract import Labelled, contract
from curate.calculus.compile.factoring import factored
from curate.calculus.compile.program import Program, Value
from curate.calculus.compile.solving import Inverse, lu_of, only_in_products, solved
from curate.calculus.graph.canonical import canonical
from curate.calculus.graph.node import Dim, Labels, Node, Term, walk
from curate.calculus.graph.signs import nonnegative
from curate.calculus.rules.minors import in_singular_values
from curate.calculus.rules.structure import positive_definite

_CALLS = {
    "arcsin": "torch.asin", "arccos": "torch.acos", "arctan": "torch.atan",
    "erf": "torch.special.erf", "erfc": "torch.special.erfc", "slope": "torch.sign",
    "log_ndtr": "torch.special.log_ndtr",
    "digamma": "torch.special.digamma",
}  # fmt: skip


class Planner:
    """Lowers one graph for one set of sizes."""

    def __init__(self, sizes: Mapping[Dim, int]) -> None:
        self.sizes = sizes
        self.program = Program()
        self.values: dict[Node, Value] = {}
        self.numbers: dict[Node, float] = {}
        self.solved: dict[Node, int] = {}
        self.shared: set[Node] = set()

    def shape(self, node: Node) -> tuple[int, ...]:
        """The sizes of a node's axes."""
        return tuple(dim if isinstance(dim, int) else self.sizes[dim] for dim in node.shape)

    def lower(self, root: Node, *, dense: bool = True) -> Value | list[Part]:
        """Emit every node below the root; the root as one tensor, or as parts."""
        root = in_singular_values(factored(root, self.sizes))
        self.solved = only_in_products(root)
        uses = Counter(node.args[0] for node in self.solved for _ in range(self.solved[node]))
        uses.update(n.args[0] for n in walk(root) if n.kind in ("logdet", "determinant"))
        self.shared = {matrix for matrix, count in uses.items() if count > 1}
        for node in walk(root):
            if node in self.solved:
                continue
            if node is root and not dense:
                return (
                    self.parts(root)
                    if root.kind == "sum"
                    else [Part(1.0, self._whole(root), tuple(range(root.order)))]
                )
            self.value(node)
        return self.values.get(root) or self._constant(root)

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
        return self.values.get(node)

    def _number(self, node: Node) -> float | None:
        """The number that a scalar of numbers and sizes is, if it is one."""
        if node.kind == "size":
            return float(self.sizes[node.data])
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
        self.values[node] = value = self.program.emit_owned(
            f"like.new_full((), {number!r})", (), ()
        )
        return value

    def operand(self, node: Node) -> Value:
        """The tensor of an operand, numbers included."""
        return self.values.get(node) or self._constant(node)

    def _lowered(self, node: Node) -> Value:
        shape = self.shape(node)
        emit = self.program.emit
        count = math.prod(shape)
        if node.kind == "variable":
            name, structure = node.data
            if structure == "diagonal!":
                full = self.program.read(name, shape * 2)
                return emit("{0}.diagonal()", (full,), shape, view=True)
            return self.program.read(name, shape)
        if node.kind == "sum":
            return assemble(self.program, self.parts(node), shape)
        operands = tuple(self.operand(operand) for operand in node.args)
        if node.kind == "opaque":
            return operands[0]
        if node.kind == "map":
            return emit(_map_call(node.data), operands, shape, count, elementwise=True)
        if node.kind == "power":
            return emit(_power_call(float(node.data)), operands, shape, count, elementwise=True)
        if node.kind == "logsumexp":
            axes = tuple(range(-node.data, 0))
            size = math.prod(operands[0].shape)
            return emit(f"torch.logsumexp({{0}}, {axes}{{out}})", operands, shape, 3 * size)
        if node.kind == "largest":
            axes = tuple(range(-node.data, 0))
            call = f"torch.amax({{0}}, {axes}{{out}})"
            return emit(call, operands, shape, math.prod(operands[0].shape))
        return self._of_matrix(node, operands[0], shape)

    def _of_matrix(self, node: Node, matrix: Value, shape: tuple[int, ...]) -> Value:
        emit = self.program.emit
        cube = matrix.shape[0] ** 3
        if node.kind != "determinant" and positive_definite(node.args[0]):
            factor = emit("cholesky({0})", (matrix,), matrix.shape, cube // 3)
            if node.kind == "inverse":
                return emit("torch.cholesky_inverse({0}{out})", (factor,), shape, 2 * cube // 3)
            diagonal = emit("{0}.diagonal()", (factor,), matrix.shape[:1], view=True)
            logs = emit("torch.log({0})", (diagonal,), diagonal.shape, diagonal.shape[0])
            half = emit("torch.sum({0})", (logs,), (), diagonal.shape[0])
            return emit("torch.mul({0}, 2.0)", (half,), (), 1)
        if node.kind == "inverse":
            return emit("inverse({0}{out})", (matrix,), shape, 2 * cube)
        if node.kind == "singular":
            both = emit("signed_svd({0})", (matrix,), matrix.shape, 20 * cube)
            place = ("left", "right").index(node.data) if isinstance(node.data, str) else 2
            size = matrix.shape if place < 2 else matrix.shape[:1]
            value = emit(f"{{0}}[{place}]", (both,), size, view=True)
            if place < 2:
                return value
            return emit(f"product_of_others({{0}}, {node.data})", (value,), shape, math.prod(shape))
        if node.kind == "logdet" and node.args[0] in self.shared:
            lu, pivots = lu_of(self.program, matrix)
            if node.data:
                return emit("lu_log_det({0}, {1})", (lu, pivots), (), matrix.shape[0])
            return emit("lu_logdet({0})", (lu,), (), matrix.shape[0])
        if node.kind == "logdet" and node.data:
            return emit("log_det({0})", (matrix,), (), 2 * cube // 3)
        if node.kind == "logdet":
            return emit("torch.linalg.slogdet({0})[1]", (matrix,), (), 2 * cube // 3)
        return emit("torch.linalg.det({0})", (matrix,), (), 2 * cube // 3)

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
        for node, labels in term.factors:
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
        operands = self._solved(factors, term.out)
        if not operands:
            return Part(scale, None, term.out)
        distinct = tuple(dict.fromkeys(term.out))
        size = math.prod(shape[term.out.index(label)] for label in distinct)
        smallest = min(operands, key=lambda part: math.prod(part.value.shape))
        summed = any(label not in term.out for part in operands for label in part.labels)
        # a product with itself that is summed over has a cheaper form, which a scale would hide
        shared = summed and sum(part.value == smallest.value for part in operands) > 1
        if alone and not shared and scale != 1.0 and 8 * math.prod(smallest.value.shape) <= size:
            smaller = scaled(self.program, scale, smallest.value)
            operands[operands.index(smallest)] = Labelled(smaller, smallest.labels)
            scale = 1.0
        core = contract(
            self.program,
            operands,
            distinct,
            symmetric=_swaps(term),
            positive=frozenset(positive),
        )
        return Part(scale, core, term.out)

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


def _map_call(name: str) -> str:
    if name in runtime.MAPS:
        return f"{name}({{0}})"
    if name in runtime.PAIRS:
        return f"{name}({{0}}, {{1}})"
    if name.startswith("polygamma"):
        return f"torch.polygamma({name.removeprefix('polygamma')}, {{0}}{{out}})"
    if name == "root":
        return "torch.sqrt({0}{out})"
    if name == "step":
        return "torch.gt({0}, 0).to({0}.dtype)"
    if name == "pow":
        return "torch.pow({0}, {1}{out})"
    if name == "relu":
        return "torch.relu({0})"
    return f"{_CALLS.get(name, 'torch.' + name)}({{0}}{{out}})"


def _power_call(exponent: float) -> str:
    named = {-1.0: "reciprocal", 0.5: "sqrt", -0.5: "rsqrt"}
    if exponent in named:
        return f"torch.{named[exponent]}({{0}}{{out}})"
    return f"torch.pow({{0}}, {exponent!r}{{out}})"
