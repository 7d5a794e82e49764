"""The canonical form of a term: equal terms get equal labels and factors in equal order."""

from curate.calculus.graph.node import Labels, Node, Number, Term

Factors = tuple[tuple[Node, Labels], ...]


def canonical(coefficient: Number, factors: Factors, out: Labels) -> Term:
    """Rename and sort so that terms which differ in names and order only become the same.

    Labels are coloured by where they occur (refined as graph colours are), factors are sorted by
    node and colours, and labels are then named by first occurrence, outputs first.
    """
    colours = _colours(factors, out)
    oriented = [_orient(node, labels, colours) for node, labels in factors]
    oriented.sort(key=lambda factor: (factor[0].birth, [colours[label] for label in factor[1]]))
    names = _names(oriented, out)
    renamed = [
        _orient(node, tuple(names[label] for label in labels), None) for node, labels in oriented
    ]
    renamed.sort(key=lambda factor: (factor[0].birth, factor[1]))
    return Term(coefficient, tuple(renamed), tuple(names[label] for label in out))


def _colours(factors: Factors, out: Labels) -> dict[int, int]:
    places: dict[int, list] = {label: [] for label in out}
    for _, labels in factors:
        for label in labels:
            places.setdefault(label, [])
    colours = _ranked(
        {label: [k for k, other in enumerate(out) if other == label] for label in places}
    )
    for _ in range(4):
        seen: dict[int, list] = {label: [] for label in places}
        for node, labels in factors:
            swap = len(labels) == 2 and is_symmetric(node)
            around = [colours[label] for label in labels]
            for axis, label in enumerate(labels):
                mine = sorted(around) if swap else around
                seen[label].append((node.birth, 0 if swap else axis, mine))
        refined = _ranked({label: (colours[label], sorted(seen[label])) for label in places})
        if len(set(refined.values())) == len(set(colours.values())):
            return refined
        colours = refined
    return colours


def _ranked(keys: dict) -> dict[int, int]:
    distinct: list = []
    for key in sorted(keys.values()):
        if not distinct or distinct[-1] != key:
            distinct.append(key)
    return {label: distinct.index(key) for label, key in keys.items()}


def _orient(node: Node, labels: Labels, colours: dict[int, int] | None) -> tuple[Node, Labels]:
    if len(labels) == 2 and is_symmetric(node):
        keys = labels if colours is None else (colours[labels[0]], colours[labels[1]])
        if keys[0] > keys[1]:
            return node, (labels[1], labels[0])
    return node, labels


def _names(factors: list[tuple[Node, Labels]], out: Labels) -> dict[int, int]:
    names: dict[int, int] = {}
    for labels in (out, *(labels for _, labels in factors)):
        for label in labels:
            names.setdefault(label, len(names))
    return names


def is_symmetric(node: Node) -> bool:
    """Whether a square matrix is known to equal its transpose."""
    if node.symmetric is None:
        node.symmetric = _is_symmetric(node)
    return node.symmetric


def _is_symmetric(node: Node) -> bool:
    if node.order != 2 or node.shape[0] != node.shape[1]:
        return False
    if node.kind == "variable":
        return node.data[1] in ("symmetric!", "definite!")
    if node.kind in ("map", "power", "germ", "inverse", "opaque"):
        return all(is_symmetric(operand) for operand in node.args)
    if node.kind == "sum":
        transposed = {
            canonical(term.coefficient, term.factors, term.out[::-1]) for term in node.data
        }
        return transposed == set(node.data)
    return False
