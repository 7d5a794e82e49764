"""The expression and its derivative as a function of numpy, torch or JAX, without curate."""

from __future__ import annotations

import keyword
from collections.abc import Mapping

from curate.calculus.elementwise import MAPS
from curate.calculus.errors import CalculusError
from curate.calculus.graph.canonical import is_symmetric
from curate.calculus.graph.node import Dim, Node, Term, walk
from curate.calculus.graph.sizes import polynomial, symbols_of
from curate.calculus.rules.germs.cancelling import without_poles
from curate.calculus.rules.germs.text import germ_text
from curate.calculus.show.code_text import HELPERS, WITH_MATH
from curate.calculus.show.formula import LETTERS

_IMPORTS = {
    "numpy": {
        "": "import numpy as np",
        "special": "import scipy.special as special",
        "linalg": "from scipy import linalg",
    },
    "torch": {"": "import torch", "special": "import torch.special as special"},
    "jax": {
        "": "import jax.numpy as jnp",
        "special": "import jax.scipy.special as special",
        "linalg": "from jax.scipy import linalg",
    },
}
_MODULE = {"numpy": "np", "torch": "torch", "jax": "jnp"}


def code_of(value: Node, slope: Node, scope: Mapping[str, Node], target: str) -> str:
    """The text of a module with ``value_and_gradient(...)``, its arguments in the scope's order.

    Raises:
        CalculusError: no such target, or a function that it lacks.
    """
    if target not in _IMPORTS:
        raise CalculusError(f"target: {target!r} is none of {', '.join(map(repr, _IMPORTS))}")
    writer, value = _Writer(scope, target), without_poles(value)
    for node in walk(value, slope):
        writer.add(node)
    names = [writer.names[root] for root in (value, slope)]
    body = "\n".join(f"    {line}" for line in writer.lines)
    arguments = ", ".join(writer.spelled[name] for name in scope)
    function = f"def value_and_gradient({arguments}):\n{body}\n    return {names[0]}, {names[1]}"
    helpers = [text for name, text in HELPERS.items() if name in writer.needed]
    imports = [line for name, line in _IMPORTS[target].items() if not name or name in writer.needed]
    if writer.needed & WITH_MATH:
        imports.insert(0, "import math\n")
    text = "\n\n\n".join(["\n".join(imports), *helpers, function]) + "\n"
    module = _MODULE[target]
    text = text.replace("xp.", f"{module}.")
    if target == "torch":
        text = text.replace("torch.concatenate", "torch.cat")
    return text.replace("AMAX", "amax" if target == "torch" else "max")


_OVER_AXES = ("logsumexp", "largest", "maximum", "peaks")


class _Writer:
    """One line of Python per node, operands first."""

    def __init__(self, scope: Mapping[str, Node], target: str) -> None:
        self.target, self.lines, self.needed = target, list[str](), set[str]()
        taken = {"np", "torch", "jnp", "special", "math", "like", "float", *HELPERS}
        self.spelled = {
            name: f"{name}_" if keyword.iskeyword(name) or name in taken else name for name in scope
        }
        self.names: dict[Node, str] = {}
        self.sizes: dict[Dim, str] = {}
        for name, variable in scope.items():
            for axis, dim in enumerate(variable.shape):
                self.sizes.setdefault(dim, f"{self.spelled[name]}.shape[{axis}]")
        if target == "torch":
            first = next(iter(self.spelled.values()), "torch.zeros((), dtype=torch.float64)")
            self.lines.append(f"like = {{'dtype': {first}.dtype, 'device': {first}.device}}")

    def add(self, node: Node) -> None:
        """Write the line of a node whose operands have theirs."""
        if node.kind == "variable":
            self.names[node] = self.spelled[node.data[0]]
        elif node.kind == "opaque":
            self.names[node] = self.names[node.args[0]]
        else:
            name = f"t{len(self.lines)}_"
            self.lines.append(f"{name} = {self._right_side(node)}")
            self.names[node] = name

    def _size(self, dim: Dim) -> str:
        if isinstance(dim, int) or dim in self.sizes:
            return self.sizes.get(dim, str(dim))
        if not symbols_of(dim) <= self.sizes.keys():
            raise CalculusError(f"code: the size {dim} follows from no variable; declare it")
        products = (
            " * ".join([str(count), *(self.sizes[symbol] for symbol in symbols)])
            for symbols, count in polynomial(dim)
        )
        return f"({' + '.join(products)})"

    def _right_side(self, node: Node) -> str:
        if node.kind == "sum":
            return " + ".join(self._term(node, term) for term in node.data) or self._zeros(node)
        if node.kind == "pattern":
            return self._pattern(node)
        if node.kind == "size":
            return self._number(self._size(node.data))
        inner = [self.names[operand] for operand in node.args]
        if node.kind == "power":
            return f"{inner[0]} ** {float(node.data)!r}"
        if node.kind == "germ":
            more, needed = germ_text(node, self.target)
            self.needed.update(needed)
            return f"near_zero({', '.join([inner[0], more, *inner[1:]])})"
        if node.kind == "map":
            return self._map(node.data, inner)
        axes = tuple(range(-node.data, 0)) if node.kind in _OVER_AXES else ()
        if node.kind == "logsumexp":
            if self.target == "torch":
                return f"torch.logsumexp({inner[0]}, {axes})"
            self.needed.add("special")
            return f"special.logsumexp({inner[0]}, {axes})"
        if node.kind in ("largest", "maximum"):
            return f"xp.AMAX({inner[0]}, {axes})"
        if node.kind == "peaks":
            return self._helper("peaks", inner[0], axes)
        if node.kind == "others" and node.data < 2:
            return self._helper("others", *inner) if node.data else f"xp.prod({inner[0]}, -1)"
        if node.kind in ("pinverse", "nuclear"):
            return f"xp.linalg.{'pinv' if node.kind == 'pinverse' else 'norm'}({inner[0]}" + (
                ")" if node.kind == "pinverse" else ", 'nuc')"
            )
        if node.kind == "polar" and node.data == 1:
            return self._helper("polar", *inner)
        if node.kind == "spectral":
            return self._spectral(node, inner[0])
        if node.kind == "minors" and node.data == 1:
            return self._helper("cofactors", *inner)
        if node.kind == "logdet":
            if node.data:
                return self._helper("log_det", *inner)
            return f"xp.linalg.slogdet({inner[0]})[1]"
        if node.kind in ("inverse", "determinant"):
            return f"xp.linalg.{'inv' if node.kind == 'inverse' else 'det'}({inner[0]})"
        if node.kind != "minors":
            raise CalculusError(f"code: second derivatives of {node.kind} are not written")
        raise CalculusError(f"code: second derivatives of det are not written for {self.target}")

    def _spectral(self, node: Node, matrix: str) -> str:
        name, order = node.data
        symmetric = name != "exp" or is_symmetric(node.args[0])
        if symmetric and order < 2:
            if not order:
                return self._helper("spectral", matrix, f"xp.{name}")
            self.needed.add(f"differences_of_{name}")
            return self._helper("spectral_slope", matrix, f"differences_of_{name}")
        if order:
            raise CalculusError(
                "code: the derivative of expm is written for symmetric matrices, and of first "
                "order; declare the matrix 'symmetric matrix'"
            )
        if self.target == "torch":
            return f"xp.linalg.matrix_exp({matrix})"
        self.needed.add("linalg")
        return f"linalg.expm({matrix})"

    def _pattern(self, node: Node) -> str:
        kind, start = node.data
        sizes = [self._size(dim) for dim in node.shape]
        if kind == "lower":
            return f"xp.tril({self._filled('ones', f'({sizes[0]}, {sizes[1]})')}, {start})"
        if kind == "fuse":
            eye = self._filled("eye", f"{sizes[1]} * {sizes[2]}")
            return f"{eye}.reshape({', '.join(sizes)})"
        eye, place = self._filled("eye", sizes[-1]), self._size(start)
        return f"{eye}[{place}]" if kind == "index" else f"{eye}[{place} : {place} + {sizes[0]}]"

    def _map(self, name: str, inner: list[str]) -> str:
        entry = MAPS[name]
        if entry.code is None:
            raise CalculusError(f"code: {name} is not written for {self.target}")
        self.needed.update(entry.needs)
        return entry.code.format(*inner)

    def _helper(self, name: str, *arguments: object) -> str:
        self.needed.add(name)
        return f"{name}({', '.join(map(str, arguments))})"

    def _number(self, text: str) -> str:
        return f"torch.as_tensor(float({text}), **like)" if self.target == "torch" else text

    def _filled(self, function: str, *sizes: str) -> str:
        extra = ", **like" if self.target == "torch" else ""
        return f"xp.{function}({', '.join(sizes)}{extra})"

    def _zeros(self, node: Node) -> str:
        sizes = "".join(f"{self._size(dim)}, " for dim in node.shape)
        return self._filled("zeros", f"({sizes})")

    def _term(self, node: Node, term: Term) -> str:
        """A product; unit tensors and repeats are written out as eye and ones."""
        scale = [] if term.coefficient == 1 else [f"({float(term.coefficient)!r})"]
        scale += [self.names[factor] for factor, labels in term.factors if not labels]
        operands = [(self.names[f], labels) for f, labels in term.factors if labels]
        if not operands and not term.out:
            number = " * ".join(scale) or "1.0"
            return self._number(number) if not any(f for f in term.factors) else number
        read = {i for _, labels in operands for i in labels}
        out: list[int] = []
        fresh = 1 + max([*term.out, *read])
        for label, dim in zip(term.out, node.shape, strict=True):
            if label in out:
                operands.append((self._filled("eye", self._size(dim)), (label, fresh)))
                label, fresh = fresh, fresh + 1
            elif label not in read:
                operands.append((self._filled("ones", self._size(dim)), (label,)))
            out.append(label)
        if all(labels == tuple(out) for _, labels in operands):
            return " * ".join([*scale, *(name for name, _ in operands)])
        letters: dict[int, str] = {}
        for label in (*out, *(i for _, labels in operands for i in labels)):
            letters.setdefault(label, LETTERS[len(letters)])
        spec = ",".join("".join(letters[i] for i in labels) for _, labels in operands)
        spec += "->" + "".join(letters[i] for i in out)
        names = ", ".join(name for name, _ in operands)
        optimal = ", optimize=True" if self.target == "numpy" and len(operands) > 1 else ""
        return " * ".join([*scale, f"xp.einsum('{spec}', {names}{optimal})"])
