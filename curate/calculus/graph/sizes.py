"""Symbolic sizes: which axes have to be equal, and which operation requires it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from curate.calculus.errors import ShapeError
from curate.calculus.graph.node import Dim


class Reason(NamedTuple):
    """Why axes of size ``dim`` are equal: the operation, and where it stands in the text."""

    dim: Dim
    where: str


def unify(pairs: Iterable[tuple[Dim, Dim]], complain: str) -> dict[Dim, Dim]:
    """Names for sizes that make every pair equal; known sizes and the caller's symbols win.

    Raises:
        ShapeError: with ``complain``, when two known sizes or two declared symbols differ.
    """
    names: dict[Dim, Dim] = {}

    def find(dim: Dim) -> Dim:
        while dim in names:
            dim = names[dim]
        return dim

    for one, two in pairs:
        one, two = find(one), find(two)
        if one == two:
            continue
        if _rank(one) > _rank(two):
            one, two = two, one
        if _rank(two)[0] == 0 or (_rank(one)[0] == _rank(two)[0] == 1):
            raise ShapeError(f"{complain}: size {one} is not size {two}")
        names[two] = one
    return {dim: find(dim) for dim in names}


def _rank(dim: Dim) -> tuple[int, str]:
    if isinstance(dim, int):
        return 0, str(dim)
    if dim.startswith("?"):
        return 3, dim
    return (2 if "." in dim else 1), dim


def shown(shape: tuple[Dim, ...]) -> str:
    """A shape for a message."""
    if not shape:
        return "scalar"
    return "(" + ", ".join(str(dim) for dim in shape) + ("," if len(shape) == 1 else "") + ")"
