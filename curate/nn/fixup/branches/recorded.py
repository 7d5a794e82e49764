"""Record the data flow of one forward pass, for models whose code depends on values."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from curate.nn.fixup.branches.graph import DataFlow, Node
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
    return recording.flow.nodes


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
        self.flow = DataFlow(model)  # its keys are the ids of tensors
        self.flow.made.update(self.flow.names)
        self.alive: list[Any] = []  # so that no id is used twice
        self.depth = 0

    def enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self.depth += 1

    def leave(self, name: str, module: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
        self.depth -= 1
        if not self.depth:
            self._keep(out, self.flow.module(name, module, self._sources((args, kwargs))))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if self.depth:
            return out
        sources = self._sources((args, kwargs))
        origin = self.flow.origin(sources)
        if origin is not None and isinstance(out, Tensor) and not self.flow.inputs(sources):
            self.flow.made[id(out)] = origin
            self.alive.append(out)
        elif any(isinstance(leaf, Tensor) for leaf in tree_leaves(out)):
            self._keep(out, self.flow.function(_plain(func), args, sources))
        return out

    def _sources(self, values: Any) -> list[int]:
        """Keys of the tensors in ``values``; those that are new and no parameter are inputs."""
        tensors = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
        for each in tensors:
            if not (
                isinstance(each, nn.Parameter)
                or id(each) in self.flow.made
                or id(each) in self.flow.position
            ):
                self._keep(each, self.flow.node(Node("input", None, ())))
        return [id(each) for each in tensors]

    def _keep(self, out: Any, position: int) -> None:
        parts = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        for part in parts:
            if len(parts) > 1:
                self.flow.position[id(part)] = self.flow.node(Node("slice", None, (position,)))
            else:
                self.flow.position[id(part)] = position
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
