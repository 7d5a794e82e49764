"""DynamicConv1d: every position predicts its own kernel."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.nn.light.errors import LightConvError
from curate.nn.light.functional.conv1d import own_kernels
from curate.nn.light.functional.dispatch import convolve
from curate.nn.light.functional.geometry import (
    Padding,
    check_documents,
    real_positions,
    resolve_padding,
    to_btc,
    within,
)
from curate.nn.light.modules.lightweight import check_options
from curate.nn.light.modules.state import extend, keep


class DynamicConv1d(nn.Module):
    """Dynamic convolution (Wu et al., ICLR 2019, section 4).

    A linear layer maps each position of the query (by default x itself) to H kernels of K taps.

    Args:
        channels: C.
        kernel_size: K; any, also beyond the sequence.
        num_heads: H, divides C; channel c uses kernel ``c // (C / H)``.
        padding: "same", "causal", or (left, right) with left + right = K - 1.
        layout: of input, query and output: "BTC", "BCT" or "TBC".
        normalize: "softmax" over the taps, or None.
        renorm_padding: normalise over the taps inside the sequence only.
        query_dim: channels of a query that is given to ``forward`` and ``step``; None: x is it.
        in_proj: one linear layer projects x, too, which the kernels then run over.
        bias: the predicted kernels have a bias (with ``in_proj`` they always do).
        conv_bias: learn one bias per channel.
        weight_dropout: DropConnect: probability of dropping a tap of a normalised kernel.
        backend: see :func:`curate.nn.dynamic_conv1d`.

    Attributes:
        weight_linear: Linear to H K outputs, head by head; with ``in_proj`` behind C others.
        conv_bias: (C,) or None. Both are named and laid out as in fairseq.

    Shape:
        x (B, T, C), query (B, T, query_dim), lengths (B,), key_padding_mask (B, T),
        seq_idx (B, T) -> (B, T, C); x, query and the output in the layout.

    Raises:
        LightConvError: an option that cannot be used, or a query missing or not asked for.
    """

    conv_bias: Tensor | None

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
        query_dim: int | None = None,
        in_proj: bool = False,
        bias: bool = False,
        conv_bias: bool = False,
        weight_dropout: float = 0.0,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_options(channels, kernel_size, num_heads, layout, normalize, renorm_padding, backend)
        if in_proj and query_dim is not None:
            raise LightConvError(f"query_dim: {query_dim} with in_proj=True; the query is x then")
        self.channels, self.kernel_size, self.num_heads = channels, kernel_size, num_heads
        self.left, self.right = resolve_padding(padding, kernel_size)
        if self.left + self.right != kernel_size - 1:
            raise LightConvError(
                f"padding: {padding!r} changes the length, but every position has one kernel; "
                f"give 'same', 'causal' or a pair that sums to {kernel_size - 1}"
            )
        self.layout = layout
        self.normalize = normalize == "softmax"
        self.renorm_padding = renorm_padding
        self.query_dim = query_dim
        self.in_proj = in_proj
        self.weight_dropout = weight_dropout
        self.backend = backend
        self.weight_linear = nn.Linear(
            channels if query_dim is None else query_dim,
            num_heads * kernel_size + (channels if in_proj else 0),
            bias=bias or in_proj,
            device=device,
            dtype=dtype,
        )
        self.register_parameter(
            "conv_bias",
            nn.Parameter(torch.empty(channels, device=device, dtype=dtype)) if conv_bias else None,
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier-uniform weights and zero biases."""
        nn.init.xavier_uniform_(self.weight_linear.weight)
        if self.weight_linear.bias is not None:
            nn.init.zeros_(self.weight_linear.bias)
        if self.conv_bias is not None:
            nn.init.zeros_(self.conv_bias)

    def forward(
        self,
        x: Tensor,
        query: Tensor | None = None,
        lengths: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        seq_idx: Tensor | None = None,
    ) -> Tensor:
        """Convolve x by the kernels that the query predicts.

        Positions past lengths (B,) or marked by the mask (B, T) are padding. Of documents one
        after the other, numbered by seq_idx (B, T), none sees another.
        """
        x, kernel = self._projected(x, query)
        real = real_positions(x, lengths, key_padding_mask)
        check_documents(seq_idx, x, self.left + self.right, self.kernel_size)
        y = self._convolve(within(x, real), kernel, self.left, real, seq_idx)
        return to_btc(y, self.layout)

    @torch.jit.export
    def step(
        self,
        x: Tensor,
        state: Tensor | None = None,
        query: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Continue a causal convolution by a chunk of any length.

        Args:
            x: the next positions, in the layout.
            state: what the last step returned; None at the start.
            query: of the same positions, where the module has a ``query_dim``.
            key_padding_mask: bool (B, n), True at padding, which nothing sees: prompts of unequal
                length are padded on the left.

        Returns:
            The chunk's output, and the state: the last K - 1 inputs (projected ones with
            ``in_proj``) or as many as there were, (B, <= K - 1, C) in every layout
            (C + 1 under ``renorm_padding`` after a mask).

        Raises:
            LightConvError: the padding is not causal, or a mask or state that does not fit.
        """
        if self.left != self.kernel_size - 1:
            raise LightConvError("step: the padding looks ahead; build with padding='causal'")
        x, kernel = self._projected(x, query)
        real = real_positions(x, None, key_padding_mask)
        seen, real = extend(state, within(x, real), real if self.renorm_padding else None)
        left = self.kernel_size - 1 - (seen.shape[1] - x.shape[1])
        y = self._convolve(seen, kernel, left, real, None)
        return to_btc(y, self.layout), keep(seen, real, self.kernel_size - 1)

    @torch.jit.export
    def reorder(self, state: Tensor, index: Tensor) -> Tensor:
        """The state of the sequences at index (B',), as beam search needs."""
        return state.index_select(0, index)

    def _projected(self, x: Tensor, query: Tensor | None) -> tuple[Tensor, Tensor]:
        """What is convolved, (B, T, C), and the raw kernels, (B, T, H, K)."""
        x = to_btc(x, self.layout)
        if (query is None) != (self.query_dim is None):
            raise LightConvError("query: give one exactly when the module was built with query_dim")
        if self.in_proj:
            projected = self.weight_linear(x)
            x, kernel = projected[..., : self.channels], projected[..., self.channels :]
        else:
            kernel = self.weight_linear(x if query is None else to_btc(query, self.layout))
        return x, kernel.unflatten(2, (self.num_heads, self.kernel_size))

    def _convolve(
        self,
        x: Tensor,
        kernel: Tensor,
        left: int,
        real: Tensor | None,
        seq_idx: Tensor | None,
    ) -> Tensor:
        right = kernel.shape[1] + self.kernel_size - 1 - left - x.shape[1]
        kernel = own_kernels(kernel, x, left, self.normalize, self.renorm_padding, real, seq_idx)
        if self.training and self.weight_dropout > 0:
            kernel = F.dropout(kernel, self.weight_dropout)
        y = convolve(x, kernel.to(x.dtype), left, right, self.backend)
        bias = self.conv_bias
        return y if bias is None else y + bias

    def extra_repr(self) -> str:
        """Sizes, padding and what differs from the defaults."""
        return (
            f"{self.channels}, kernel_size={self.kernel_size}, num_heads={self.num_heads}, "
            f"padding=({self.left}, {self.right}), layout={self.layout}, "
            f"softmax={self.normalize}, renorm_padding={self.renorm_padding}, "
            f"query_dim={self.query_dim}, in_proj={self.in_proj}, "
            f"weight_dropout={self.weight_dropout}"
        )

    def _load_from_state_dict(self, state_dict, prefix, *args):  # type: ignore[no-untyped-def]
        bias = state_dict.get(prefix + "conv_bias")
        if bias is not None and bias.dim() == 3:  # fairseq's scriptable form: (1, 1, C)
            state_dict[prefix + "conv_bias"] = bias.flatten()
        super()._load_from_state_dict(state_dict, prefix, *args)
