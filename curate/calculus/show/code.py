"""The expression and its derivative as a function of numpy, torch or JAX, without curate."""

from __future__ import annotations

import keyword
from collections.abc import Mapping

from curate.calculus.errors import CalculusError
from curate.calculus.graph.node import Dim, Node, Term, walk
from curate.calculus.show.formula import LETTERS

_IMPORTS = {
    "numpy": ["import numpy as np", "import scipy.special as special"],
    "torch": ["import torch", "import torch.special as special"],
    "jax": ["import jax.numpy as jnp", "import jax.scipy.special as special"],
}
_MODULE = {"numpy": "np", "torch": "torch", "jax": "jnp"}
_SPECIAL = ("erf", "erfc", "log_ndtr", "xlogy", "digamma")
_WRITTEN = {
    "sigmoid": "xp.exp(-softplus(-{0}))",
    "softplus": "softplus({0})",
    "relu": "xp.where({0} > 0, {0}, 0.0)",
    "step": "xp.where({0} > 0, 1.0, 0.0)",
    "slope": "xp.sign({0})",
    "root": "xp.sqrt({0})",
    "rsqrt_or_zero": "xp.where({0} == 0, 0.0, 1 / xp.sqrt(xp.where({0} == 0, 1.0, {0})))",
    "rsqrt_or_nan": "xp.where({0} == 0, float('nan'), 1 / xp.sqrt({0}))",
    "slope_or_nan": "xp.where({0} == 0, float('nan'), xp.sign({0}))",
    "kink": "xp.where({0} == 0, float('nan'), 0 * {0})",
    "log_or_zero": "xp.where({0} == 0, 0.0, xp.log(xp.where({0} == 0, 1.0, {0})))",
    "log1mexp": "xp.where({0} > -0.6931, xp.log(-xp.expm1({0})), xp.log1p(-xp.exp({0})))",
    "bose": "1 / xp.expm1({0})",
    "sphere0": "xp.cos(xp.sqrt({0}))",
    "sphere1": "xp.where({0} == 0, 1.0, "
    "xp.sin(xp.sqrt({0})) / xp.sqrt(xp.where({0} == 0, 1.0, {0})))",
    "mills": "xp.exp(-0.5 * {0} * {0} - special.log_ndtr({0})) / 2.5066282746310002",
    "anchor": "xp.where(xp.isinf({0}), 0.0, {0})",
    "capped": "xp.where({0} > cap({0}), cap({0}), {0})",
    "log_size": "xp.log(xp.abs({0}))",
    "pow": "{0} ** {1}",
    "power_slope": "xp.where({1} == 0, 0.0, {1} * {0} ** ({1} - 1))",
    "larger": "xp.maximum({0}, {1})",
}
_ALIKE = ("sin", "cos", "tan", "arcsin", "arccos", "arctan", "tanh", "exp", "log", "abs", "sign",
          "expm1", "log1p")  # fmt: skip
_CLOGLOG = """def cloglog(u):
    t = xp.exp(xp.where(u > 7, 7.0, u))
    inner = xp.where(t > 0.6931, xp.log1p(-xp.exp(-t)), xp.log(-xp.expm1(-t)))
    return xp.where(u < -40, u, inner)"""
_CLOGLOG_SLOPE = """def cloglog_slope(u):
    t = xp.exp(xp.where(u > 7, 7.0, u))
    return xp.where(u < -40, 1.0, xp.where(u > 7, 0.0, t / xp.expm1(t)))"""
_COFACTORS = """def cofactors(a):
    u, s, vh = xp.linalg.svd(a)
    others = [xp.prod(xp.concatenate([s[:k], s[k + 1 :]])) for k in range(len(s))]
    return xp.linalg.det(u) * xp.linalg.det(vh) * (u * xp.stack(others)) @ vh"""
_SIGNED = """def log_det(a):
    sign, logarithm = xp.linalg.slogdet(a)
    return xp.where(sign < 0, float('nan'), logarithm)"""
_HELPERS = {
    "softplus(": "def softplus(u):\n    return xp.logaddexp(u, 0 * u)",
    "cloglog(": _CLOGLOG, "cloglog_slope(": _CLOGLOG_SLOPE, "cofactors(": _COFACTORS,
    "log_det(": _SIGNED,
    "cap(": "def cap(u):\n    return math.log(xp.finfo(u.dtype).max) - 1",
}  # fmt: skip


def code_of(value: Node, slope: Node, scope: Mapping[str, Node], target: str) -> str:
    """The text of a module with ``value_and_gradient(...)``, its arguments in the scope's order.

    Raises:
        CalculusError: no such target, or a function that it lacks.
    """
    if target not in _IMPORTS:
        raise CalculusError(f"target: {target!r} is none of {', '.join(map(repr, _IMPORTS))}")
    writer = _Writer(scope, target)
    for node in walk(value, slope):
        writer.add(node)
    names = [writer.names[root] for root in (value, slope)]
    body = "\n".join(f"    {line}" for line in writer.lines)
    arguments = ", ".join(writer.spelled[name] for name in scope)
    function = f"def value_and_gradient({arguments}):\n{body}\n    return {names[0]}, {names[1]}"
    helpers = [text for call, text in _HELPERS.items() if call in function]
    imports = [line for line in _IMPORTS[target] if "special" not in line or "special." in function]
    if any("math." in text for text in helpers):
        imports.insert(0, "import math\n")
    text = "\n\n\n".join(["\n".join(imports), *helpers, function]) + "\n"
    module = _MODULE[target]
    text = text.replace("xp.", f"{module}.")
    if target == "torch":
        text = text.replace("torch.concatenate", "torch.cat")
    return text


class _Writer:
    """One line of Python per node, operands first."""

    def __init__(self, scope: Mapping[str, Node], target: str) -> None:
        self.target, self.lines = target, list[str]()
        taken = {"np", "torch", "jnp", "special", "math", "softplus", "cap", "like", "float"}
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
        if isinstance(dim, int):
            return str(dim)
        if dim not in self.sizes:
            raise CalculusError(f"code: the size {dim} follows from no variable; declare it")
        return self.sizes[dim]

    def _right_side(self, node: Node) -> str:
        if node.kind == "sum":
            return " + ".join(self._term(node, term) for term in node.data) or self._zeros(node)
        if node.kind == "size":
            return self._number(self._size(node.data))
        inner = [self.names[operand] for operand in node.args]
        if node.kind == "power":
            return f"{inner[0]} ** {float(node.data)!r}"
        if node.kind == "map":
            return self._map(node.data, inner)
        axes = tuple(range(-node.data, 0)) if node.kind in ("logsumexp", "largest") else ()
        if node.kind == "logsumexp":
            call = "torch.logsumexp" if self.target == "torch" else "special.logsumexp"
            return f"{call}({inner[0]}, {axes})"
        if node.kind == "largest":
            return f"xp.{'amax' if self.target == 'torch' else 'max'}({inner[0]}, {axes})"
        if node.kind == "minors" and node.data == 1:
            return f"cofactors({inner[0]})"
        if node.kind == "logdet":
            return f"log_det({inner[0]})" if node.data else f"xp.linalg.slogdet({inner[0]})[1]"
        if node.kind in ("inverse", "determinant"):
            return f"xp.linalg.{'inv' if node.kind == 'inverse' else 'det'}({inner[0]})"
        raise CalculusError(f"code: second derivatives of det are not written for {self.target}")

    def _map(self, name: str, inner: list[str]) -> str:
        if name in _WRITTEN:
            return _WRITTEN[name].format(*inner)
        if name in _ALIKE:
            return f"xp.{name}({inner[0]})"
        if name in ("cloglog", "cloglog_slope"):
            return f"{name}({inner[0]})"
        if name in _SPECIAL:
            return f"special.{name}({', '.join(inner)})"
        if name == "lgamma":
            return f"special.gammaln({inner[0]})"
        if name.startswith("polygamma"):
            return f"special.polygamma({name.removeprefix('polygamma')}, {inner[0]})"
        raise CalculusError(f"code: {name} is not written for {self.target}")

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
