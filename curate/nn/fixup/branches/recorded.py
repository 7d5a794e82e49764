"""Record the data flow of one forward pass, for models whose code depends on values."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from curate.nn.fixup.branches.graph import (
    CONCATENATE,
    MULTIPLY,
    PRODUCTS,
    Node,
    function_kind,
    matrices,
    module_nodes,
    parameter_names,
    tokens,
)
from curate.nn.fixup.branches.kinds import kind_of


def recorded(model: nn.Module, example_inputs: Any) -> list[Node]:
    """The graph of ``model(*example_inputs)``, run once without gradients and in eval mode.

    Args:
        model: is left as it was.
        example_inputs: a tensor, a tuple of positional arguments, or a mapping of named ones.
    """
    recording = _Recording(model)
    hooks = []
    for name, module in model.named_modules():
        if kind_of(module) not in ("other",):
            hooks.append(module.register_forward_pre_hook(recording.enter, with_kwargs=True))
            hooks.append(
                module.register_forward_hook(
                    lambda m, a, k, out, name=name: recording.leave(name, m, a, k, out),
                    with_kwargs=True,
                )
            )
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad(), recording:
            if isinstance(example_inputs, Mapping):
                model(**example_inputs)
            else:
                many = isinstance(example_inputs, (tuple, list))
                model(*(example_inputs if many else (example_inputs,)))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes:
            module.training = training
    return recording.nodes


def dummy_inputs(model: Any) -> dict[str, Any] | None:
    """Inputs that a Hugging Face model says it can read; None for any other model."""
    config = getattr(model, "config", None)
    if config is None or not hasattr(model, "dummy_inputs"):
        return None
    device = next(model.parameters()).device
    if getattr(model, "main_input_name", "") == "pixel_values":
        size = getattr(config, "image_size", None)
        height, width = size if isinstance(size, (tuple, list)) else (size or 64, size or 64)
        return {"pixel_values": torch.zeros(1, config.num_channels, height, width, device=device)}
    return {name: value.to(device) for name, value in model.dummy_inputs.items()}


class _Recording(TorchFunctionMode):
    """Writes down every torch function on tensors, and known modules as one step each."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.wide, self.loose = set(matrices(model).values()), set(tokens(model).values())
        # tensors that are no data, by the parameter that they are made of
        self.made = parameter_names(model)
        self.nodes: list[Node] = []
        self.position: dict[int, int] = {}
        self.alive: list[Any] = []  # so that no id is used twice
        self.depth = 0

    def enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self.depth += 1

    def leave(self, name: str, module: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
        self.depth -= 1
        if not self.depth:
            self._keep(out, module_nodes(self.nodes, name, module, self._inputs((args, kwargs))))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.depth:
            return func(*args, **kwargs)
        leaves = tree_leaves((args, kwargs))
        inputs = self._inputs(leaves)
        if inputs and func in CONCATENATE:
            for leaf in leaves:
                if self.made.get(id(leaf)) in self.loose:
                    self.nodes.append(Node("embedding", self.made.pop(id(leaf)), ()))
                    self._keep(leaf, len(self.nodes) - 1)
            inputs = self._inputs(leaves)
        origins = [self.made[id(leaf)] for leaf in leaves if id(leaf) in self.made]
        factors = [name for name in origins if name in self.wide]
        out = func(*args, **kwargs)
        if origins and not inputs and isinstance(out, Tensor):
            self.made[id(out)] = origins[0]
            self.alive.append(out)
            return out
        if factors and _plain(func) in PRODUCTS and isinstance(out, Tensor):
            self.nodes.append(Node("product", factors[0], inputs))
            self._keep(out, len(self.nodes) - 1)
            return out
        if any(isinstance(leaf, Tensor) for leaf in tree_leaves(out)):
            plain = _plain(func)
            kind = function_kind(plain, len(inputs))
            name = origins[0] if origins and kind == "pass" and plain in MULTIPLY else None
            self.nodes.append(Node(kind, name, inputs, plain if kind == "act" else None))
            self._keep(out, len(self.nodes) - 1)
        return out

    def _inputs(self, values: Any) -> tuple[int, ...]:
        """Positions of the tensors in ``values``; parameters are no data and have none."""
        positions = []
        for leaf in tree_leaves(values):
            known = id(leaf) in self.position  # a parameter that was concatenated with data
            data = isinstance(leaf, Tensor) and (known or not isinstance(leaf, nn.Parameter))
            if data and id(leaf) not in self.made:
                if id(leaf) not in self.position:
                    self.nodes.append(Node("input", None, ()))
                    self._keep(leaf, len(self.nodes) - 1)
                positions.append(self.position[id(leaf)])
        return tuple(dict.fromkeys(positions))

    def _keep(self, out: Any, position: int) -> None:
        parts = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        for part in parts:
            if len(parts) > 1:
                self.nodes.append(Node("slice", None, (position,)))
            self.position[id(part)] = len(self.nodes) - 1 if len(parts) > 1 else position
            self.alive.append(part)


def _plain(func: Any) -> Any:
    """A method of Tensor by its name, so that x + y is recognised as torch.add is."""
    name = getattr(func, "__name__", "")
    names = {"__add__": "add", "__radd__": "add", "__iadd__": "add_", "__getitem__": "getitem",
             "__matmul__": "matmul", "__rmatmul__": "matmul",
             "__mul__": "mul", "__rmul__": "mul", "__imul__": "mul_"}  # fmt: skip
    if getattr(torch.Tensor, name, None) is func:
        return names.get(name, name)
    return func
