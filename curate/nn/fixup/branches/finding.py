"""Find the structure of a network: named branches, one graph, or the graphs of its parts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from curate.nn.fixup.branches.branch import Branch
from curate.nn.fixup.branches.classifiers import last_linear
from curate.nn.fixup.branches.explicit import Given, explicit_branches
from curate.nn.fixup.branches.kinds import ATTENTION, kind_of
from curate.nn.fixup.branches.reading import read_blocks, read_graph
from curate.nn.fixup.branches.recorded import dummy_inputs, recorded
from curate.nn.fixup.branches.structure import Structure
from curate.nn.fixup.branches.traced import traced
from curate.nn.fixup.errors import FixupError, quoted


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
        read_graph(structure, recorded(model, example_inputs), modules, layers)
    else:
        try:
            _read_parts(structure, model, "", modules, layers)
        except FixupError:
            dummies = dummy_inputs(model)
            if dummies is None:
                raise
            norms = structure.norms
            structure = Structure(norms=norms)
            read_graph(structure, recorded(model, dummies), modules, layers)
    structure.branches = _one_standard(structure.branches, modules)
    for branch in structure.branches:
        if branch.standard == "xavier" and len(branch.layers) == 2:  # linear, activation, linear
            structure.before_activation.add(branch.layers[0])
    in_branches = {n for b in structure.branches for n in (*b.layers, *b.shortcut)}
    assigned = in_branches.union(structure.gates)
    structure.plain = [name for name in layers if name not in assigned]
    if not structure.branches:
        raise FixupError(
            f"model: no residual branch among its {len(layers)} layers ({quoted(list(layers))}); "
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
        structure.branches += read_blocks(name, modules)
        return
    try:
        nodes = traced(model, prefix)
    except Exception as error:
        children = dict(model.named_children())
        bare = [f"{prefix}{n}" for n, child in children.items() if kind_of(child) == "layer"]
        if bare and (name or not isinstance(model, (nn.ModuleList, nn.ModuleDict))):
            raise FixupError(
                f"model: what becomes of the outputs of {quoted(bare)} in {name or 'the model'!r} "
                f"({type(model).__name__}) cannot be traced ({type(error).__name__}: "
                f"{str(error).splitlines()[0][:120] if str(error) else ''}); give "
                "example_inputs=, or name the modules of each branch with branches=[...]"
            ) from error
        for child_name, child in children.items():
            _read_parts(structure, child, prefix + child_name, modules, layers)
        return
    read_graph(structure, nodes, modules, layers, name)


def _inside(name: str, modules: dict[str, Any]) -> bool:
    """Whether a layer belongs to another one, as an attention's output projection does."""
    parent = name.rpartition(".")[0]
    return bool(name) and isinstance(modules.get(parent), ATTENTION)
