"""Where a kernel lies on its input: padding, layout, and which taps see a real position."""

import torch
import torch.nn.functional as F
from torch import Tensor

from curate.nn.light.errors import LightConvError

Padding = str | int | tuple[int, int]


def resolve_padding(padding: Padding, taps: int) -> tuple[int, int]:
    """Zeros before and after the sequence.

    "same" keeps the length and centres the kernel, an even one with the larger part after;
    "causal" keeps the length and looks back only; an int pads both sides alike.
    """
    if padding == "same":
        return (taps - 1) // 2, taps // 2
    if padding == "causal":
        return taps - 1, 0
    if isinstance(padding, int) and not isinstance(padding, bool) and padding >= 0:
        return padding, padding
    if isinstance(padding, (tuple, list)) and len(padding) == 2:
        left, right = padding
        if isinstance(left, int) and isinstance(right, int) and left >= 0 and right >= 0:
            return left, right
    raise LightConvError(
        f"padding: {padding!r}; give 'same', 'causal', an int or a pair (left, right), none below 0"
    )


def check_layout(layout: str) -> None:
    """Raise LightConvError unless the layout is one of the three."""
    if layout not in ("BTC", "BCT", "TBC"):
        raise LightConvError(f"layout: {layout!r}; give 'BTC', 'BCT' or 'TBC'")


def to_btc(x: Tensor, layout: str) -> Tensor:
    """x (in the layout) as (B, T, C); its own inverse, since each layout swaps two dimensions."""
    if layout == "BCT":
        return x.transpose(1, 2)
    if layout == "TBC":
        return x.transpose(0, 1)
    return x


def real_positions(
    x: Tensor, lengths: Tensor | None, key_padding_mask: Tensor | None = None
) -> Tensor | None:
    """Bool (B, T), True at a position that counts, or None where all of x (B, T, C) do."""
    real: Tensor | None = None
    if lengths is not None:
        if not torch.jit.is_scripting():  # noqa: SIM102 - TorchScript skips this branch only as it is
            if not isinstance(lengths, Tensor):
                raise LightConvError(f"lengths: {lengths}; give a tensor of {x.shape[0]} integers")
        if lengths.shape != x.shape[:1]:
            raise LightConvError(f"lengths: shape {lengths.shape}; give (B,) = {x.shape[:1]}")
        positions = torch.arange(x.shape[1], device=x.device)
        real = positions < lengths.to(x.device).unsqueeze(1)
    if key_padding_mask is not None:
        if key_padding_mask.shape != x.shape[:2] or key_padding_mask.dtype != torch.bool:
            raise LightConvError(
                f"key_padding_mask: {key_padding_mask.dtype} of shape {key_padding_mask.shape}; "
                f"give bool {x.shape[:2]}, True at padding"
            )
        real = ~key_padding_mask if real is None else real & ~key_padding_mask
    return real


def within(x: Tensor, real: Tensor | None) -> Tensor:
    """x (B, T, C) with zeros where no position counts."""
    return x if real is None else x.masked_fill(~real.unsqueeze(2), 0)


def check_documents(seq_idx: Tensor | None, x: Tensor, padding: int, taps: int) -> None:
    """Raise LightConvError for numbers of documents that do not fit x (B, T, C)."""
    if seq_idx is None:
        return
    if seq_idx.shape != x.shape[:2] or seq_idx.is_floating_point() or seq_idx.is_complex():
        raise LightConvError(
            f"seq_idx: {seq_idx.dtype} of shape {seq_idx.shape}; give integers {x.shape[:2]}, the "
            "number of each position's document"
        )
    if padding != taps - 1:
        raise LightConvError(
            "seq_idx: the padding changes the length, so an output belongs to no document; "
            "give padding='same', 'causal' or a pair that sums to K - 1"
        )


def same_document(seq_idx: Tensor, taps: int, left: int) -> Tensor:
    """Which taps lie in the document of their output: bool (B, T, 1, K) from seq_idx (B, T)."""
    right = taps - 1 - left
    around = F.pad(seq_idx, (left, right)).unfold(1, taps, 1) == seq_idx.unsqueeze(2)
    return around.unsqueeze(2) & inside(torch.ones_like(seq_idx[:1], dtype=torch.bool), taps, left,
                                        seq_idx.shape[1])  # fmt: skip


def inside(real: Tensor, taps: int, left: int, length: int) -> Tensor:
    """Which taps lie on a real position: bool (B, length, 1, K) from real (B, T)."""
    right = length + taps - 1 - left - real.shape[1]
    return F.pad(real, (left, right)).unfold(1, taps, 1).unsqueeze(2)
