"""A second device on any machine: its tensors compute on the CPU, and refuse to meet CPU tensors.

A tensor subclass that says it lies on torch's "meta" device and holds its values on the CPU. What
is made there, or copied from there with ``to`` and ``cpu``, is kept apart as a GPU's would be;
numpy and operations that mix both raise, as on a GPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
_MAY_MIX = ("copy_", "_to_copy")


class There(Tensor):
    values: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> "There":
        made = Tensor._make_wrapper_subclass(
            cls,
            values.shape,
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=DEVICE,
        )
        made.values = values
        return made

    def __repr__(self) -> str:
        return f"There({self.values})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None):
        return _call(func, args, kwargs or {})


class Elsewhere(TorchDispatchMode):
    """While it is on, tensors can be made on :data:`DEVICE`, and copied to it."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        return _call(func, args, kwargs or {})


class Numbers(TorchFunctionMode):
    """From Python's numbers and to them, past which torch's dispatch does not lead."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        if func is Tensor.tolist and isinstance(args[0], There):
            return args[0].values.tolist()
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") == DEVICE:
            return func(*args, **{**kwargs, "device": None}).to(DEVICE)
        return func(*args, **kwargs)


def _call(func: Any, args: tuple, kwargs: dict) -> Any:
    given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
    there = [one for one in given if isinstance(one, There)]
    here = [one for one in given if not isinstance(one, There) and one.ndim]
    name = func.overloadpacket.__name__
    if there and here and name not in _MAY_MIX:
        raise RuntimeError(f"{name}: tensors of two devices")
    asked = kwargs.get("device")
    ends_there = bool(there) if asked is None else torch.device(asked) == DEVICE
    if asked is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    args, kwargs = tree_map(
        lambda one: one.values if isinstance(one, There) else one, (args, kwargs)
    )
    out = func(*args, **kwargs)
    if out is not None and name.endswith("_") and not name.endswith("__"):  # in place
        return given[0]
    return tree_map(lambda one: There(one) if ends_there and isinstance(one, Tensor) else one, out)


def _bare(one: Any) -> Any:
    return one.values if isinstance(one, There) else one


@contextmanager
def second_device() -> Iterator[None]:
    """While it is open, :data:`DEVICE` is a device as any other."""
    with Elsewhere(), Numbers():
        yield
