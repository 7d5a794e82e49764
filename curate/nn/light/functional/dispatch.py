"""Dispatch of both convolutions to their backends."""

import torch
from torch import Tensor

from curate.nn.light.errors import LightConvError
from curate.nn.light.functional import composed
from curate.nn.light.functional.derivatives import DynamicConv, LightConv

BACKENDS = ("auto", "torch", "triton", "composed")


def convolve(x: Tensor, kernel: Tensor, left: int, right: int, backend: str) -> Tensor:
    """x (B, T, C), padded, by a kernel (H, K) or by kernels (B, T + left + right - K + 1, H, K)."""
    if not torch.jit.is_scripting():  # noqa: SIM102 - TorchScript skips this branch only as it is
        if backend == "composed" or (backend == "auto" and _exporting()):
            if kernel.dim() == 2:
                return composed.light_conv(x, kernel, left, right)
            return composed.dynamic_conv(x, kernel, left, right)
    length = x.shape[1] + left + right - kernel.shape[-1] + 1
    if not torch.jit.is_scripting():  # noqa: SIM102
        if not torch.compiler.is_compiling():
            if kernel.dim() == 2:
                return LightConv.apply(x, kernel, left, length, backend)
            return DynamicConv.apply(x, kernel, left, length, False, backend)
    if kernel.dim() == 2:
        return torch.ops.curate.light_conv(x, kernel, left, length, backend)
    return torch.ops.curate.dynamic_conv(x, kernel, left, length, False, backend)


def check_backend(backend: str) -> None:
    """Raise LightConvError for a name that is none of BACKENDS."""
    if backend not in BACKENDS:
        raise LightConvError(f"backend: {backend!r}; give one of {', '.join(BACKENDS)}")


def _exporting() -> bool:
    """Whether a graph is being recorded that must run without this package."""
    exporting = getattr(torch.compiler, "is_exporting", None)  # since torch 2.7
    return torch.onnx.is_in_onnx_export() or (exporting is not None and exporting())
