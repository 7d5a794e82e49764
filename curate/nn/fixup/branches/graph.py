"""The data flow of a network as a plain list: what the search for residual branches reads."""

import inspect
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from curate.nn.fixup.branches.kinds import fused_activation, kind_of

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
    ``function`` what an activation computes: a module, a function, or the name of a method.
    """

    kind: str
    name: str | None
    inputs: tuple[int, ...]
    function: Any = None


def readers_of(nodes: Sequence[Node]) -> list[list[int]]:
    """For every node of a graph the positions of those that read it."""
    readers: list[list[int]] = [[] for _ in nodes]
    for index, node in enumerate(nodes):
        for source in node.inputs:
            readers[source].append(index)
    return readers


def module_nodes(nodes: list[Node], name: str, module: nn.Module, inputs: tuple[int, ...]) -> int:
    """Append a module's call; the position of its result."""
    kind = kind_of(module)
    nodes.append(Node(kind, name, inputs, module if kind == "act" else None))
    if kind == "norm" and (act := fused_activation(module)) is not None:
        nodes.append(Node("act", None, (len(nodes) - 1,), act))
    return len(nodes) - 1


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


def traced(model: nn.Module, prefix: str = "") -> list[Node]:
    """The graph of ``model.forward`` by symbolic tracing; any exception means it cannot be."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(model.forward).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    tracer = _Tracer()
    tracer.names = names = parameter_names(model, prefix)
    wide, loose = set(matrices(model, prefix).values()), set(tokens(model, prefix).values())
    graph = tracer.trace(model, defaults or None)
    modules = dict(model.named_modules())
    known = set(names.values())
    made: dict[fx.Node, str] = {}  # of which parameter something that is no data is made
    nodes: list[Node] = []
    position: dict[fx.Node, int] = {}
    for node in graph.nodes:
        sources = node.all_input_nodes
        inputs = tuple(dict.fromkeys(position[each] for each in sources if each in position))
        if node.op == "get_attr" or _is_size(node) or (sources and not inputs):
            # parameters, sizes, and what is made of nothing else, are no data
            origin = [] if _is_size(node) else [made[each] for each in sources if each in made]
            if str(node.target) in known:
                origin = [str(node.target)]
            made |= dict.fromkeys([node], origin[0]) if origin else {}
            continue
        if node.op == "call_module":
            name = str(node.target)
            position[node] = module_nodes(nodes, prefix + name, modules[name], inputs)
            continue
        if node.op in ("call_function", "call_method"):
            kind = function_kind(node.target, len(inputs))
            factors = [made[each] for each in sources if made.get(each) in wide]
            if node.target in CONCATENATE:
                for each in [each for each in sources if made.get(each) in loose]:
                    nodes.append(Node("embedding", made.pop(each), ()))
                    position[each] = len(nodes) - 1
                inputs = tuple(dict.fromkeys(position[e] for e in sources if e in position))
            if factors and node.target in PRODUCTS:
                nodes.append(Node("product", factors[0], inputs))
                position[node] = len(nodes) - 1
                continue
            factor = next((made[each] for each in sources if each in made), None)
        else:
            kind, factor = "input" if node.op == "placeholder" else "other", None
        scale = factor if kind == "pass" and node.target in MULTIPLY else None
        nodes.append(Node(kind, scale, inputs, node.target if kind == "act" else None))
        position[node] = len(nodes) - 1
    return nodes


def matrices(model: nn.Module, prefix: str = "") -> dict[int, str]:
    """By id, the names of parameters that something may be multiplied by; embeddings are not."""
    return {
        id(parameter): f"{prefix}{name}.{key}".replace("..", ".").lstrip(".")
        for name, module in model.named_modules()
        if kind_of(module) != "embedding"
        for key, parameter in module.named_parameters(recurse=False)
        if parameter.ndim >= 2 and parameter.numel() > max(parameter.shape)
    }


def tokens(model: nn.Module, prefix: str = "") -> dict[int, str]:
    """By id, the names of parameters that no layer, normalisation or the like holds."""
    return {
        id(parameter): f"{prefix}{name}.{key}".replace("..", ".").lstrip(".")
        for name, module in model.named_modules()
        if kind_of(module) == "other"
        for key, parameter in module.named_parameters(recurse=False)
    }


def parameter_names(model: nn.Module, prefix: str = "") -> dict[int, str]:
    """By id, the names of the parameters that a graph may name."""
    return {**matrices(model, prefix), **tokens(model, prefix)}


def _is_size(node: fx.Node) -> bool:
    """x.shape and the like: what is made of them holds no data."""
    if node.op == "call_method":
        return node.target in ("size", "dim", "numel")
    attributes = ("shape", "ndim", "device", "dtype")
    return node.target is getattr and node.args[1] in attributes


class _Tracer(fx.Tracer):
    """Tracing that stops at layers and does not search for parameters (linear, not quadratic)."""

    names: dict[int, str]

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        known = kind_of(m) != "other"
        return known or super().is_leaf_module(m, module_qualified_name)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if isinstance(attr_val, torch.Tensor):
            return self.create_proxy("get_attr", self.names.get(id(attr_val), attr), (), {})
        return attr_val

    def create_arg(self, a: Any) -> Any:
        return None if isinstance(a, torch.Tensor) else super().create_arg(a)
