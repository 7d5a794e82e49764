"""The residual branches of torch's transformer layers, which cannot be traced."""

from typing import Any

from torch import nn

from curate.nn.fixup.branches.branch import Branch


def transformer_branches(layer: Any, name: str) -> list[Branch]:
    """Two branches of an encoder layer, three of a decoder layer (L = 2 enc + 3 dec)."""
    attentions = ["self_attn"]
    if isinstance(layer, nn.TransformerDecoderLayer):
        attentions.append("multihead_attn")
    branches = [Branch(a, (a,), (a,), 4, (), "xavier") for a in (f"{name}{a}" for a in attentions)]
    first, second = f"{name}linear1", f"{name}linear2"
    branches.append(Branch(f"{name}linear", (first, second), (second,), 2, (), "xavier"))
    return branches


def is_transformer_layer(module: nn.Module) -> bool:
    """One encoder or decoder layer of torch.nn."""
    return isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer))


def leave_fast_path(layer: Any) -> None:
    """Make the layer call its submodules in eval mode as well: fused kernels skip the scalars."""
    if isinstance(layer, nn.TransformerEncoderLayer):
        layer.activation_relu_or_gelu = 0
