"""Products in matrix notation, where they have one: no more than two axes, and a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from curate.calculus.graph.node import Labels
from curate.calculus.show.formula import Formula, call, name, times, transposed


class Piece(NamedTuple):
    """A factor and the labels of its axes; vectors are columns."""

    formula: Formula
    labels: Labels


class NoMatrixForm(Exception):  # noqa: N818
    """The product has no matrix notation."""


Sizes = Mapping[int, Formula | None]
"""Per label of the result its size, or None where another term of the sum says it."""


def matrix_form(factors: Sequence[Piece], out: Labels, sizes: Sizes) -> Formula:
    """The product, summed over the labels that ``out`` lacks.

    Raises:
        NoMatrixForm: it needs more than matrices.
    """
    pieces, scalars = [], []
    for formula, labels in factors:
        if len(labels) > 2:
            raise NoMatrixForm
        if not labels:
            scalars.append(formula)
            continue
        if len(labels) == 2 and labels[0] == labels[1]:
            formula, labels = call("diag", formula), labels[:1]
        pieces.append(Piece(formula, labels))
    while True:
        pieces = _merged(pieces, out)
        summed = [i for piece in pieces for i in piece.labels if i not in out]
        if not summed:
            break
        closed = [p for p in pieces if not set(p.labels) & set(out) and _apart(p, pieces)]
        if closed:
            pieces = [p for p in pieces if p is not closed[0]]
            scalars.append(call("sum", closed[0].formula))
            continue
        uses = {i: [p for p in pieces if i in p.labels] for i in summed}
        label = min(summed, key=lambda i: len(uses[i]))
        rest = [piece for piece in pieces if label not in piece.labels]
        result = _eliminated(uses[label], label)
        scalars += [result.formula] if not result.labels else []
        pieces = [*rest, result] if result.labels else rest
    return _finished(pieces, scalars, out, sizes)


def ones(size: Formula | None) -> Formula:
    """A vector of ones."""
    return call("vector", name("1"), *([] if size is None else [size]))


def _apart(piece: Piece, pieces: list[Piece]) -> bool:
    return not any(set(piece.labels) & set(other.labels) for other in pieces if other is not piece)


def _merged(pieces: list[Piece], out: Labels) -> list[Piece]:
    """Elementwise products of pieces on the same labels; two that remain may be a dot product."""
    groups: dict[frozenset[int], list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(frozenset(piece.labels), []).append(piece)
    result = []
    for labels, members in groups.items():
        alone = all(not labels & other for other in groups if other != labels)
        if len(members) == 2 and alone and not labels & set(out) and len(labels) == 1:
            result += members
            continue
        first = members[0]
        others = [
            p.formula if p.labels == first.labels else transposed(p.formula) for p in members[1:]
        ]
        if others:
            first = Piece(Formula("elementwise_times", (first.formula, *others)), first.labels)
        result.append(first)
    return result


def _eliminated(pieces: list[Piece], label: int) -> Piece:
    if len(pieces) == 1:
        ((formula, labels),) = pieces
        if len(labels) == 1:
            return Piece(call("sum", formula), ())
        axis = labels.index(label)
        return Piece(call("sum", formula, name(str(axis))), (labels[1 - axis],))
    vectors = [piece for piece in pieces if len(piece.labels) == 1]
    matrices = [piece for piece in pieces if len(piece.labels) == 2]
    if len(pieces) == 3 and len(matrices) == 2 and vectors:
        one, two = _ending(matrices[0], label), _beginning(matrices[1], label)
        middle = call("diag", vectors[0].formula)
        return _closed(times(one.formula, middle, two.formula), (one.labels[0], two.labels[1]))
    if len(pieces) != 2:
        raise NoMatrixForm
    if len(vectors) == 2:
        return Piece(times(transposed(vectors[0].formula), vectors[1].formula), ())
    if len(vectors) == 1:
        matrix = _ending(matrices[0], label)
        return Piece(times(matrix.formula, vectors[0].formula), (matrix.labels[0],))
    one, two = _ending(matrices[0], label), _beginning(matrices[1], label)
    return _closed(times(one.formula, two.formula), (one.labels[0], two.labels[1]))


def _closed(formula: Formula, labels: Labels) -> Piece:
    if labels[0] == labels[1]:
        return Piece(call("diag", formula), labels[:1])
    return Piece(formula, labels)


def _ending(piece: Piece, label: int) -> Piece:
    if piece.labels[1] == label:
        return piece
    return Piece(transposed(piece.formula), piece.labels[::-1])


def _beginning(piece: Piece, label: int) -> Piece:
    return (
        piece if piece.labels[0] == label else Piece(transposed(piece.formula), piece.labels[::-1])
    )


def _finished(pieces: list[Piece], scalars: list[Formula], out: Labels, sizes: Sizes) -> Formula:
    distinct = tuple(dict.fromkeys(out))
    vectors = {piece.labels[0]: piece.formula for piece in pieces if len(piece.labels) == 1}
    matrices = [piece for piece in pieces if len(piece.labels) == 2]
    body: tuple[Formula, ...]
    if not out:
        body = ()
    elif len(distinct) == 1:
        vector = vectors.get(out[0])
        if len(out) == 1:
            body = (vector or ones(sizes[out[0]]),)
        else:
            size = sizes[out[0]]
            unit = name("eye") if size is None else call("eye", size)
            body = (call("diag", vector) if vector else unit,)
    elif matrices:
        middle = matrices[0]
        formula = middle.formula if middle.labels == out else transposed(middle.formula)
        left = (call("diag", vectors[out[0]]),) if out[0] in vectors else ()
        right = (call("diag", vectors[out[1]]),) if out[1] in vectors else ()
        body = (*left, formula, *right)
    elif vectors:
        one, two = (vectors.get(i) or ones(sizes[i]) for i in out)
        body = (one, transposed(two))
    else:
        both = [size for i in out if (size := sizes[i]) is not None]
        body = (call("matrix", name("1"), *(both if len(both) == 2 else [])),)
    every = (*scalars, *body)
    if not every:
        return Formula("number", (1,))
    if len(every) == 1:
        return every[0]
    return Formula("scaled", every) if scalars else times(*every)
