"""The structure of a network for Fixup: its branches, and the positions of the scalars."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from curate.nn.fixup.branches.branch import Branch
from curate.nn.fixup.branches.classifiers import final_layers, last_linear
from curate.nn.fixup.branches.explicit import Given, explicit_branches
from curate.nn.fixup.branches.gains import layer_gains, linear_layers, stream_embeddings
from curate.nn.fixup.branches.graph import Node, traced
from curate.nn.fixup.branches.kinds import ATTENTION, kind_of
from curate.nn.fixup.branches.recorded import dummy_inputs, recorded
from curate.nn.fixup.branches.residual import find_residuals
from curate.nn.fixup.branches.transformer import is_transformer_layer, transformer_branches
from curate.nn.fixup.errors import FixupError


@dataclass
class Structure:
    """Names of modules by their role in Fixup.

    Attributes:
        branches: in the order of the forward pass.
        plain: layers outside branches, shortcuts and gates; the classifiers are among them.
        classifiers: layers after which no other comes, outside branches.
        gates: layers that only scale another tensor (squeeze and excitation).
        norms: every normalisation.
        source: for a layer the tensor that it reads, an opaque key; equal keys share a bias.
        unbiased: layers that read the network's input.
        biased: layers that read the result of a FixupBias already.
        before_activation: layers whose result goes to an activation.
        sum_before_activation: first layers of ``last`` of branches whose sum does.
        norm_before_activation: normalisations that feed an activation and follow no layer.
        act_modules: activations that need a bias of their own.
        scaled: layers whose result a FixupScale multiplies already.
        uncalled: layers of named branches that no module call uses, as far as can be traced.
        gains: of each layer, over He's, for the activation behind it and the gate before it.
        embeddings: those that begin the stream; class tokens, by their parameter, are among them.
        stream: of a transformer, the layers outside branches that make the stream (patches).
        tokens: class tokens, by their parameter, that go through all branches.
        bare_scales: LayerScales, by their parameter, of branches without layers (PoolFormer).
    """

    branches: list[Branch] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    classifiers: list[str] = field(default_factory=list)
    gates: list[str] = field(default_factory=list)
    norms: list[str] = field(default_factory=list)
    source: dict[str, Any] = field(default_factory=dict)
    unbiased: set[str] = field(default_factory=set)
    biased: set[str] = field(default_factory=set)
    before_activation: set[str] = field(default_factory=set)
    sum_before_activation: set[str] = field(default_factory=set)
    norm_before_activation: set[str] = field(default_factory=set)
    act_modules: set[str] = field(default_factory=set)
    scaled: set[str] = field(default_factory=set)
    uncalled: list[str] = field(default_factory=list)
    gains: dict[str, float] = field(default_factory=dict)
    embeddings: set[str] = field(default_factory=set)
    stream: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    bare_scales: set[str] = field(default_factory=set)


def structure_of(
    model: nn.Module, branches: Sequence[Given] | None, example_inputs: Any
) -> Structure:
    """Find the branches of a model as :func:`fixup_` describes, changing nothing.

    Raises:
        FixupError: no branch, or modules whose position in the data flow is unknown.
    """
    modules = dict(model.named_modules())
    layers = {n: 4 if isinstance(m, ATTENTION) else 1 for n, m in modules.items()
              if kind_of(m) == "layer" and not _inside(n, modules)}  # fmt: skip
    structure = Structure(norms=[name for name, m in modules.items() if kind_of(m) == "norm"])
    if branches is not None:
        structure.branches = explicit_branches(modules, branches, layers)
        for branch in structure.branches:
            structure.before_activation.update(set(branch.layers) - set(branch.last))
            structure.sum_before_activation.add(branch.last[0])
        structure.uncalled = _uncalled(model, structure.branches, example_inputs)
    elif example_inputs is not None:
        _read(structure, recorded(model, example_inputs), modules, layers)
    else:
        try:
            _read_parts(structure, model, "", modules, layers)
        except FixupError:
            dummies = dummy_inputs(model)
            if dummies is None:
                raise
            norms = structure.norms
            structure = Structure(norms=norms)
            _read(structure, recorded(model, dummies), modules, layers)
    structure.branches = _one_standard(structure.branches, modules)
    for branch in structure.branches:
        if branch.standard == "xavier" and len(branch.layers) == 2:  # linear, activation, linear
            structure.before_activation.add(branch.layers[0])
    in_branches = {n for b in structure.branches for n in (*b.layers, *b.shortcut)}
    assigned = in_branches.union(structure.gates)
    structure.plain = [name for name in layers if name not in assigned]
    if not structure.branches:
        raise FixupError(
            f"model: no residual branch among its {len(layers)} layers ({_quoted(list(layers))}); "
            "Fixup is for sums x + f(x): name the modules of each f with branches=[...]"
        )
    if branches is not None or not structure.source:
        structure.unbiased.update(structure.plain[:1])
    final = [name for name in structure.classifiers if name in structure.plain]
    structure.classifiers = final or last_linear(
        structure.plain, structure.branches, list(layers), modules
    )
    attends = any(branch.standard == "xavier" for branch in structure.branches)
    structure.stream &= set(structure.plain) if attends else set()
    structure.stream -= set(structure.classifiers)
    return structure


def _uncalled(model: nn.Module, branches: list[Branch], example_inputs: Any) -> list[str]:
    try:
        nodes = traced(model) if example_inputs is None else recorded(model, example_inputs)
    except Exception:  # named branches are for models that cannot be traced
        return []
    called = {node.name for node in nodes}
    blocks = tuple(f"{node.name}." for node in nodes if node.kind == "block")
    names = [name for branch in branches for name in branch.layers]
    return [name for name in names if name not in called and not name.startswith(blocks or "\0")]


def _one_standard(branches: list[Branch], modules: dict[str, Any]) -> list[Branch]:
    """The feed-forward branches of a transformer are drawn by Xavier, as its attention is."""
    branches = [
        replace(branch, standard="xavier")
        if any(isinstance(modules[name], ATTENTION) for name in branch.layers)
        else branch
        for branch in branches
    ]
    if not any(branch.standard == "xavier" for branch in branches):
        return branches
    return [
        replace(branch, standard="xavier")
        if len(branch.layers) == 2
        and all(getattr(getattr(modules[n], "weight", None), "ndim", 0) == 2 for n in branch.layers)
        else branch
        for branch in branches
    ]


def _read_parts(
    structure: Structure,
    model: nn.Module,
    name: str,
    modules: dict[str, Any],
    layers: dict[str, int],
) -> None:
    """Trace the largest parts of the model that can be."""
    prefix = f"{name}." if name else ""
    if kind_of(model) == "block":
        structure.branches += _blocks(name, modules)
        return
    try:
        nodes = traced(model, prefix)
    except Exception as error:
        children = dict(model.named_children())
        bare = [f"{prefix}{n}" for n, child in children.items() if kind_of(child) == "layer"]
        if bare and (name or not isinstance(model, (nn.ModuleList, nn.ModuleDict))):
            raise FixupError(
                f"model: what becomes of the outputs of {_quoted(bare)} in {name or 'the model'!r} "
                f"({type(model).__name__}) cannot be traced ({type(error).__name__}: "
                f"{str(error).splitlines()[0][:120] if str(error) else ''}); give "
                "example_inputs=, or name the modules of each branch with branches=[...]"
            ) from error
        for child_name, child in children.items():
            _read_parts(structure, child, prefix + child_name, modules, layers)
        return
    _read(structure, nodes, modules, layers, name)


def _read(
    structure: Structure,
    nodes: list[Node],
    modules: dict[str, Any],
    layers: dict[str, int],
    root: str = "",
) -> None:
    """Add the branches, gates and scalars of one traced graph to the structure."""
    first = not structure.branches and not structure.source
    result = find_residuals(nodes, layers)
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
            at.append((index, _blocks(str(node.name), modules)))
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
            f"model: {_quoted(uncalled)} hold weights but are not called as modules in the forward "
            "pass, so their place is not known; name the modules of each branch with branches=[...]"
        )
    products = [str(node.name) for node in nodes if node.kind == "product"]
    if products:
        owner = modules.get(products[0].rpartition(".")[0])
        raise FixupError(
            f"model: {_quoted(list(dict.fromkeys(products)))} ({type(owner).__name__}) are weights "
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


def _blocks(name: str, modules: dict[str, Any]) -> list[Branch]:
    """The branches of a transformer, or of one layer of it."""
    branches: list[Branch] = []
    for inner, module in modules[name].named_modules():
        if is_transformer_layer(module):
            full = ".".join(part for part in (name, inner) if part)
            branches += transformer_branches(module, f"{full}." if full else "")
    return branches


def _inside(name: str, modules: dict[str, Any]) -> bool:
    """Whether a layer belongs to another one, as an attention's output projection does."""
    parent = name.rpartition(".")[0]
    return bool(name) and isinstance(modules.get(parent), ATTENTION)


def _quoted(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown or "none"
