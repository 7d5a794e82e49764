"""LightConvBlock: takes the place of self-attention in a layer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.nn.light.errors import LightConvError
from curate.nn.light.functional.geometry import Padding
from curate.nn.light.modules.dynamic import DynamicConv1d
from curate.nn.light.modules.lightweight import LightweightConv1d


class LightConvBlock(nn.Module):
    """Linear to 2 D, gated linear unit, light or dynamic convolution, linear (figure 2).

    Args:
        channels: C of input and output.
        kernel_size: K.
        num_heads: H.
        kind: "lightweight" or "dynamic".
        conv_channels: D, the convolution's channels; None: C.
        glu: gate (linear to 2 D); without, linear to D.
        padding: "same", "causal" or (left, right) with left + right = K - 1.
        normalize: "softmax" over the taps, or None.
        renorm_padding: normalise over the taps inside the sequence only.
        weight_dropout: DropConnect on the normalised kernels.
        backend: see :func:`curate.nn.lightweight_conv1d`.

    Attributes:
        linear1, conv, linear2: named as in fairseq's layers.

    Shape:
        x (B, T, C), key_padding_mask (B, T) bool, True at padding, seq_idx (B, T) integers ->
        (B, T, C).

    Raises:
        LightConvError: an option that cannot be used, or a mask that does not fit.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        *,
        num_heads: int = 1,
        kind: str = "lightweight",
        conv_channels: int | None = None,
        glu: bool = True,
        padding: Padding = "same",
        normalize: str | None = "softmax",
        renorm_padding: bool = False,
        weight_dropout: float = 0.0,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        if kind not in ("lightweight", "dynamic"):
            raise LightConvError(f"kind: {kind!r}; give 'lightweight' or 'dynamic'")
        inner = channels if conv_channels is None else conv_channels
        self.glu = glu
        self.linear1 = nn.Linear(channels, 2 * inner if glu else inner)
        self.conv = (LightweightConv1d if kind == "lightweight" else DynamicConv1d)(
            inner,
            kernel_size,
            num_heads=num_heads,
            padding=padding,
            normalize=normalize,
            renorm_padding=renorm_padding,
            weight_dropout=weight_dropout,
            backend=backend,
        )
        if self.conv.left + self.conv.right != kernel_size - 1:
            raise LightConvError(
                f"padding: {padding!r} changes the length; "
                f"give 'same', 'causal' or a pair that sums to {kernel_size - 1}"
            )
        self.linear2 = nn.Linear(inner, channels)
        for linear in (self.linear1, self.linear2):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(
        self, x: Tensor, key_padding_mask: Tensor | None = None, seq_idx: Tensor | None = None
    ) -> Tensor:
        """Mix x over time; what the mask marks is not seen, nor is another document (seq_idx)."""
        mixed = self.conv(self._gated(x), key_padding_mask=key_padding_mask, seq_idx=seq_idx)
        return self.linear2(mixed)

    @torch.jit.export
    def step(
        self, x: Tensor, state: Tensor | None = None, key_padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Continue by a chunk x (B, n, C), mask (B, n); state as of the convolution."""
        y, state = self.conv.step(self._gated(x), state, key_padding_mask=key_padding_mask)
        return self.linear2(y), state

    @torch.jit.export
    def reorder(self, state: Tensor, index: Tensor) -> Tensor:
        """The state of the sequences at index (B',)."""
        return self.conv.reorder(state, index)

    def _gated(self, x: Tensor) -> Tensor:
        x = self.linear1(x)
        return F.glu(x, 2) if self.glu else x
