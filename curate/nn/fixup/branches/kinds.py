"""Kinds of modules: layers with weights, normalisations, activations, and so on."""

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from curate.nn.fixup.scalars import FixedScale, FixupBias, FixupScale

ATTENTION = nn.MultiheadAttention
LAYERS: tuple[type[nn.Module], ...] = (_ConvNd, nn.Linear, ATTENTION)
NORMS: tuple[type[nn.Module], ...] = (
    _NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
    nn.RMSNorm,
)
BLOCKS: tuple[type[nn.Module], ...] = (
    nn.Transformer,
    nn.TransformerEncoder,
    nn.TransformerDecoder,
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
)
AVERAGING: tuple[type[nn.Module], ...] = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
PASSES: tuple[type[nn.Module], ...] = (nn.Identity, nn.modules.dropout._DropoutNd)


def kind_of(module: nn.Module) -> str:
    """'layer', 'norm', 'act', 'bias', 'scale', 'block', 'embedding', 'pass' or 'other'.

    A 'block' is a transformer; a 'pass' changes nothing that matters here, such as dropout.
    """
    if isinstance(module, FixupBias):
        return "bias"
    if isinstance(module, FixupScale):
        return "scale"
    if isinstance(module, BLOCKS):
        return "block"
    if isinstance(module, LAYERS) or is_transposed_linear(module):
        return "layer"
    if isinstance(module, NORMS) or _is_foreign_norm(module):
        return "norm"
    if isinstance(module, (*PASSES, FixedScale)) or type(module).__name__ == "DropPath":
        return "pass"
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return "embedding"
    return "act" if _is_activation(module) else "other"


def is_transposed_linear(module: nn.Module) -> bool:
    """Hugging Face's Conv1D (GPT-2): a linear layer whose weight is inputs x outputs."""
    weight = module._parameters.get("weight")
    return type(module).__name__ == "Conv1D" and weight is not None and weight.ndim == 2


def _is_activation(module: nn.Module) -> bool:
    """One of torch, timm or Hugging Face: it stands in a file of activations, and holds nothing."""
    file = type(module).__module__.rpartition(".")[2]
    if type(module).__module__ == "torch.nn.modules.activation":
        return True
    return file.startswith("activation") and not list(module.children()) and not list(
        module.parameters()
    )  # fmt: skip


def fused_activation(norm: nn.Module) -> nn.Module | None:
    """The activation inside a normalisation (timm's BatchNormAct2d), if it has one."""
    act = getattr(norm, "act", None)
    return act if isinstance(act, nn.Module) and not isinstance(act, nn.Identity) else None


def _is_foreign_norm(module: nn.Module) -> bool:
    """A library's own normalisation: named so, with at most a gain and a shift of one axis."""
    name = type(module).__name__
    own = list(module.parameters(recurse=False))
    named = name.endswith(("Norm", "Norm1d", "Norm2d", "Norm3d"))
    return named and bool(own) and all(p.ndim == 1 for p in own)
