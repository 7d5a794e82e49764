"""Both convolutions by definition: loops over every output, tap and channel."""

import math

import torch


def pads(padding, taps):
    if padding == "same":
        return (taps - 1) // 2, taps - 1 - (taps - 1) // 2
    if padding == "causal":
        return taps - 1, 0
    return (padding, padding) if isinstance(padding, int) else padding


def convolution(x, weight, bias=None, padding="same", softmax=True, renorm=False, lengths=None):
    """x (B, T, C) and weight (H, K) or (B, T', H, K), in Python numbers; y (B, T', C)."""
    batch, source, channels = x.shape
    heads, taps = weight.shape[-2:]
    left, right = pads(padding, taps)
    length = source + left + right - taps + 1
    y = torch.zeros(batch, length, channels, dtype=x.dtype)
    for b in range(batch):
        end = source if lengths is None else min(source, int(lengths[b]))
        for t in range(length):
            for c in range(channels):
                h = c // (channels // heads)
                row = (weight[h] if weight.dim() == 2 else weight[b, t, h]).tolist()
                seen = [0 <= t + k - left < end for k in range(taps)]
                if softmax:
                    counted = [s or not renorm for s in seen]
                    raised = [math.exp(w) if n else 0.0 for w, n in zip(row, counted, strict=True)]
                    total = sum(raised)
                    row = [r / total if total else 0.0 for r in raised]
                value = sum(row[k] * float(x[b, t + k - left, c]) for k in range(taps) if seen[k])
                y[b, t, c] = value + (0.0 if bias is None else float(bias[c]))
    return y


def differentiable(x, weight, padding="same", softmax=True):
    """The same from slices, so that autograd can follow it; x (B, T, C)."""
    taps = weight.shape[-1]
    left, right = pads(padding, taps)
    batch, source, channels = x.shape
    length = source + left + right - taps + 1
    kernel = weight.softmax(-1) if softmax else weight
    if kernel.dim() == 2:
        kernel = kernel.expand(batch, length, *kernel.shape)
    kernel = kernel.repeat_interleave(channels // kernel.shape[2], 2)
    zeros = [torch.zeros(batch, n, channels, dtype=x.dtype) for n in (left, right)]
    padded = torch.cat([zeros[0], x, zeros[1]], 1)
    rows = [(padded[:, t : t + taps] * kernel[:, t].transpose(1, 2)).sum(1) for t in range(length)]
    return torch.stack(rows, 1)
