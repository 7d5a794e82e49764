"""Scalars on modules: children of the module, called by hooks, so that no parameter is renamed."""

from functools import partial, wraps
from typing import Any

from torch import Tensor, nn

from curate.nn.fixup.branches.kinds import ATTENTION
from curate.nn.fixup.errors import FixupError

BEFORE, DIVIDE, SCALE, AFTER = "fixup_before", "fixup_divide", "fixup_scale", "fixup_after"


def attach(module: Any, position: str, scalar: nn.Module) -> nn.Module:
    """Let ``scalar`` act on a module's input, or divide, scale and shift its output.

    A module that already has a scalar at this position keeps it, so attaching twice changes
    nothing.

    Args:
        position: BEFORE, DIVIDE, SCALE or AFTER.

    Returns:
        The scalar in use: the given one, or the one that was there.
    """
    present = getattr(module, position, None)
    if present is not None:
        return present
    behind = any(hasattr(module, each) for each in (DIVIDE, SCALE, AFTER))
    hooked = hasattr(module, BEFORE), behind
    module.add_module(position, scalar)
    attention = isinstance(module, ATTENTION)
    if position == BEFORE and not hooked[0]:
        hook = _before_attention if attention else _before
        module.register_forward_pre_hook(hook, with_kwargs=True)
    if position != BEFORE and not hooked[1]:
        module.register_forward_hook(_after_attention if attention else _after)
    if attention:
        refuse_script(
            module,
            "torch.jit.script: an nn.MultiheadAttention with Fixup's scalars cannot be compiled, "
            "since TorchScript tells a hook only what a call gives by position; use "
            "torch.jit.trace, or fixup_(..., scalars=False)",
        )
    return scalar


def refuse_script(module: Any, message: str) -> None:
    """Make torch.jit.script raise a FixupError, by the method that it asks a module for."""
    module.__prepare_scriptable__ = partial(_raise, message)


def _raise(message: str) -> None:
    raise FixupError(message)


def _scripted_before(self: Any, input: tuple[Tensor]) -> Tensor:
    return self.fixup_before(input[0])


# torch.jit.script compiles what is wrapped, since it knows no keywords; pickle goes by the name
@wraps(_scripted_before, assigned=())
def _before(module: Any, args: Any, kwargs: Any) -> Any:
    if args:
        return (module.fixup_before(args[0]), *args[1:]), kwargs
    name = next(iter(kwargs))
    return args, {**kwargs, name: module.fixup_before(kwargs[name])}


def _before_attention(module: Any, args: Any, kwargs: Any) -> Any:
    """Shift the queries, and the keys and values where they are the same tensor."""
    names = ("query", "key", "value")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    query = given["query"]
    shifted = module.fixup_before(query)
    for name in names:
        if given[name] is query:
            given[name] = shifted
    rest = args[len(names) :]
    if rest:
        first = tuple(given.pop(name) for name in names)
        return (*first, *rest), given
    return (), given


def _after(self: Any, input: tuple[Tensor], output: Tensor) -> Tensor:
    if hasattr(self, "fixup_divide"):  # names, not DIVIDE: torch.jit.script reads this
        output = self.fixup_divide(output)
    if hasattr(self, "fixup_scale"):
        output = self.fixup_scale(output)
    if hasattr(self, "fixup_after"):
        output = self.fixup_after(output)
    return output


def _after_attention(module: Any, args: Any, out: Any) -> Any:
    return (_after(module, args, out[0]), *out[1:])
