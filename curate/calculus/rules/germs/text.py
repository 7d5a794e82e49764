"""How a germ is written as Python, in generated programs and in stand-alone code."""

from __future__ import annotations

from curate.calculus.elementwise import MAPS
from curate.calculus.errors import CalculusError
from curate.calculus.graph.node import Node, Term
from curate.calculus.rules.germs.germ import sides
from curate.calculus.rules.germs.series import T


def germ_text(node: Node, target: str | None = None) -> tuple[str, set[str]]:
    """What follows the first argument in a call of ``near_zero``; the helpers and modules it needs.

    Args:
        target: the module that stand-alone code is for; None for generated programs.

    Raises:
        CalculusError: a function that stand-alone code lacks.
    """
    function, n, even = node.data
    near, needed = sides(function, n, even), {"near_zero"}
    module = "torch" if target is None else "xp"

    def text(below: Node) -> str:
        if below is T:
            return f"{module}.sqrt(r)" if even else "r"
        if below.kind == "opaque":
            return "s"
        if below.kind == "sum":
            return f"({' + '.join(map(product, below.data)) or '0.0'})"
        operands = [text(operand) for operand in below.args]
        if below.kind == "power":
            return f"({operands[0]} ** {float(below.data)!r})"
        if below.kind == "germ":
            more, others = germ_text(below, target)
            needed.update(others)
            return f"near_zero({', '.join([operands[0], more, *operands[1:]])})"
        entry = MAPS[below.data]
        if target is None:
            return entry.torch.format(*operands, out="")
        if entry.code is None:
            raise CalculusError(f"code: {below.data} is not written for {target}")
        needed.update(entry.needs)
        return f"({entry.code.format(*operands)})"

    def product(term: Term) -> str:
        scale = [] if term.coefficient == 1 and term.factors else [repr(float(term.coefficient))]
        return " * ".join([*scale, *(text(factor) for factor, _ in term.factors)])

    return f"{list(near.series)}, {near.radius}, lambda r, s: {text(near.far)}", needed
