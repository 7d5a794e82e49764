"""The data flow of a network by symbolic tracing (torch.fx)."""

import inspect
from typing import Any

import torch
from torch import fx, nn

from curate.nn.fixup.branches.graph import DataFlow, Node
from curate.nn.fixup.branches.kinds import kind_of


def traced(model: nn.Module, prefix: str = "") -> list[Node]:
    """The graph of ``model.forward``; any exception means that it cannot be traced."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(model.forward).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    flow = DataFlow(model, prefix)
    tracer = _Tracer()
    tracer.names = flow.names
    graph = tracer.trace(model, defaults or None)
    modules, known = dict(model.named_modules()), set(flow.names.values())
    for node in graph.nodes:
        sources = node.all_input_nodes
        if node.op == "get_attr" or _is_size(node) or (sources and not flow.inputs(sources)):
            # parameters, sizes, and what is made of nothing else, are no data
            origin = None if _is_size(node) else flow.origin(sources)
            origin = str(node.target) if str(node.target) in known else origin
            flow.made |= {} if origin is None else {node: origin}
        elif node.op == "call_module":
            name = str(node.target)
            flow.position[node] = flow.module(prefix + name, modules[name], sources)
        elif node.op in ("call_function", "call_method"):
            flow.position[node] = flow.function(node.target, node.args, sources)
        else:
            kind = "input" if node.op == "placeholder" else "other"
            flow.position[node] = flow.node(Node(kind, None, flow.inputs(sources)))
    return flow.nodes


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
