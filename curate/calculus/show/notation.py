"""From graphs to formulas in matrix notation, where there is one."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from curate.calculus.graph.algebra import zero
from curate.calculus.graph.node import Labels, Node, Term
from curate.calculus.show.formula import LETTERS, Formula, call, name, times, transposed


class _Piece(NamedTuple):
    formula: Formula
    labels: Labels


class _NoMatrixForm(Exception):  # noqa: N818
    pass


_SPELLED = {"log_or_zero": "log", "slope": "sign", "slope_or_nan": "sign"}
_ONE = call("vector", name("1"))


def formula_of(node: Node) -> Formula:
    """The formula of a node; vectors are columns."""
    if node.kind == "variable":
        return name(node.data[0])
    if node.kind == "sum":
        if not node.data:
            zeros = {0: name("0"), 1: call("vector", name("0")), 2: call("matrix", name("0"))}
            return zeros.get(node.order, name(f"zeros{node.shape}"))
        shown = [term for term in node.data if not _is_anchor(term)]
        if not shown:
            return formula_of(zero(node.shape))
        terms = tuple((term.coefficient, _term(term)) for term in shown)
        # a sum that begins with a minus reads worse
        ordered = tuple(sorted(terms, key=lambda item: item[0] < 0))
        return Formula("sum", ordered)
    if node.kind == "size":
        return name(f"size({node.data})")
    inner = tuple(formula_of(operand) for operand in node.args)
    if node.kind == "opaque" or node.data == "capped":
        return inner[0]
    if node.data == "sphere0":
        return call("cos", call("sqrt", *inner))
    if node.data == "root":
        return call("sqrt", *inner)
    if node.data in ("rsqrt_or_zero", "rsqrt_or_nan"):
        op = "power" if node.order == 0 else "elementwise_power"
        return Formula(op, (inner[0], Formula("number", (Fraction(-1, 2),))))
    if node.data == "power_slope":
        u, v = inner
        less = Formula("sum", ((1, v), (-1, Formula("number", (1,)))))
        op, product = (
            ("elementwise_power", "elementwise_times") if node.order else ("power", "times")
        )
        return Formula(product, (v, Formula(op, (u, less))))
    if node.kind == "power" or node.data == "pow":
        if node.data == Fraction(1, 2):
            return call("sqrt", *inner)
        exponent = inner[1] if node.data == "pow" else Formula("number", (node.data,))
        return Formula("power" if node.order == 0 else "elementwise_power", (inner[0], exponent))
    if node.kind == "map":
        if node.data == "step":
            return call("relu", call("sign", *inner))
        return call(_SPELLED.get(node.data, node.data), *inner)
    if node.kind == "minors" and node.data == 1:
        return transposed(call("adj", *inner))
    if node.kind == "minors":
        return call("minors", *inner, name(str(node.data)))
    if node.kind == "logsumexp":
        if node.order:
            return call("logsumexp", *inner, name(str(node.order)))
        return call("logsumexp", *inner)
    if node.kind == "logdet" and node.data:
        return call("log", call("det", *inner))
    short = {"inverse": "inv", "determinant": "det", "logdet": "logdet", "largest": "max"}
    return call(short[node.kind], *inner)


def _is_anchor(term: Term) -> bool:
    """Whether a term is only there so that exponentials do not overflow."""
    return any(node.kind == "map" and node.data == "anchor" for node, _ in term.factors)


def _term(term: Term) -> Formula:
    distinct = tuple(dict.fromkeys(term.out))
    read = {label for _, labels in term.factors for label in labels}
    core = tuple(label for label in distinct if label in read)
    try:
        if len(term.out) <= 2:
            return _matrix_form(term.factors, term.out)
        if len(core) <= 2:
            inner = _matrix_form(term.factors, core)
            return _spelled(((inner, core),), term.out)
    except _NoMatrixForm:
        pass
    return _spelled(tuple((formula_of(node), labels) for node, labels in term.factors), term.out)


def _spelled(factors: tuple[tuple[Formula, Labels], ...], out: Labels) -> Formula:
    letters = {label: LETTERS[k] for k, label in enumerate(dict.fromkeys(out))}
    for _, labels in factors:
        for label in labels:
            letters.setdefault(label, LETTERS[len(letters)])
    kept = [(formula, labels) for formula, labels in factors if labels or len(factors) == 1]
    scalars = [formula for formula, labels in factors if not labels and len(factors) > 1]
    left = ",".join("".join(letters[i] for i in labels) for _, labels in kept)
    spec = f'"{left}->{"".join(letters[i] for i in out)}"'
    body = call("einsum", name(spec), *(formula for formula, _ in kept))
    return Formula("scaled", (*scalars, body)) if scalars else body


def _matrix_form(factors: tuple[tuple[Node, Labels], ...], out: Labels) -> Formula:
    pieces, scalars = [], []
    for node, labels in factors:
        if node.order > 2:
            raise _NoMatrixForm
        formula = formula_of(node)
        if not labels:
            scalars.append(formula)
            continue
        if len(labels) == 2 and labels[0] == labels[1]:
            formula, labels = call("diag", formula), labels[:1]
        pieces.append(_Piece(formula, labels))
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
    return _finished(pieces, scalars, out)


def _apart(piece: _Piece, pieces: list[_Piece]) -> bool:
    return not any(set(piece.labels) & set(other.labels) for other in pieces if other is not piece)


def _merged(pieces: list[_Piece], out: Labels) -> list[_Piece]:
    """Elementwise products of pieces on the same labels; two that remain may be a dot product."""
    groups: dict[frozenset[int], list[_Piece]] = {}
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
            first = _Piece(Formula("elementwise_times", (first.formula, *others)), first.labels)
        result.append(first)
    return result


def _eliminated(pieces: list[_Piece], label: int) -> _Piece:
    if len(pieces) == 1:
        ((formula, labels),) = pieces
        if len(labels) == 1:
            return _Piece(call("sum", formula), ())
        axis = labels.index(label)
        return _Piece(call("sum", formula, name(str(axis))), (labels[1 - axis],))
    vectors = [piece for piece in pieces if len(piece.labels) == 1]
    matrices = [piece for piece in pieces if len(piece.labels) == 2]
    if len(pieces) == 3 and len(matrices) == 2 and vectors:
        one, two = _ending(matrices[0], label), _beginning(matrices[1], label)
        middle = call("diag", vectors[0].formula)
        return _closed(times(one.formula, middle, two.formula), (one.labels[0], two.labels[1]))
    if len(pieces) != 2:
        raise _NoMatrixForm
    if len(vectors) == 2:
        return _Piece(times(transposed(vectors[0].formula), vectors[1].formula), ())
    if len(vectors) == 1:
        matrix = _ending(matrices[0], label)
        return _Piece(times(matrix.formula, vectors[0].formula), (matrix.labels[0],))
    one, two = _ending(matrices[0], label), _beginning(matrices[1], label)
    return _closed(times(one.formula, two.formula), (one.labels[0], two.labels[1]))


def _closed(formula: Formula, labels: Labels) -> _Piece:
    if labels[0] == labels[1]:
        return _Piece(call("diag", formula), labels[:1])
    return _Piece(formula, labels)


def _ending(piece: _Piece, label: int) -> _Piece:
    if piece.labels[1] == label:
        return piece
    return _Piece(transposed(piece.formula), piece.labels[::-1])


def _beginning(piece: _Piece, label: int) -> _Piece:
    return (
        piece if piece.labels[0] == label else _Piece(transposed(piece.formula), piece.labels[::-1])
    )


def _finished(pieces: list[_Piece], scalars: list[Formula], out: Labels) -> Formula:
    distinct = tuple(dict.fromkeys(out))
    vectors = {piece.labels[0]: piece.formula for piece in pieces if len(piece.labels) == 1}
    matrices = [piece for piece in pieces if len(piece.labels) == 2]
    body: tuple[Formula, ...]
    if not out:
        body = ()
    elif len(distinct) == 1:
        vector = vectors.get(out[0])
        if len(out) == 1:
            body = (vector or _ONE,)
        else:
            body = (call("diag", vector) if vector else name("eye"),)
    elif matrices:
        middle = matrices[0]
        formula = middle.formula if middle.labels == out else transposed(middle.formula)
        left = (call("diag", vectors[out[0]]),) if out[0] in vectors else ()
        right = (call("diag", vectors[out[1]]),) if out[1] in vectors else ()
        body = (*left, formula, *right)
    elif vectors:
        body = (vectors.get(out[0], _ONE), transposed(vectors.get(out[1], _ONE)))
    else:
        body = (call("matrix", name("1")),)
    every = (*scalars, *body)
    if not every:
        return Formula("number", (1,))
    if len(every) == 1:
        return every[0]
    return Formula("scaled", every) if scalars else times(*every)
