"""Peephole optimisation of a finished program: scales into products, two operations into one."""

from __future__ import annotations

import re
from collections import Counter

from curate.calculus.compile.program import GRAM, MATMUL, Operation, Program, Value

_SCALED = re.compile(r"torch\.mul\(\{0\}, (-?[\d.e+-]+)\{out\}\)")
_MINUS = "torch.add({0}, {1}, alpha=-1.0{out})"
_AFFINE = re.compile(r"torch\.add\(constant\((\S+), like\), \{0\}, alpha=(\S+)\{out\}\)")
_SQUARE = "torch.mul({0}, {1}{out})"
_PRODUCTS = {
    MATMUL: "torch.addmm(constant(0.0, like), {{0}}, {{1}}, beta=0, alpha={}{{out}})",
    GRAM: "gram({{0}}, {{1}}, {}{{out}})",
    "torch.bmm({0}, {1}{out})": (
        "torch.baddbmm(constant(0.0, like), {{0}}, {{1}}, beta=0, alpha={}{{out}})"
    ),
}


def peephole(program: Program, roots: list[Value]) -> None:
    """Rewrite operations and roots in place; values that anything else reads stay as they are."""
    uses: Counter[str] = Counter(root.name for root in roots)
    for op in program.operations:
        uses.update(value.name for value in op.args)
    makers = {op.target.name: op for op in program.operations if not op.writes}
    gone: set[str] = set()
    renamed: dict[str, Value] = {}
    for op in program.operations:
        op.args = tuple(renamed.get(value.name, value) for value in op.args)
        if match := _SCALED.fullmatch(op.call):
            if _fold_scale(op, match[1], makers, uses):
                renamed[op.target.name] = op.args[0]
                uses[op.args[0].name] = uses[op.target.name]
                gone.add(op.target.name)
        elif match := _AFFINE.fullmatch(op.call):
            _fold_square(op, match[1], match[2], makers, uses, gone)
        if op.call == "torch.mul({0}, -1.0{out})":
            op.call = "torch.neg({0}{out})"
        elif op.call == _MINUS:
            op.call = "torch.sub({0}, {1}{out})"
    program.operations = [op for op in program.operations if op.target.name not in gone]
    roots[:] = [renamed.get(root.name, root) for root in roots]


def _fold_scale(
    op: Operation, scale: str, makers: dict[str, Operation], uses: Counter[str]
) -> bool:
    """``s * view(a @ b)``: whether the product has taken the scale."""
    maker = makers.get(op.args[0].name)
    while maker and uses[maker.target.name] == 1 and maker.view:
        maker = makers.get(maker.args[0].name)
    if maker and uses[maker.target.name] == 1 and maker.call in _PRODUCTS:
        maker.call = _PRODUCTS[maker.call].format(scale)
        return True
    return False


def _fold_square(
    op: Operation,
    constant: str,
    scale: str,
    makers: dict[str, Operation],
    uses: Counter[str],
    gone: set[str],
) -> None:
    """``c + s * (a * b)`` in one pass."""
    maker = makers.get(op.args[0].name)
    if maker and uses[maker.target.name] == 1 and maker.call == _SQUARE:
        op.call = f"torch.addcmul(constant({constant}, like), {{0}}, {{1}}, value={scale}{{out}})"
        op.args = maker.args
        uses[maker.target.name] = 0
        gone.add(maker.target.name)
