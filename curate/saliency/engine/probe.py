"""Whether all nonlinearities of a model are in reach of rules that replace their gradients."""

from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from curate.errors import CurateError
from curate.saliency.engine.rules import Rules
from curate.saliency.engine.smooth import name_of, smoothed

# As torch's kernels are called, where they are not called as the functions of torch are
_KERNELS = {
    "prelu_kernel": "prelu",
    "max_pool2d_with_indices": "max_pool2d",
    "max_pool3d_with_indices": "max_pool3d",
}
# No clamp: other functions of torch (normalize) have one that guards a denominator.
_WATCHED = (
    *("relu", "relu6", "hardtanh", "leaky_relu", "prelu", "threshold", "softplus", "gelu", "silu"),
    *("mish", "elu", "selu", "celu", "hardswish", "hardsigmoid", "max_pool1d", "max_pool2d"),
    *("max_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d"),
)


class _Calls(TorchFunctionMode):
    """Notes whether the watched functions are being called as functions of torch."""

    depth = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        watched = name_of(func) in _WATCHED
        self.depth += watched
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.depth -= watched


class _Hidden(TorchDispatchMode):
    """Collects watched kernels that run without a call of the function: name -> a call's Smooth."""

    def __init__(self, calls: _Calls) -> None:
        super().__init__()
        self.calls, self.found = calls, {}  # type: ignore[var-annotated]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        name = func._schema.name.split("::")[-1].strip("_")
        name = _KERNELS.get(name, name)
        if name in _WATCHED and not self.calls.depth:
            self.found[name] = smoothed(name, args, kwargs or {})
        return func(*args, **(kwargs or {}))


_in_reach: "WeakSet[nn.Module]" = WeakSet()


def check_in_reach(model: nn.Module, inputs: Tensor, rules: Rules) -> None:
    """Refuse a model some of whose nonlinearities the rules cannot replace, which would be silent.

    That is so in TorchScript, in exported programs, within other functions of torch (the ReLU of
    ``lp_pool2d``) and wherever kernels are called by ``torch.ops``.

    Args:
        model: run once; where nothing is out of reach, not again.
        inputs: of it, normalised.
        rules: that it is going to run under.

    Raises:
        CurateError: such a model.
    """
    if model in _in_reach:
        return
    calls = _Calls()
    with torch.no_grad(), calls, _Hidden(calls) as hidden:
        model(inputs.detach().clone())
    if not hidden.found:
        _in_reach.add(model)
    replaced = {**rules.rules, **rules.calls}
    lost = [
        name
        for name, smooth in hidden.found.items()
        if name in replaced or (rules.softplus_beta is not None and smooth is not None)
    ]
    if lost:
        raise CurateError(
            f"model: {', '.join(sorted(lost))} in it cannot be given another gradient, as it is "
            "in TorchScript, an exported program, torch.ops or another function of torch; give "
            "the module that it was made of"
        )
