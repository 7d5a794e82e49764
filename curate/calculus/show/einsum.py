"""The graph as text: a program in einsum notation, and Graphviz."""

from __future__ import annotations

from curate.calculus.graph.node import Labels, Node, Term, walk
from curate.calculus.show.formula import LETTERS, plain


def einsum_text(root: Node) -> str:
    """One line per node, operands first; a repeated output label is a unit tensor."""
    names: dict[Node, str] = {}
    lines: list[str] = []
    for node in walk(root):
        if node.kind == "variable":
            names[node] = node.data[0]
            continue
        if node.kind == "size":
            names[node] = f"size({node.data})"
            continue
        names[node] = f"t{len(lines) + 1}"
        lines.append(f"{names[node]} = {_right_side(node, names)}")
    return "\n".join([*lines, f"return {names[root]}"])


def _right_side(node: Node, names: dict[Node, str]) -> str:
    if node.kind == "sum":
        terms = [_term(term, names) for term in node.data]
        return " + ".join(terms) or f"zeros{node.shape}"
    inner = ", ".join(names[operand] for operand in node.args)
    return f"{_title(node)}({inner})"


def _title(node: Node) -> str:
    if node.kind == "map":
        return node.data
    if node.kind == "power":
        return f"power[{plain(node.data)}]"
    return f"minors[{node.data}]" if node.kind == "minors" else node.kind


def _term(term: Term, names: dict[Node, str]) -> str:
    operands = ", ".join(names[node] for node, _ in term.factors)
    spec = f'"{_spec(term)}"'
    body = f"einsum({spec}{', ' + operands if operands else ''})"
    return body if term.coefficient == 1 else f"{plain(term.coefficient)} * {body}"


def _spec(term: Term) -> str:
    def letters(labels: Labels) -> str:
        return "".join(LETTERS[label] for label in labels)

    return ",".join(letters(labels) for _, labels in term.factors) + "->" + letters(term.out)


def dot_text(root: Node) -> str:
    """A digraph with an arrow from every operand to what reads it."""
    order = walk(root)
    number = {node: k for k, node in enumerate(order)}
    lines = ["digraph expression {", "  rankdir=BT;"]
    for node in order:
        if node.kind == "variable":
            label, shape = node.data[0], "box"
        elif node.kind == "sum":
            label, shape = (
                "\\n".join(f"{plain(t.coefficient)} · {_spec(t)}" for t in node.data) or "0",
                "ellipse",
            )
        else:
            label, shape = _title(node), "ellipse"
        lines.append(f'  n{number[node]} [label="{label}", shape={shape}];')
        lines += [
            f"  n{number[operand]} -> n{number[node]};" for operand in dict.fromkeys(node.operands)
        ]
    return "\n".join([*lines, "}"])
