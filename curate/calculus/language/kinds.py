"""Kinds of variables: the defaults of matrixcalculus.org and the declarations of a caller."""

from __future__ import annotations

import re
from typing import Any

from curate.calculus.errors import CalculusError
from curate.calculus.expression import Expression
from curate.calculus.graph.node import Dim
from curate.calculus.language import functions

_WORDS = {
    "symmetric": "symmetric",
    "sym": "symmetric",
    "positive": "definite",
    "definite": "definite",
    "pd": "definite",
    "spd": "definite",
    "psd": "symmetric",
    "diagonal": "diagonal",
    "diag": "diagonal",
}


def default_kind(name: str) -> str | None:
    """a–g scalar, h–z vector, A–Z matrix, by the first letter; anything else has to be declared."""
    letter = name[0]
    if "A" <= letter <= "Z":
        return "matrix"
    if "a" <= letter <= "g":
        return "scalar"
    return "vector" if "h" <= letter <= "z" else None


def variable(name: str, kind: Any) -> Expression:
    """A variable of a declared kind.

    Args:
        name: of the variable.
        kind: ``"scalar"``, ``"vector"``, ``"vector(n)"``, ``"symmetric matrix"``,
            ``"positive definite matrix(n, n)"``, ``"tensor(3)"``, ``"tensor(i, j, k)"``; an
            order (int); or an expression that declares a variable of this name.

    Raises:
        CalculusError: a kind that is none of these.
    """
    if isinstance(kind, Expression) and kind.node.kind == "variable":
        if kind.node.data[0] != name:
            raise CalculusError(f"{name}: declared by the variable {kind.node.data[0]!r}")
        return kind
    if isinstance(kind, int) and not isinstance(kind, bool) and kind >= 0:
        return functions.tensor(name, order=kind)
    if not isinstance(kind, str):
        raise _unknown(name, kind)
    words = re.match(r"^([a-z\s,_-]*?)(\d*)\s*(?:[(\[]([^)\]]*)[)\]])?$", kind.strip().lower())
    if words is None:
        raise _unknown(name, kind)
    inside = re.search(r"[(\[]([^)\]]*)[)\]]", kind)
    sizes: list[Dim] = [
        int(part) if part.strip().isdigit() else part.strip()
        for part in (inside.group(1).split(",") if inside else [])
        if part.strip()
    ]
    names = [word for word in re.split(r"[\s,_-]+", words.group(1)) if word]
    base = [word for word in names if word in ("scalar", "vector", "matrix", "tensor")]
    structures = {_WORDS.get(word) for word in names if word not in base}
    if None in structures or len(base) > 1 or (not base and not structures):
        raise _unknown(name, kind)
    what = base[0] if base else "matrix"
    if what == "tensor":
        if words.group(2) or (len(sizes) == 1 and isinstance(sizes[0], int)):
            order = int(words.group(2) or sizes[0])
            return functions.tensor(name, order=order)
        return functions.tensor(name, *sizes)
    wanted = {"scalar": 0, "vector": 1, "matrix": 2}[what]
    if len(sizes) not in (0, wanted) or (structures and what != "matrix"):
        raise _unknown(name, kind)
    if what == "scalar":
        return functions.scalar(name)
    if what == "vector":
        return functions.vector(name, *sizes)
    return functions.matrix(
        name,
        *sizes,
        symmetric="symmetric" in structures,
        positive_definite="definite" in structures,
        diagonal="diagonal" in structures,
    )


def _unknown(name: str, kind: Any) -> CalculusError:
    return CalculusError(
        f"{name}: the kind {kind!r} is none of 'scalar', 'vector', 'matrix', 'symmetric matrix', "
        "'positive definite matrix', 'diagonal matrix', 'tensor(3)' (sizes may follow: "
        "'matrix(m, n)')"
    )
