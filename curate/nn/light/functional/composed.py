"""The same convolutions in ordinary PyTorch operations, for exports and forward mode.

An exported program or ONNX graph runs where this package is not installed; forward-mode
differentiation has no rule for custom operators. Memory is linear for light convolution and, when
gradients are kept, K times the input for dynamic convolution.
"""

import torch.nn.functional as F
from torch import Tensor


def light_conv(x: Tensor, kernel: Tensor, left: int, right: int) -> Tensor:
    """Kernel (H, K) along the time of x (B, T, C) after padding it."""
    channels = x.shape[2]
    heads, taps = kernel.shape
    weight = kernel.to(x.dtype).unsqueeze(1).expand(heads, channels // heads, taps)
    weight = weight.reshape(channels, 1, taps)
    padded = F.pad(x.transpose(1, 2), (left, right))
    return F.conv1d(padded, weight, groups=channels).transpose(1, 2)


def dynamic_conv(x: Tensor, weight: Tensor, left: int, right: int) -> Tensor:
    """Kernels (B, length, H, K) along the time of x (B, T, C) after padding it."""
    length, heads, taps = weight.shape[1:]
    padded = F.pad(x, (0, 0, left, right)).unflatten(2, (heads, -1))
    total = padded[:, :length] * weight[..., :1]
    for k in range(1, taps):
        total = total + padded[:, k : k + length] * weight[..., k : k + 1]
    return total.flatten(2)
