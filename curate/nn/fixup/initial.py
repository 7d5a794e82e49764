"""Set the weights of a network of known structure, for Fixup and for its relatives."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch.nn.modules.conv import _ConvTransposeNd

from curate.nn.fixup.attach import DIVIDE, attach
from curate.nn.fixup.branches.branch import Branch
from curate.nn.fixup.branches.kinds import ATTENTION, is_transposed_linear
from curate.nn.fixup.branches.structure import Structure
from curate.nn.fixup.report import Row
from curate.nn.fixup.rule import branch_scale, he_std
from curate.nn.fixup.scalars import FixedScale
from curate.nn.fixup.weights import sharers

LONG_CHAIN = 6
"""Layers outside branches from which on they share a learning rate; ResNets have 1 to 3."""

LONGEST_ROW = 8.0
"""Length of the rows of a transformer's stream at the start; that of 64 numbers of size 1."""


def fixup_rows(structure: Structure, modules: dict[str, Any]) -> list[Row]:
    """What Fixup sets every layer to: rules 1 and 2 of the paper."""
    rows, total = [], len(structure.branches)
    for branch in structure.branches:
        factor = branch_scale(total, branch.num_layers)
        partly = {name for name, _, _ in branch.added}
        exponent = "" if branch.num_layers == 1 else f" x L^(-1/{2 * branch.num_layers - 2})"
        for name in branch.layers:
            attention = isinstance(modules[name], ATTENTION)
            std = weight_std(modules[name], branch.standard) * factor
            if name not in branch.last:
                # at least He: a layer without an activation behind it keeps the paper's
                gain = max(1.0, structure.gains.get(name, 1.0)) if branch.standard == "he" else 1.0
                std *= gain
                text = f"{_title(modules[name], branch)}{exponent}{_times(gain)}"
                rows.append(Row(name, "branch", text, branch.num_layers, std))
            elif attention:
                text = f"xavier{exponent}, output zero"
                rows.append(Row(name, "branch, last", text, branch.num_layers, std))
            elif name in partly:
                rows.append(_partly_zero(name, branch, modules, structure, factor))
            else:
                rows.append(Row(name, "branch, last", "zero", branch.num_layers, 0.0))
        for name in branch.shortcut:
            rows.append(Row(name, "shortcut", "he", None, weight_std(modules[name], "he")))
    rows += [Row(name, "gate", "left") for name in structure.gates]
    return [*rows, *plain_rows(structure, modules, zero_classifier=True)]


def _partly_zero(
    name: str, branch: Branch, modules: dict[str, Any], structure: Structure, factor: float
) -> Row:
    """A last layer of which only some outputs are added to x: those become 0.

    The others are new channels that no x is added to, so nothing of them may begin at 0, and their
    weights make up for what rule 2 takes from the m - 1 layers before.
    """
    start, stop = next(bounds for each, *bounds in branch.added if each == name)
    start, stop, _ = slice(start, stop).indices(_width(modules[name]))
    gain = structure.gains.get(name, 1.0) / factor ** (branch.num_layers - 1)
    std = weight_std(modules[name], "he") * gain
    text = f"he{_times(gain)}, zero in {start} to {stop - 1}"
    return Row(name, "branch, last", text, branch.num_layers, std, (start, stop))


def enlarged(structure: Structure, rows: list[Row]) -> tuple[list[Row], dict[str, float]]:
    """Share one layer's learning rate among many layers outside branches, and their gates.

    The P layers of a chain each move the outputs by the learning rate, and so all together by P
    times as much, as branches would without rule 2. Weights sqrt(P) times as large behind which the
    output is divided by as much bring it back to 1. The layers of a branch that makes new channels
    are links of the chain, too.

    Returns:
        The rows, and by name what the outputs are divided by: nothing below six such layers.
    """
    chain = {row.module for row in rows
             if row.role == "plain" and row.std and row.module in structure.gains}  # fmt: skip
    making = {n for branch in structure.branches if branch.makes_channels for n in branch.layers}
    chain |= making.intersection(structure.gains)
    if len(chain) < LONG_CHAIN:
        return rows, {}
    chain |= {name for name in structure.gates if name in structure.gains}
    factor = math.sqrt(len(chain))
    text = f" x {factor:.3g}, output / {factor:.3g}"
    rows = [
        replace(row, std=row.std and row.std * factor, init=row.init + text)
        if row.module in chain
        else row
        for row in rows
    ]
    return rows, dict.fromkeys(sorted(chain), factor)


@torch.no_grad()
def divide_(layer: Any, factor: float, drawn: bool) -> None:
    """Divide what a layer gives; one that was not drawn so large is enlarged, once."""
    if not drawn and not hasattr(layer, DIVIDE):
        for parameter in layer.parameters(recurse=False):
            parameter.mul_(factor)
    attach(layer, DIVIDE, FixedScale(factor))


def plain_rows(structure: Structure, modules: dict[str, Any], zero_classifier: bool) -> list[Row]:
    """Layers outside branches: He's standard, and a classifier of zeros.

    Those that make the stream of a transformer become LeCun's, so that each number has a mean
    square of 1, as behind the LayerNorm that is gone (:func:`patch_size`).
    """
    rows, shared = [], sharers(modules)
    for name in structure.plain:
        if name in shared:  # zeroing or drawing it would do the same to an embedding
            role = "classifier" if name in structure.classifiers else "plain"
            rows.append(Row(name, role, f"left, tied to {shared[name]}"))
        elif name in structure.classifiers and zero_classifier:
            rows.append(Row(name, "classifier", "zero", None, 0.0))
        else:
            role = "classifier" if name in structure.classifiers else "plain"
            gain = structure.gains.get(name, 1.0)
            attention = isinstance(modules[name], ATTENTION)
            if attention:
                title, std = "xavier", weight_std(modules[name], "xavier")
            elif name in structure.stream:
                size = patch_size(structure, modules, _width(modules[name]))
                title = f"lecun{_times(size)}"
                std = weight_std(modules[name], "lecun") * size
            else:
                title, std = f"he{_times(gain)}", weight_std(modules[name], "he") * gain
            rows.append(Row(name, role, title, None, std))
    return rows


def stream_size(width: int) -> float:
    """The root mean square of rows of so many numbers: 1, or less so that none is longer than 8.

    A step of SGD on the classifier moves what it says of a row by the learning rate times the
    square of the row's length.
    """
    return min(1.0, LONGEST_ROW / math.sqrt(width))


def patch_size(structure: Structure, modules: Mapping[str, Any], width: int) -> float:
    """The root mean square of the rows that a transformer's stream is made of.

    1 where a class token is what the classifier reads: it hears of them by attention only, through
    branches that begin at 0, beside what all examples have in common. Else :func:`stream_size`.
    """
    tokens = any(name not in modules for name in structure.embeddings)
    return 1.0 if tokens else stream_size(width)


def multiplier(structure: Structure, modules: Mapping[str, Any], branch: Branch) -> float:
    """What a branch is multiplied by at the start: 1, or less beside a class token.

    The rows that branches read are then longer than 8 where they are wide, and Adam, whose steps do
    not shrink with the gradient, would make the outputs jump in its first ones.
    """
    if branch.standard != "xavier" or not structure.tokens:
        return 1.0
    last = modules[branch.last[0]]
    return stream_size(last.embed_dim if isinstance(last, ATTENTION) else _width(last))


def _width(layer: Any) -> int:
    """The outputs of a layer."""
    across = is_transposed_linear(layer) or isinstance(layer, _ConvTransposeNd)
    return int(layer.weight.shape[int(across)])


def weight_std(layer: Any, standard: str) -> float:
    """Standard deviation of a layer's weight under He's, Xavier's or LeCun's standard.

    LeCun's is 1 / sqrt(fan_in): inputs of mean square 1 give outputs of mean square 1.
    """
    if isinstance(layer, ATTENTION):
        width = layer.embed_dim
        return math.sqrt(2.0 / (4 * width))  # fan_in + fan_out of the three projections as one
    if standard == "xavier":
        return math.sqrt(2.0 / (layer.weight.shape[0] + layer.weight.shape[1]))
    if standard == "lecun":
        if is_transposed_linear(layer) or isinstance(layer, _ConvTransposeNd):
            return math.sqrt(getattr(layer, "groups", 1) / layer.weight.shape[0])
        return math.sqrt(1.0 / layer.weight[0].numel())
    return he_std(layer)


@torch.no_grad()
def draw_(row: Row, layer: Any, standard: str, generator: torch.Generator | None) -> None:
    """Give a layer the weights that a row says."""
    if isinstance(layer, ATTENTION):
        _draw_attention_(row, layer, generator)
        return
    if row.std == 0.0:
        layer.weight.zero_()
    else:
        _fill_(layer.weight, row.std or 0.0, standard, generator)
        if row.zeros is not None:
            layer.weight[slice(*row.zeros)] = 0.0
    if layer.bias is not None:
        layer.bias.zero_()


def _draw_attention_(row: Row, layer: Any, generator: torch.Generator | None) -> None:
    projections = [layer.in_proj_weight] if layer.in_proj_weight is not None else [
        layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight
    ]  # fmt: skip
    for weight in projections:
        _fill_(weight, row.std or 0.0, "xavier", generator)
    output = layer.out_proj.weight
    if row.role == "branch, last":
        output.zero_()
    else:
        factor = (row.std or 0.0) / weight_std(layer, "xavier")
        _fill_(output, factor * math.sqrt(1.0 / layer.embed_dim), "xavier", generator)
    for bias in (layer.in_proj_bias, layer.out_proj.bias):
        if bias is not None:
            bias.zero_()


def _fill_(
    weight: torch.Tensor, std: float, standard: str, generator: torch.Generator | None
) -> None:
    if weight.is_meta:
        return
    if standard == "xavier":  # uniform, of the same standard deviation
        weight.uniform_(-math.sqrt(3.0) * std, math.sqrt(3.0) * std, generator=generator)
    else:
        weight.normal_(0.0, std, generator=generator)


def standard_of(branches: list[Branch]) -> dict[str, str]:
    """The standard distribution of each layer of a branch."""
    return {name: branch.standard for branch in branches for name in branch.layers}


def _times(gain: float) -> str:
    return "" if gain == 1.0 else f" x {gain:.3g}"


def _title(layer: Any, branch: Branch) -> str:
    return "xavier" if isinstance(layer, ATTENTION) else branch.standard
