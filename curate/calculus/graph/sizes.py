"""Symbolic sizes: which axes have to be equal, and which operation requires it.

A size is a number, a symbol (``x.0`` is axis 0 of x), or a polynomial of symbols in one canonical
text, as ``A.0*A.1`` for a flattened matrix and ``x.0-1`` for a vector without its first element.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from curate.calculus.errors import ShapeError
from curate.calculus.graph.node import Dim

Monomial = tuple[str, ...]
_MONOMIAL = re.compile(r"([+-]?)([^+-]+)")


class Reason(NamedTuple):
    """Why axes of size ``dim`` are equal: the operation, and where it stands in the text."""

    dim: Dim
    where: str


@lru_cache(maxsize=4096)
def polynomial(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    """The size as whole multiples of products of symbols; the empty product is 1."""
    if isinstance(dim, int):
        return (((), dim),) if dim else ()
    found: Counter[Monomial] = Counter()
    for sign, product in _MONOMIAL.findall(dim.replace(" ", "")):
        factors = product.split("*")
        symbols = tuple(sorted(factor for factor in factors if not factor.isdigit()))
        count = math.prod(int(factor) for factor in factors if factor.isdigit())
        found[symbols] += -count if sign == "-" else count
    return tuple(sorted((symbols, count) for symbols, count in found.items() if count))


def _spelled(terms: Mapping[Monomial, int]) -> Dim:
    kept = sorted((item for item in terms.items() if item[1]), key=lambda item: (not item[0], item))
    if all(not symbols for symbols, _ in kept):
        return sum(count for _, count in kept)
    text = ""
    for symbols, count in kept:
        size = [] if abs(count) == 1 and symbols else [str(abs(count))]
        text += ("-" if count < 0 else "+" if text else "") + "*".join([*size, *symbols])
    return text


def added(*dims: Dim) -> Dim:
    """The sum of sizes."""
    found: Counter[Monomial] = Counter()
    for dim in dims:
        for symbols, count in polynomial(dim):
            found[symbols] += count
    return _spelled(found)


def multiplied(*dims: Dim) -> Dim:
    """The product of sizes."""
    found: Counter[Monomial] = Counter({(): 1})
    for dim in dims:
        product: Counter[Monomial] = Counter()
        for one, count in found.items():
            for two, other in polynomial(dim):
                product[tuple(sorted(one + two))] += count * other
        found = product
    return _spelled(found)


def symbols_of(dim: Dim) -> set[str]:
    """The symbols that a size is made of."""
    return {symbol for symbols, _ in polynomial(dim) for symbol in symbols}


def renamed(dim: Dim, names: Mapping[Dim, Dim]) -> Dim:
    """The size with other sizes for its symbols."""
    if dim in names:
        return names[dim]
    if isinstance(dim, int) or not symbols_of(dim) & names.keys():
        return dim
    terms = (
        multiplied(count, *(names.get(symbol, symbol) for symbol in symbols))
        for symbols, count in polynomial(dim)
    )
    return added(*terms)


def size_in(dim: Dim, sizes: Mapping[Dim, int]) -> int | None:
    """The number that a size is, or None where a symbol of it has none."""
    if isinstance(dim, int):
        return dim
    if dim in sizes:
        return sizes[dim]
    if not symbols_of(dim) <= sizes.keys():
        return None
    return sum(
        count * math.prod(sizes[symbol] for symbol in symbols) for symbols, count in polynomial(dim)
    )


def solved(one: Dim, two: Dim) -> tuple[str, Dim] | None:
    """A symbol and the size that it has, where one is two; the less it was declared the better."""
    terms = dict(polynomial(added(one, multiplied(-1, two))))
    often = Counter(symbol for symbols in terms for symbol in symbols)
    alone = [
        symbol for (symbol, *more), count in ((s, c) for s, c in terms.items() if s)
        if not more and often[symbol] == 1 and abs(count) == 1
    ]  # fmt: skip
    if not alone:
        return _same_root(polynomial(one), polynomial(two))
    symbol = max(alone, key=_rank)
    count = terms.pop((symbol,))
    return symbol, _spelled({symbols: -count * c for symbols, c in terms.items()})


def _same_root(
    one: tuple[tuple[Monomial, int], ...], two: tuple[tuple[Monomial, int], ...]
) -> tuple[str, Dim] | None:
    """``n n = m m`` says ``n = m``, and so does ``n k = m k``."""
    if not len(one) == len(two) == 1 or one[0][1] != two[0][1]:
        return None
    left, right = Counter(one[0][0]), Counter(two[0][0])
    left, right = left - right, right - left
    for symbol in left:  # A.0 B.0 = A.1 B.1: matrices that are square
        name, dot, _ = symbol.rpartition(".")
        mine = [other for other in right if dot and other.rpartition(".")[0] == name]
        if len(mine) == 1 and left[symbol] == right[mine[0]] == 1:
            return max(symbol, mine[0]), min(symbol, mine[0])
    if not len(left) == len(right) == 1 or [*left.values()] != [*right.values()]:
        return None
    symbol, other = sorted((*left, *right), key=_rank)
    return other, symbol


def unify(pairs: Iterable[tuple[Dim, Dim]], complain: str) -> dict[Dim, Dim]:
    """Names for sizes that make every pair equal; known sizes and the caller's symbols win.

    Raises:
        ShapeError: with ``complain``, when two known sizes or two declared symbols differ.
    """
    names: dict[Dim, Dim] = {}

    def find(dim: Dim) -> Dim:
        while (other := renamed(dim, names)) != dim:
            dim = other
        return dim

    todo = list(pairs)[::-1]
    while todo:
        one, two = (find(dim) for dim in todo.pop())
        if one == two:
            continue
        if _rank(one) > _rank(two):
            one, two = two, one
        if (
            _is_symbol(two)
            and two not in symbols_of(one)
            and (_rank(two)[0] > 1 or isinstance(one, int) or not _is_symbol(one))
        ):
            names[two] = one
            continue
        found = None if _is_symbol(one) and _is_symbol(two) else solved(one, two)
        if found is None or (isinstance(found[1], int) and found[1] < 0):
            raise ShapeError(f"{complain}: size {one} is not size {two}")
        names[found[0]] = found[1]
        todo.append((one, two))  # which may say more
    return {dim: find(dim) for dim in names}


def _is_symbol(dim: Dim) -> bool:
    return polynomial(dim) == (((dim,), 1),)


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
