"""The data flow of a network as a plain list: what the search for residual branches reads."""

import inspect
import operator
from collections.abc import Callable
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
PASS = {F.dropout, "contiguous", "clone"}
SLICE = {operator.getitem, "getitem"}


@dataclass(frozen=True)
class Node:
    """One step of a forward pass.

    ``kind`` is as in kinds.py, or 'input', 'add', 'mul', 'attention' (a softmax or what holds one),
    or 'slice' (a part of a tensor or tuple);
    ``name`` that of the module;
    ``inputs`` are positions in the list, always smaller than the node's own.
    """

    kind: str
    name: str | None
    inputs: tuple[int, ...]


def module_nodes(nodes: list[Node], name: str, module: nn.Module, inputs: tuple[int, ...]) -> int:
    """Append a module's call; the position of its result."""
    kind = kind_of(module)
    nodes.append(Node(kind, name, inputs))
    if kind == "norm" and fused_activation(module) is not None:
        nodes.append(Node("act", None, (len(nodes) - 1,)))
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
    graph = _Tracer().trace(model, defaults or None)
    modules = dict(model.named_modules())
    nodes: list[Node] = []
    position: dict[fx.Node, int] = {}
    for node in graph.nodes:
        sources = node.all_input_nodes
        inputs = tuple(dict.fromkeys(position[each] for each in sources if each in position))
        if node.op == "get_attr" or (sources and not inputs):
            continue  # parameters, and what is made of nothing else, are no data
        if node.op == "call_module":
            name = str(node.target)
            position[node] = module_nodes(nodes, prefix + name, modules[name], inputs)
            continue
        if node.op in ("call_function", "call_method"):
            kind = function_kind(node.target, len(inputs))
        else:
            kind = "input" if node.op == "placeholder" else "other"
        nodes.append(Node(kind, None, inputs))
        position[node] = len(nodes) - 1
    return nodes


class _Tracer(fx.Tracer):
    """Tracing that stops at layers and does not search for parameters (linear, not quadratic)."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        known = kind_of(m) != "other"
        return known or super().is_leaf_module(m, module_qualified_name)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if isinstance(attr_val, torch.Tensor):
            return self.create_proxy("get_attr", attr, (), {})
        return attr_val

    def create_arg(self, a: Any) -> Any:
        return None if isinstance(a, torch.Tensor) else super().create_arg(a)
