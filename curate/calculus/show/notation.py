"""From graphs to formulas in matrix notation, where there is one, else with einsum."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from curate.calculus.elementwise import MAPS
from curate.calculus.graph.algebra import constant_value
from curate.calculus.graph.node import Dim, Labels, Node, Term
from curate.calculus.graph.sizes import polynomial
from curate.calculus.rules.germs.germ import shown
from curate.calculus.show.formula import LETTERS, Formula, call, name, transposed
from curate.calculus.show.matrix_form import NoMatrixForm, Piece, Sizes, matrix_form, ones

_SHORT = {"inverse": "inv", "determinant": "det", "logdet": "logdet", "largest": "max",
          "pinverse": "pinv", "nuclear": "nuclear"}  # fmt: skip


def formula_of(node: Node) -> Formula:
    """The formula of a node; vectors are columns."""
    if node.kind == "variable":
        return name(node.data[0])
    if node.kind == "sum":
        return _sum(node)
    if node.kind == "size":
        return _size_value(node.data)
    if node.kind == "pattern":
        return _pattern(node)
    inner = tuple(formula_of(operand) for operand in node.args)
    if node.kind == "opaque" or node.data == "capped":
        return inner[0]
    if node.kind == "power":
        return _power(node, inner[0], Formula("number", (node.data,)))
    if node.kind == "germ":
        return formula_of(shown(node))
    if node.kind == "map":
        values = [constant_value(operand) for operand in node.args]
        if None in values:  # a number beside it counts for every element
            inner = tuple(
                formula if value is None else Formula("number", (value,))
                for formula, value in zip(inner, values, strict=True)
            )
        return _map(node, inner)
    function = {"maximum": "max", "logsumexp": "logsumexp", "others": "prod"}.get(node.kind)
    if function and (node.kind != "others" or not node.data):
        return call(function, *inner, *([name(f"axis={node.order}")] if node.order else []))
    if node.kind == "minors" and node.data == 1:
        return transposed(call("adj", *inner))
    if node.kind in ("minors", "others", "peaks", "polar"):
        return call(node.kind, *inner, name(str(node.data)))
    if node.kind == "spectral":
        function, order = node.data
        if not order:
            return call(f"{function}m", *inner)
        return call(f"{function}m_derivative", *inner, name(str(order)))
    if node.kind == "logdet" and node.data:
        return call("log", call("det", *inner))
    return call(_SHORT[node.kind], *inner)


def _map(node: Node, inner: tuple[Formula, ...]) -> Formula:
    if node.data in ("rsqrt_or_zero", "rsqrt_or_nan"):
        return _power(node, inner[0], Formula("number", (Fraction(-1, 2),)))
    if node.data == "pow":
        return _power(node, *inner)
    if node.data == "power_slope":
        u, v = inner
        less = Formula("sum", ((1, v), (-1, Formula("number", (1,)))))
        product = "elementwise_times" if node.order else "times"
        return Formula(product, (v, _power(node, u, less)))
    if node.data == "step":
        return Formula("compare", (">", inner[0], Formula("number", (0,))))
    shown = MAPS[node.data].shown
    if not shown.isidentifier():
        return Formula("compare", (shown, *inner))
    if node.data == "exceeds":
        half = Fraction(1, 2)
        return Formula("sum", tuple((half, Formula("compare", (s, *inner))) for s in (">", ">=")))
    return call(shown, *inner)


def _power(node: Node, base: Formula, exponent: Formula) -> Formula:
    if exponent == Formula("number", (Fraction(1, 2),)):
        return call("sqrt", base)
    return Formula("power" if node.order == 0 else "elementwise_power", (base, exponent))


def _sum(node: Node) -> Formula:
    shown = [term for term in node.data if not _is_anchor(term)]
    if not shown:
        return _zeros(node.shape)
    read = [{i for _, labels in term.factors for i in labels} for term in shown]
    terms = []
    for k, term in enumerate(shown):
        known = {
            axis
            for j, other in enumerate(shown)
            for axis, label in enumerate(other.out)
            if j != k and label in read[j]
        }
        sizes: dict[int, Formula | None] = {}
        for axis, label in enumerate(term.out):
            if axis in known or sizes.get(label, 0) is None:
                sizes[label] = None
            else:
                sizes[label] = size_of(node.shape[axis])
        terms.append((term.coefficient, _term(term, sizes)))
    # a sum that begins with a minus reads worse
    return Formula("sum", tuple(sorted(terms, key=lambda item: item[0] < 0)))


def _zeros(shape: tuple[Dim, ...]) -> Formula:
    sizes = [size_of(dim) for dim in shape]
    if len(shape) > 2:
        return call("zeros", *sizes)
    return [name("0"), call("vector", name("0"), *sizes), call("matrix", name("0"), *sizes)][
        len(shape)
    ]


def size_of(dim: Dim) -> Formula:
    """A size as an argument: a number, a symbol, ``size(x, 0)``, or a sum of products of these."""
    if isinstance(dim, int):
        return name(str(dim))
    # positive ones first: the language has no sign in front of a size
    return name(_joined(sorted(polynomial(dim), key=lambda term: term[1] < 0)))


def _joined(terms: Sequence[tuple[tuple[str, ...], int]]) -> str:
    text = ""
    for symbols, count in terms:
        parts = [_symbol(symbol) for symbol in symbols]
        if abs(count) != 1 or not parts:
            parts.insert(0, str(abs(count)))
        text += ("-" if count < 0 else "+" if text else "") + "*".join(parts)
    return text


def _symbol(symbol: str) -> str:
    variable, dot, axis = symbol.rpartition(".")
    return f"size({variable}, {axis})" if dot else symbol


def _size_value(symbol: str) -> Formula:
    text = _symbol(symbol)
    return name(text if text != symbol else f"size({symbol})")


def _pattern(node: Node) -> Formula:
    kind, start = node.data
    sizes = [size_of(dim) for dim in (node.shape[1:] if kind == "fuse" else node.shape)]
    place = [] if kind == "fuse" else [size_of(start)]
    return call(f"{kind}_pattern", *place, *sizes)


def _is_anchor(term: Term) -> bool:
    """Whether a term is only there so that exponentials do not overflow."""
    return any(node.kind == "map" and node.data == "anchor" for node, _ in term.factors)


def _term(term: Term, sizes: Sizes) -> Formula:
    distinct = tuple(dict.fromkeys(term.out))
    read = {label for _, labels in term.factors for label in labels}
    core = tuple(label for label in distinct if label in read)
    pieces = _pieces(term)
    try:
        if len(term.out) <= 2:
            return matrix_form(pieces, term.out, sizes)
        if len(term.out) == 4 and (product := _kronecker(pieces, term.out, sizes)):
            return product
        if len(core) <= 2:
            inner = matrix_form(pieces, core, sizes)
            return _spelled([Piece(inner, core)], term.out, sizes)
    except NoMatrixForm:
        pass
    return _spelled(pieces, term.out, sizes)


def _pieces(term: Term) -> list[Piece]:
    """The factors; vectors and matrices that patterns cut or flatten as ``x[1:3]``, ``vec(A)``."""
    pieces = [Piece(formula_of(n), labels) for n, labels in term.factors if n.kind != "pattern"]
    for node, labels in term.factors:
        if node.kind != "pattern":
            continue
        taken = _cut(node, labels, pieces, term)
        if taken is None:
            pieces.append(Piece(formula_of(node), labels))
        else:
            pieces = taken
    return pieces


def _cut(node: Node, labels: Labels, pieces: list[Piece], term: Term) -> list[Piece] | None:
    kind, start = node.data
    gone = set(labels[1:] if kind == "fuse" else labels[-1:])
    mine = [piece for piece in pieces if gone & set(piece.labels)]
    uses = sum(bool(gone & set(axes)) for _, axes in term.factors)
    if kind == "lower" or len(mine) != 1 or uses != 2 or gone & set(term.out):
        return None
    (piece,) = mine
    if len(set(piece.labels)) < len(piece.labels) or not 1 <= len(piece.labels) <= 2:
        return None
    rest = [other for other in pieces if other is not piece]
    if kind == "fuse":
        if set(piece.labels) != gone:
            return None
        columns = piece.formula if piece.labels == labels[:0:-1] else transposed(piece.formula)
        return [*rest, Piece(call("vec", columns), labels[:1])]
    if not isinstance(start, int):
        return None
    axis = piece.labels.index(labels[-1])
    if kind == "index":
        key = f"{start}" if axis == 0 else f":, {start}"
        formula = Formula("item", (piece.formula, key))
        if axis == 0 and len(piece.labels) == 2:
            formula = transposed(formula)
        return [*rest, Piece(formula, tuple(i for i in piece.labels if i != labels[-1]))]
    length = node.shape[0]
    if isinstance(length, int):
        ends = f"{start}:{start + length}"
    else:
        return None
    key = ends if axis == 0 else f":, {ends}"
    axes = tuple(labels[0] if i == labels[-1] else i for i in piece.labels)
    return [*rest, Piece(Formula("item", (piece.formula, key)), axes)]


def _kronecker(pieces: list[Piece], out: Labels, sizes: Sizes) -> Formula | None:
    """``A_ik B_jl`` as a product of two matrices whose axes alternate; None where it is not so."""
    i, j, k, m = out
    if {i, k} & {j, m}:
        return None
    ours: list[Piece] = []
    reached = {i, k}
    while more := [p for p in pieces if p not in ours and reached & set(p.labels)]:
        ours += more
        reached |= {label for piece in more for label in piece.labels}
    if reached & {j, m}:
        return None
    others = [piece for piece in pieces if piece.labels and piece not in ours]
    scalars = [piece.formula for piece in pieces if not piece.labels]
    if not any({*p.labels} & {i, k, j, m} for p in pieces):
        return None
    left = matrix_form(ours, (i, k), sizes)
    right = matrix_form(others, (j, m), sizes)
    body = call("kron_tensor", left, right)
    return Formula("scaled", (*scalars, body)) if scalars else body


def _spelled(factors: Sequence[Piece], out: Labels, sizes: Sizes) -> Formula:
    kept = [piece for piece in factors if piece.labels]
    scalars = [piece.formula for piece in factors if not piece.labels]
    read = {i for _, labels in kept for i in labels}
    for label in dict.fromkeys(out):
        if label not in read:
            kept.append(Piece(ones(sizes[label]), (label,)))
    letters = {label: LETTERS[k] for k, label in enumerate(dict.fromkeys(out))}
    for _, labels in kept:
        for label in labels:
            letters.setdefault(label, LETTERS[len(letters)])
    left = ",".join("".join(letters[i] for i in labels) for _, labels in kept)
    spec = f'"{left}->{"".join(letters[i] for i in out)}"'
    body = call("einsum", name(spec), *(formula for formula, _ in kept))
    return Formula("scaled", (*scalars, body)) if scalars else body
