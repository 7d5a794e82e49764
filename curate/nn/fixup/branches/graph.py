"""The data flow of a network as a plain list: what the search for residual branches reads."""

import operator
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from curate.nn.fixup.branches.kinds import AVERAGING, fused_activation, kind_of

ADD = {operator.add, operator.iadd, torch.add, "add", "add_"}
MULTIPLY = {operator.mul, operator.imul, torch.mul, torch.multiply, "mul", "mul_", "multiply"}
ACTIVATIONS = {
    F.relu, F.relu_, F.relu6, F.gelu, F.silu, F.elu, F.selu, F.celu, F.leaky_relu, F.hardtanh,
    F.hardswish, F.hardsigmoid, F.mish, F.softplus, F.tanh, F.sigmoid, torch.relu, torch.relu_,
    torch.tanh, torch.sigmoid, "relu", "relu_", "tanh", "tanh_", "sigmoid", "sigmoid_",
}  # fmt: skip
ATTENTION = {F.scaled_dot_product_attention, F.softmax, torch.softmax, "softmax"}
PRODUCTS = {
    F.linear, F.bilinear, F.conv1d, F.conv2d, F.conv3d, torch.matmul, torch.mm, torch.bmm,
    torch.einsum, torch.tensordot, torch.addmm, torch.baddbmm, operator.matmul, "matmul", "mm",
    "bmm", "addmm", "baddbmm",
}  # fmt: skip
AVERAGE = {F.avg_pool1d, F.avg_pool2d, F.avg_pool3d}
PASS = {F.dropout, "contiguous", "clone"}
SLICE = {operator.getitem, "getitem"}
CONCATENATE = {torch.cat, torch.concat, torch.concatenate}


@dataclass(frozen=True)
class Node:
    """One step of a forward pass.

    ``kind`` is as in kinds.py, or 'input', 'add', 'mul', 'attention' (a softmax or what holds one),
    'slice' (a part of a tensor or tuple), or 'product' (with a parameter, outside any layer);
    ``name`` that of the module, or of the parameter of a product, of a 'pass' that multiplies by it
    (LayerScale), or of an 'embedding' that is no module (a class token);
    ``inputs`` are positions in the list, always smaller than the node's own;
    ``function`` what an activation computes: a module, a function, or the name of a method; of an
    'other' that averages, what does;
    ``part`` of a 'slice' by one axis, that axis (from the end where that is what is known), the
    first position and the one behind the last, None where the tensor ends.
    """

    kind: str
    name: str | None
    inputs: tuple[int, ...]
    function: Any = None
    part: tuple[int, int | None, int | None] | None = None


def readers_of(nodes: Sequence[Node]) -> list[list[int]]:
    """For every node of a graph the positions of those that read it."""
    readers: list[list[int]] = [[] for _ in nodes]
    for index, node in enumerate(nodes):
        for source in node.inputs:
            readers[source].append(index)
    return readers


def function_kind(function: Callable[..., Any] | str, operands: int) -> str:
    """The kind of a function or method by its identity, given how many tensors it reads."""
    if function in ADD:
        return "add" if operands == 2 else "pass"
    if function in MULTIPLY:
        return "mul" if operands == 2 else "pass"
    if function in ACTIVATIONS:
        return "act"
    if function in ATTENTION:
        return "attention"
    if function in SLICE:
        return "slice"
    return "pass" if function in PASS else "other"


class DataFlow:
    """A graph while it is written down: what is a node, and what is no data.

    Both ways of reading a forward pass, by symbolic tracing and by running it, tell it every step
    in turn. Values have keys, which are theirs to choose.

    Attributes:
        nodes: the graph so far.
        position: of each value that is data, the node that made it.
        made: of each value that is made of nothing but parameters, the name of the first of them.
    """

    def __init__(self, model: nn.Module, prefix: str = "") -> None:
        wide, loose = _matrices(model, prefix), _tokens(model, prefix)
        self.names = {**wide, **loose}
        self._wide, self._loose = set(wide.values()), set(loose.values())
        self.nodes: list[Node] = []
        self.position: dict[Any, int] = {}
        self.made: dict[Any, str] = {}

    def inputs(self, sources: Sequence[Hashable]) -> tuple[int, ...]:
        """Positions of those values that are data, each once."""
        return tuple(dict.fromkeys(self.position[s] for s in sources if s in self.position))

    def origin(self, sources: Sequence[Hashable]) -> str | None:
        """The first parameter that one of the values is made of."""
        return next((self.made[each] for each in sources if each in self.made), None)

    def node(self, node: Node) -> int:
        """Append a step; its position."""
        self.nodes.append(node)
        return len(self.nodes) - 1

    def module(self, name: str, module: nn.Module, sources: Sequence[Hashable]) -> int:
        """Append the call of a known module; the position of its result."""
        kind = kind_of(module)
        told = module if kind == "act" or isinstance(module, AVERAGING) else None
        index = self.node(Node(kind, name, self.inputs(sources), told))
        act = fused_activation(module) if kind == "norm" else None
        return index if act is None else self.node(Node("act", None, (index,), act))

    def function(self, function: Any, arguments: Sequence[Any], sources: Sequence[Hashable]) -> int:
        """Append the call of a function or method on data; the position of its result."""
        if function in CONCATENATE:
            for each in [each for each in sources if self.made.get(each) in self._loose]:
                # a class token: from here on it is data
                self.position[each] = self.node(Node("embedding", self.made.pop(each), ()))
        inputs = self.inputs(sources)
        factor = next((self.made[s] for s in sources if self.made.get(s) in self._wide), None)
        if factor is not None and function in PRODUCTS:
            return self.node(Node("product", factor, inputs))
        kind = function_kind(function, len(inputs))
        scale = self.origin(sources) if kind == "pass" and function in MULTIPLY else None
        part = _part(arguments[1]) if function in SLICE else None
        told = function if kind == "act" or function in AVERAGE else None
        return self.node(Node(kind, scale, inputs, told, part))


def _matrices(model: nn.Module, prefix: str) -> dict[int, str]:
    """By id, the names of parameters that something may be multiplied by; embeddings are not."""
    return {
        id(parameter): f"{prefix}{name}.{key}".replace("..", ".").lstrip(".")
        for name, module in model.named_modules()
        if kind_of(module) != "embedding"
        for key, parameter in module.named_parameters(recurse=False)
        if parameter.ndim >= 2 and parameter.numel() > max(parameter.shape)
    }


def _tokens(model: nn.Module, prefix: str) -> dict[int, str]:
    """By id, the names of parameters that no layer, normalisation or the like holds."""
    return {
        id(parameter): f"{prefix}{name}.{key}".replace("..", ".").lstrip(".")
        for name, module in model.named_modules()
        if kind_of(module) == "other"
        for key, parameter in module.named_parameters(recurse=False)
    }


def _part(index: Any) -> tuple[int, int | None, int | None] | None:
    """The axis and the bounds of x[index], where it cuts one axis only."""
    index = index if isinstance(index, tuple) else (index,)
    dots = next((i for i, each in enumerate(index) if each is Ellipsis), len(index))
    whole = [isinstance(each, slice) and each == slice(None) for each in index]
    cut = [i for i, all_of_it in enumerate(whole) if not all_of_it and i != dots]
    if len(cut) != 1 or not isinstance(index[cut[0]], slice):
        return None
    axis, one = cut[0], index[cut[0]]
    known = all(end is None or isinstance(end, int) for end in (one.start, one.stop))
    if not known or one.step not in (None, 1):
        return None
    return axis if axis < dots else axis - len(index), one.start, one.stop
