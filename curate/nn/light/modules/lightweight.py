"""LightweightConv1d: a depthwise convolution with a softmax-normalised kernel for each head."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.nn.light.errors import LightConvError
from curate.nn.light.functional.conv1d import shared_kernel
from curate.nn.light.functional.dispatch import check_backend, convolve
from curate.nn.light.functional.geometry import (
    Padding,
    check_documents,
    check_layout,
    real_positions,
    resolve_padding,
    to_btc,
    within,
)
from curate.nn.light.modules.state import extend, keep


class LightweightConv1d(nn.Module):
    """Lightweight convolution (Wu et al., ICLR 2019, equation 3) with learned kernels.

    Args:
        channels: C.
        kernel_size: K; any, also beyond the sequence.
        num_heads: H, divides C; channel c uses kernel ``c // (C / H)``.
        padding: "same", "causal", an int for both sides, or (left, right).
        layout: of input and output: "BTC", "BCT" or "TBC".
        normalize: "softmax" over the taps, or None.
        renorm_padding: normalise over the taps inside the sequence only.
        bias: learn one bias per channel.
        weight_dropout: DropConnect: probability of dropping a tap of the normalised kernel.
        backend: see :func:`curate.nn.lightweight_conv1d`.

    Attributes:
        weight: (H, K). Loading accepts fairseq's (H, 1, K).
        bias: (C,) or None.

    Shape:
        x (B, T, C), lengths (B,), key_padding_mask (B, T), seq_idx (B, T) ->
        (B, T + left + right - K + 1, C); x and the output in the layout.

    Raises:
        LightConvError: an option that cannot be used.
    """

    bias: Tensor | None

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        *,
        num_heads: int = 1,
        padding: Padding = "same",
        layout: str = "BTC",
        normalize: str | None = "softmax",
        renorm_padding: bool = False,
        bias: bool = False,
        weight_dropout: float = 0.0,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_options(channels, kernel_size, num_heads, layout, normalize, renorm_padding, backend)
        self.channels, self.kernel_size, self.num_heads = channels, kernel_size, num_heads
        self.left, self.right = resolve_padding(padding, kernel_size)
        self.layout = layout
        self.normalize = normalize == "softmax"
        self.renorm_padding = renorm_padding
        self.weight_dropout = weight_dropout
        self.backend = backend
        self.weight = nn.Parameter(torch.empty(num_heads, kernel_size, device=device, dtype=dtype))
        self.register_parameter(
            "bias",
            nn.Parameter(torch.empty(channels, device=device, dtype=dtype)) if bias else None,
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier-uniform kernels, of fan-in K and fan-out H K, and a zero bias."""
        nn.init.xavier_uniform_(self.weight.unsqueeze(1))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        seq_idx: Tensor | None = None,
    ) -> Tensor:
        """Convolve x; positions past lengths (B,) or marked by the mask (B, T) are padding.

        Of documents one after the other, numbered by seq_idx (B, T), none sees another.
        """
        x = to_btc(x, self.layout)
        real = real_positions(x, lengths, key_padding_mask)
        check_documents(seq_idx, x, self.left + self.right, self.kernel_size)
        y = self._convolve(within(x, real), self.left, self.right, real, seq_idx)
        return to_btc(y, self.layout)

    @torch.jit.export
    def step(
        self, x: Tensor, state: Tensor | None = None, key_padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Continue a causal convolution by a chunk of any length.

        Args:
            x: the next positions, in the layout.
            state: what the last step returned; None at the start.
            key_padding_mask: bool (B, n), True at padding, which nothing sees: prompts of unequal
                length are padded on the left.

        Returns:
            The chunk's output, and the state: the last K - 1 inputs or as many as there were,
            (B, <= K - 1, C) in every layout (C + 1 under ``renorm_padding`` after a mask).

        Raises:
            LightConvError: the padding is not causal, or a mask or state that does not fit.
        """
        if self.left != self.kernel_size - 1 or self.right != 0:
            raise LightConvError("step: the padding looks ahead; build with padding='causal'")
        x = to_btc(x, self.layout)
        real = real_positions(x, None, key_padding_mask)
        seen, real = extend(state, within(x, real), real if self.renorm_padding else None)
        left = self.kernel_size - 1 - (seen.shape[1] - x.shape[1])
        y = self._convolve(seen, left, 0, real, None)
        return to_btc(y, self.layout), keep(seen, real, self.kernel_size - 1)

    @torch.jit.export
    def reorder(self, state: Tensor, index: Tensor) -> Tensor:
        """The state of the sequences at index (B',), as beam search needs."""
        return state.index_select(0, index)

    def _convolve(
        self, x: Tensor, left: int, right: int, real: Tensor | None, seq_idx: Tensor | None
    ) -> Tensor:
        kernel = shared_kernel(
            self.weight, x, left, right, self.normalize, self.renorm_padding, real, seq_idx
        )
        if self.training and self.weight_dropout > 0:
            kernel = kernel * F.dropout(torch.ones_like(self.weight), self.weight_dropout)
        y = convolve(x, kernel, left, right, self.backend)
        bias = self.bias
        return y if bias is None else y + bias

    def extra_repr(self) -> str:
        """Sizes, padding and what differs from the defaults."""
        return (
            f"{self.channels}, kernel_size={self.kernel_size}, num_heads={self.num_heads}, "
            f"padding=({self.left}, {self.right}), layout={self.layout}, "
            f"softmax={self.normalize}, renorm_padding={self.renorm_padding}, "
            f"weight_dropout={self.weight_dropout}"
        )

    def _load_from_state_dict(self, state_dict, prefix, *args):  # type: ignore[no-untyped-def]
        weight = state_dict.get(prefix + "weight")
        if weight is not None and weight.dim() == 3 and weight.shape[1] == 1:
            state_dict[prefix + "weight"] = weight.squeeze(1)
        super()._load_from_state_dict(state_dict, prefix, *args)


def check_options(
    channels: int,
    kernel_size: int,
    num_heads: int,
    layout: str,
    normalize: str | None,
    renorm_padding: bool,
    backend: str,
) -> None:
    """Raise LightConvError for what a convolution cannot be built from."""
    check_layout(layout)
    check_backend(backend)
    if not isinstance(kernel_size, int) or kernel_size < 1:
        raise LightConvError(f"kernel_size: {kernel_size!r}; give an integer of at least 1")
    if num_heads < 1 or channels % num_heads:
        raise LightConvError(
            f"num_heads: {num_heads} for {channels} channels; give a divisor of the channels"
        )
    if normalize not in ("softmax", None):
        raise LightConvError(f"normalize: {normalize!r}; give 'softmax' or None")
    if renorm_padding and normalize is None:
        raise LightConvError("renorm_padding: True without normalisation; set normalize='softmax'")
