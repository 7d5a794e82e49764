"""Which layers make the outputs: the classifiers."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from curate.nn.fixup.branches.branch import Branch
from curate.nn.fixup.branches.graph import Node


def final_layers(nodes: Sequence[Node]) -> list[str]:
    """Layers from which no other layer or block is reached."""
    leads_on: set[int] = set()
    final = []
    for index in range(len(nodes) - 1, -1, -1):
        node = nodes[index]
        weighty = node.kind in ("layer", "block")
        if node.kind == "layer" and index not in leads_on:
            final.append(str(node.name))
        if weighty or index in leads_on:
            leads_on.update(node.inputs)
    return list(dict.fromkeys(reversed(final)))


def last_linear(
    plain: Sequence[str],
    branches: Sequence[Branch],
    order: Sequence[str],
    modules: Mapping[str, Any],
) -> list[str]:
    """Where there is no whole graph: the last linear layer after all branches, if there is one.

    Args:
        plain: layers outside branches.
        branches: at least one.
        order: all layers, as the model holds them.
        modules: by name.
    """
    last_branch = max(order.index(name) for branch in branches[-8:] for name in branch.layers)
    after = [name for name in order[last_branch + 1 :] if name in plain]
    return [name for name in after if isinstance(modules[name], nn.Linear)][-1:]
