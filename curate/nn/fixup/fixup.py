"""``fixup_``: the initialisation of any residual network without normalisation."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from curate.nn.fixup.apply import attach_biases, attach_scales, remove_norms, reset_scalars
from curate.nn.fixup.branches.explicit import Given
from curate.nn.fixup.branches.finding import structure_of
from curate.nn.fixup.branches.kinds import kind_of
from curate.nn.fixup.branches.structure import Structure
from curate.nn.fixup.calibrate import calibrate_, centre_
from curate.nn.fixup.embeddings import embedding_sizes, raise_embeddings_
from curate.nn.fixup.errors import FixupError
from curate.nn.fixup.initial import (
    divide_,
    draw_,
    enlarged,
    fixup_rows,
    multiplier,
    plain_rows,
    standard_of,
    weight_std,
)
from curate.nn.fixup.relatives import (
    amplify_stream,
    draw_transformer_,
    rezero_rows,
    transformer_layers,
    transformer_rows,
)
from curate.nn.fixup.report import FixupReport, Row
from curate.nn.fixup.scalars import scalars_of
from curate.nn.fixup.weights import (
    layer_scales,
    refuse_foreign_weights,
    refuse_tied_branches,
    sharers,
)

RULES = ("fixup", "rezero", "skipinit", "tfixup", "deepnorm")


def fixup_(
    model: nn.Module,
    *,
    branches: Sequence[Given] | None = None,
    example_inputs: Any = None,
    norm: Literal["remove", "keep", "error"] | None = None,
    scalars: bool = True,
    rule: Literal["fixup", "rezero", "skipinit", "tfixup", "deepnorm"] = "fixup",
    dry_run: bool = False,
    verbose: bool = True,
    generator: torch.Generator | None = None,
) -> FixupReport:
    """Make any residual network trainable without normalisation, in place: Fixup.

    Zhang, Dauphin & Ma, 'Fixup Initialization: Residual Learning Without Normalization', ICLR
    2019, section 3: in a network of L branches x + f(x), (1) the classifier and the last layer of
    every f become zero, (2) the other layers of an f of m layers He x L^(-1/(2m-2)), and (3) a
    scalar bias (0) goes before each convolution, linear layer and activation, and a scalar
    multiplier (1) into each f. Layers elsewhere become He. Attention counts as m = 4 and is
    drawn by Xavier, as are the layers behind it, as in the authors' Transformer. A classifier that
    shares its weight with an embedding is left as it is, and LayerScales become 1, or 0 in branches
    without layers.

    Branches are found in a trace of the forward pass (torch.fx) wherever a sum has two ways back
    to the same tensor, in whatever library the model was written; torch's transformer layers
    are known. The model keeps the names of its parameters, gains the scalars
    (``conv1.fixup_before.bias``), and loses the parameters of its normalisations. A second call
    only draws new random numbers. Call it before torch.compile and before making the optimizer.

    Args:
        model: changed in place, unless ``dry_run``.
        branches: None to find them; else one item for every branch: the module f or its name, a
            pattern ("blocks.*.f") for many, or a sequence of modules or names in the order of
            the forward pass. The layers in it are the m layers of the branch.
        example_inputs: a tensor, a tuple or a mapping: read the data flow off one real forward
            pass instead, for models whose Python code depends on values.
        norm: "remove" every normalisation, "keep" them, or "error": refuse a model that has any.
            None: "remove", or "keep" with the rule "deepnorm".
        scalars: insert the scalars of rule 3.
        rule: "fixup" or a relative: "rezero" (x + 0 f(x), weights left alone), "skipinit" (the
            same with He), and for torch's transformer layers "tfixup" and "deepnorm".
        dry_run: find and report, changing nothing.
        verbose: print the report's table (rich).
        generator: where random numbers come from; None: torch's default.

    Returns:
        What was done, module by module.

    Raises:
        FixupError: no residual branch, modules that cannot be placed (it names them), a
            normalisation with ``norm="error"``, or an argument that cannot be used.

    Example:
        >>> report = fixup_(torchvision.models.resnet18(), verbose=False)
        >>> report.num_branches
        8
    """
    if rule not in RULES:
        raise FixupError(f"rule: {rule!r}; choose one of {', '.join(RULES)}")
    if norm is None:
        norm = "keep" if rule == "deepnorm" else "remove"
    if norm not in ("remove", "keep", "error"):
        raise FixupError(f"norm: {norm!r}; choose 'remove', 'keep' or 'error'")
    if rule == "deepnorm" and norm != "keep":
        raise FixupError(f"norm: {norm!r}, but DeepNorm needs its normalisations; give 'keep'")
    structure = structure_of(model, branches, example_inputs)
    modules = dict(model.named_modules())
    if norm == "error" and structure.norms:
        raise FixupError(
            f"norm: {len(structure.norms)} normalisations in the model, the first is "
            f"{structure.norms[0]!r}; give norm='remove' or norm='keep'"
        )
    refuse_foreign_weights(modules)
    if structure.uncalled and scalars:
        raise FixupError(
            f"branches: {structure.uncalled[0]!r} ({len(structure.uncalled)} such layers) is not "
            "called as a module in the forward pass, so its scalars would never act; give "
            "scalars=False"
        )
    shared = sharers(modules)
    lone = norm == "remove" and structure.norms and rule in ("fixup", "skipinit")
    sizes = embedding_sizes(structure, modules) if lone else {}
    rows, install = _plan(structure, modules, rule, scalars, generator)
    rows += [Row(name, "norm", "kept" if norm == "keep" else "removed") for name in structure.norms]
    rows += [row for row in _left_alone(modules) if row.module not in sizes]
    refuse_tied_branches(rows, shared)
    scales = layer_scales(modules) if rule in ("fixup", "skipinit") else {}
    rows += [
        Row(name, "layer scale", "zero" if name in structure.bare_scales else "one")
        for name in scales
    ]
    rows += [Row(name, "embedding", f"rms {size:.3g}") for name, size in sizes.items()]
    if not dry_run:
        if norm == "remove":
            remove_norms(model, structure.norm_before_activation if scalars else set())
        install()
        reset_scalars(model)
        for name, scale in scales.items():
            nn.init.constant_(scale, float(name not in structure.bare_scales))
        raise_embeddings_(sizes, modules, generator)
        if norm == "remove" and rule == "fixup":
            rows = calibrate_(model, structure, modules, rows, example_inputs)
            rows = centre_(model, structure, modules, rows, example_inputs)
    count = sum(1 for _ in scalars_of(model))
    report = FixupReport(structure.branches, rows, structure.classifiers, count, rule, not dry_run)
    if verbose:
        report.print()
    return report


def _plan(
    structure: Structure,
    modules: dict[str, nn.Module],
    rule: str,
    scalars: bool,
    generator: torch.Generator | None,
) -> tuple[list[Row], Callable[[], None]]:
    """The rows of a rule, and the function that applies them."""
    if rule in ("tfixup", "deepnorm"):
        layers = transformer_layers(modules, structure, rule)
        rows, gains = transformer_rows(modules, layers, rule)
        plain = plain_rows(structure, modules, zero_classifier=False)
        return [*rows, *plain], partial(
            _install_transformer, structure, modules, rule, rows, plain, gains, generator
        )
    rows = rezero_rows(structure) if rule == "rezero" else fixup_rows(structure, modules)
    divided: dict[str, float] = {}
    if rule == "fixup" and scalars:
        rows, divided = enlarged(structure, rows)
    if rule == "skipinit":
        rows = [_he(row, modules) for row in rows]
    return rows, partial(_install, structure, modules, rule, rows, scalars, divided, generator)


def _install(
    structure: Structure,
    modules: dict[str, nn.Module],
    rule: str,
    rows: list[Row],
    scalars: bool,
    divided: dict[str, float],
    generator: torch.Generator | None,
) -> None:
    standard = standard_of(structure.branches)
    for row in rows:
        if row.std is not None:
            draw_(row, modules[row.module], standard.get(row.module, "he"), generator)
    if rule != "fixup":
        attach_scales(structure, modules, 0.0)
    elif scalars:
        # one number added to all of many channels outweighs their signal in a long chain
        attach_biases(structure, modules, without=divided)
        initial = [multiplier(structure, modules, branch) for branch in structure.branches]
        for size in sorted(set(initial)):
            same = [b for b, own in zip(structure.branches, initial, strict=True) if own == size]
            attach_scales(replace(structure, branches=same), modules, size)
        for name, factor in divided.items():
            divide_(modules[name], factor, drawn=name not in structure.gates)


def _install_transformer(
    structure: Structure,
    modules: dict[str, nn.Module],
    rule: str,
    rows: list[Row],
    plain: list[Row],
    gains: dict[str, float],
    generator: torch.Generator | None,
) -> None:
    draw_transformer_(modules, rows, gains, generator)
    for row in plain:
        draw_(row, modules[row.module], "he", generator)
    if rule == "deepnorm":
        for name, factor in amplify_stream(modules, list(gains)).items():
            inside = [
                b for b in structure.branches if b.layers[0].startswith(f"{name}." if name else "")
            ]
            attach_scales(Structure(branches=inside), modules, factor, learnable=False)


def _he(row: Row, modules: dict[str, nn.Module]) -> Row:
    """SkipInit (De & Smith, 2020): He everywhere, and a multiplier of 0 makes f vanish."""
    if row.role == "gate":
        return row
    role = row.role.replace("branch, last", "branch")
    return Row(row.module, role, "he", row.m, weight_std(modules[row.module], "he"))


def _left_alone(modules: dict[str, nn.Module]) -> list[Row]:
    """Modules with parameters that the rule does not cover, such as embeddings."""
    rows = []
    for name, module in modules.items():
        if kind_of(module) in ("other", "act", "embedding") and not hasattr(
            module, "fixup_scalars"
        ):
            parent = modules.get(name.rpartition(".")[0])
            inside = name and parent is not None and kind_of(parent) == "norm"
            if not inside and any(True for _ in module.parameters(recurse=False)):
                rows.append(Row(name or "(the model)", "other", "left"))
    return rows
