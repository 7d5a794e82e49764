"""A graph as a plain list, operands first: what is pickled, as the nodes of one process are unique.

A node pickled by itself would come back as a second object beside the one of the same
description, and equal nodes would no longer be one; deep graphs would recurse as deeply.
"""

from __future__ import annotations

import copyreg
from typing import Any

from curate.calculus.graph.node import Node, intern, walk
from curate.calculus.graph.sums import total

Flat = list[tuple[str, tuple, tuple[int, ...], Any]]


def flattened(*roots: Node) -> tuple[Flat, list[int]]:
    """Every node below the roots as (kind, shape, places of operands, data), and the roots' places.

    The terms of a sum have places where they have nodes.
    """
    order = walk(*roots)
    place = {node: k for k, node in enumerate(order)}
    flat: Flat = []
    for node in order:
        data = node.data
        if node.kind == "sum":
            data = tuple(
                (c, tuple((place[factor], labels) for factor, labels in factors), out)
                for c, factors, out in node.data
            )
        flat.append((node.kind, node.shape, tuple(place[arg] for arg in node.args), data))
    return flat, [place[root] for root in roots]


def restored(flat: Flat, roots: list[int]) -> list[Node]:
    """The roots' nodes in this process."""
    nodes: list[Node] = []
    for kind, shape, args, data in flat:
        if kind == "sum":
            terms = (
                (c, tuple((nodes[k], labels) for k, labels in factors), out)
                for c, factors, out in data
            )
            nodes.append(total(shape, terms))
        else:
            nodes.append(intern(kind, shape, tuple(nodes[k] for k in args), data))
    return [nodes[k] for k in roots]


def _restored(flat: Flat, root: int) -> Node:
    return restored(flat, [root])[0]


def _reduced(node: Node) -> tuple[Any, tuple[Flat, int]]:
    flat, (root,) = flattened(node)
    return _restored, (flat, root)


copyreg.pickle(Node, _reduced)  # the function of a germ is part of its data
