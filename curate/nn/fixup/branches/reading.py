"""Read branches, gates and the positions of scalars off one graph, into a structure."""

from typing import Any

from curate.nn.fixup.branches.branch import Branch
from curate.nn.fixup.branches.classifiers import final_layers
from curate.nn.fixup.branches.gains import layer_gains, linear_layers, stream_embeddings
from curate.nn.fixup.branches.graph import Node
from curate.nn.fixup.branches.partial import with_added_outputs
from curate.nn.fixup.branches.residual import find_residuals
from curate.nn.fixup.branches.structure import Structure
from curate.nn.fixup.branches.transformer import is_transformer_layer, transformer_branches
from curate.nn.fixup.errors import FixupError, quoted


def read_graph(
    structure: Structure,
    nodes: list[Node],
    modules: dict[str, Any],
    layers: dict[str, int],
    root: str = "",
) -> None:
    """Add the branches, gates and scalars of one traced graph to the structure."""
    first = not structure.branches and not structure.source
    result = find_residuals(nodes, layers)
    result.branches = with_added_outputs(result.branches, nodes, modules)
    structure.gates += result.gates
    structure.bare_scales |= result.bare_scales
    structure.gains |= layer_gains(nodes, modules, result.gate_products)
    structure.stream |= linear_layers(nodes)
    structure.embeddings |= stream_embeddings(nodes)
    if first and result.branch_of_sum:
        before = nodes[: min(result.branch_of_sum)]
        structure.tokens |= {str(n.name) for n in before if n.kind == "embedding"} - set(modules)
    part = object()  # positions are those of this graph
    at: list[tuple[int, list[Branch]]] = []
    for index, position in result.branch_of_sum.items():
        at.append((index, [result.branches[position]]))
    reaches_layer: set[int] = set()  # nodes that come after some layer
    for index, node in enumerate(nodes):
        if node.kind == "block":
            at.append((index, read_blocks(str(node.name), modules)))
        if node.kind == "layer" and node.inputs:
            structure.source.setdefault(str(node.name), (part, node.inputs[0]))
            if nodes[node.inputs[0]].kind == "bias":
                structure.biased.add(str(node.name))
            elif first and not reaches_layer.intersection(node.inputs):
                structure.unbiased.add(str(node.name))
        if node.kind in ("layer", "block") or reaches_layer.intersection(node.inputs):
            reaches_layer.add(index)
        if node.kind == "scale" and node.inputs:
            origin = _behind_passes(nodes, node.inputs[0], ("pass", "norm", "bias"))
            structure.scaled.add(str(nodes[origin].name))
        if node.kind == "act":
            _bias_before(structure, nodes, index, result.branch_of_sum, result.branches)
    structure.branches += [
        branch for _, group in sorted(at, key=lambda x: x[0]) for branch in group
    ]
    prefix = f"{root}." if root else ""
    _refuse_unplaced(structure, nodes, modules, [n for n in layers if n.startswith(prefix)])
    if not root:
        structure.classifiers = final_layers(nodes)


def _refuse_unplaced(
    structure: Structure, nodes: list[Node], modules: dict[str, Any], layers: list[str]
) -> None:
    """Raise a FixupError for weights whose place in the graph is not known."""
    called = {node.name for node in nodes} | {n for b in structure.branches for n in b.layers}
    uncalled = [name for name in layers if name not in called]
    if uncalled:
        raise FixupError(
            f"model: {quoted(uncalled)} hold weights but are not called as modules in the forward "
            "pass, so their place is not known; name the modules of each branch with branches=[...]"
        )
    products = [str(node.name) for node in nodes if node.kind == "product"]
    if products:
        owner = modules.get(products[0].rpartition(".")[0])
        raise FixupError(
            f"model: {quoted(list(dict.fromkeys(products)))} ({type(owner).__name__}) are weights "
            "that no layer of torch holds, so what the rule has to set is not known; make them a "
            "torch.nn.Linear or a convolution"
        )


def _bias_before(
    structure: Structure,
    nodes: list[Node],
    act: int,
    branch_of_sum: dict[int, int],
    branches: list[Branch],
) -> None:
    """Choose the position of the scalar before one activation."""
    if not nodes[act].inputs:
        return
    near = _behind_passes(nodes, nodes[act].inputs[0], ("pass", "scale"))
    origin = _behind_passes(nodes, near, ("pass", "scale", "norm"))
    if nodes[origin].kind == "bias":
        return
    if nodes[origin].kind == "layer":
        structure.before_activation.add(str(nodes[origin].name))
    elif nodes[near].kind == "norm":
        structure.norm_before_activation.add(str(nodes[near].name))
    elif origin in branch_of_sum:
        structure.sum_before_activation.add(branches[branch_of_sum[origin]].last[0])
    elif nodes[act].name is not None:
        structure.act_modules.add(str(nodes[act].name))


def _behind_passes(nodes: list[Node], index: int, kinds: tuple[str, ...]) -> int:
    """The nearest node at or before this one that is of none of the kinds."""
    while nodes[index].kind in kinds and nodes[index].inputs:
        index = nodes[index].inputs[0]
    return index


def read_blocks(name: str, modules: dict[str, Any]) -> list[Branch]:
    """The branches of a transformer, or of one layer of it."""
    branches: list[Branch] = []
    for inner, module in modules[name].named_modules():
        if is_transformer_layer(module):
            full = ".".join(part for part in (name, inner) if part)
            branches += transformer_branches(module, f"{full}." if full else "")
    return branches
