"""Fixup's relatives: ReZero, SkipInit, T-Fixup and DeepNorm."""

import math
from typing import Any

import torch
from torch import nn

from curate.nn.fixup.branches.structure import Structure
from curate.nn.fixup.branches.transformer import is_transformer_layer
from curate.nn.fixup.errors import FixupError
from curate.nn.fixup.report import Row


def rezero_rows(structure: Structure) -> list[Row]:
    """ReZero (Bachlechner et al., 2021): x + a f(x) with a = 0; the weights stay as they are."""
    rows = [Row(n, "branch", "left", b.num_layers) for b in structure.branches for n in b.layers]
    rows += [Row(n, "shortcut", "left") for b in structure.branches for n in b.shortcut]
    rows += [Row(n, "gate", "left") for n in structure.gates]
    return rows + [Row(n, "plain", "left") for n in structure.plain]


def transformer_layers(modules: dict[str, Any], structure: Structure, rule: str) -> list[str]:
    """Names of the transformer layers, which have to hold every branch.

    Raises:
        FixupError: branches elsewhere.
    """
    names = [name for name, module in modules.items() if is_transformer_layer(module)]
    prefixes = tuple(f"{name}." if name else "" for name in names)
    outside = [
        b.name for b in structure.branches if not b.layers[0].startswith(prefixes or ("\0",))
    ]
    if outside:
        raise FixupError(
            f"rule: {rule!r} is for torch's transformer layers, and {outside[0]!r} is in none; "
            "use 'fixup', 'rezero' or 'skipinit'"
        )
    return names


def transformer_rows(
    modules: dict[str, Any], layers: list[str], rule: str
) -> tuple[list[Row], dict[str, float]]:
    """Rows of T-Fixup or DeepNorm, and the gain of each transformer layer.

    T-Fixup (Huang et al., 2020, section 3.2): without LayerNorm and warm-up, Xavier for all, the
    values, the attention output, the two layers behind it and the embeddings times
    0.67 N^(-1/4) in the encoder and (9 N)^(-1/4) in the decoder, of N layers each.
    DeepNorm (Wang et al., 2022, figure 2): LayerNorm(alpha x + f(x)); Xavier with gain beta for
    the same four.
    """
    encoders = sum(isinstance(modules[n], nn.TransformerEncoderLayer) for n in layers)
    decoders = len(layers) - encoders
    gains, rows = {}, []
    for name in layers:
        decoder = isinstance(modules[name], nn.TransformerDecoderLayer)
        gains[name] = (
            _tfixup_gain(decoder, encoders, decoders)
            if rule == "tfixup"
            else deepnorm_constants(decoder, encoders, decoders)[1]
        )
        text = f"xavier; values, output x {gains[name]:.3g}"
        rows += [Row(f"{name}.{a}".lstrip("."), "branch", text) for a in _attentions(modules[name])]
        for linear in ("linear1", "linear2"):
            weight = modules[name].get_submodule(linear).weight
            std = math.sqrt(2.0 / (weight.shape[0] + weight.shape[1])) * gains[name]
            text = f"xavier x {gains[name]:.3g}"
            rows.append(Row(f"{name}.{linear}".lstrip("."), "branch", text, 2, std))
    if rule == "tfixup":
        for name, module in modules.items():
            if isinstance(module, nn.Embedding):
                factor = min(gains.values())
                std = module.embedding_dim**-0.5 * factor
                rows.append(Row(name, "embedding", f"normal x {factor:.3g}", None, std))
    return rows, gains


@torch.no_grad()
def draw_transformer_(
    modules: dict[str, Any],
    rows: list[Row],
    gains: dict[str, float],
    generator: torch.Generator | None,
) -> None:
    """Draw what :func:`transformer_rows` says."""
    for name, gain in gains.items():
        layer = modules[name]
        for linear in (layer.linear1, layer.linear2):
            _xavier_(linear.weight, gain, generator)
            _zero(linear.bias)
        for attention in _attentions(layer):
            module = layer.get_submodule(attention)
            if module.in_proj_weight is not None:
                projections = module.in_proj_weight.chunk(3)
            else:
                projections = (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
            for weight, factor in zip(projections, (1.0, 1.0, gain), strict=True):
                _xavier_(weight, factor, generator)
            _xavier_(module.out_proj.weight, gain, generator)
            _zero(module.in_proj_bias)
            _zero(module.out_proj.bias)
    for row in rows:
        if row.role == "embedding" and not modules[row.module].weight.is_meta:
            embedding = modules[row.module]
            embedding.weight.normal_(0.0, row.std or 0.0, generator=generator)
            if embedding.padding_idx is not None:
                embedding.weight[embedding.padding_idx].zero_()


def deepnorm_constants(decoder: bool, encoders: int, decoders: int) -> tuple[float, float]:
    """Alpha and beta of DeepNorm for N encoder and M decoder layers (Wang et al., figure 2).

    Example:
        >>> alpha, beta = deepnorm_constants(False, 8, 0)
        >>> round(alpha, 3), round(beta, 3)
        (2.0, 0.354)
    """
    if encoders and decoders:
        if decoder:
            return (3 * decoders) ** 0.25, (12 * decoders) ** -0.25
        product = (encoders**4 * decoders) ** (1 / 16)
        return 0.81 * product, 0.87 / product
    count = encoders or decoders
    return (2 * count) ** 0.25, (8 * count) ** -0.25


def amplify_stream(modules: dict[str, Any], layers: list[str]) -> dict[str, float]:
    """DeepNorm's alpha x + f(x), as the factor 1/alpha on each branch of a layer.

    LayerNorm does not see the scale of what it reads, so LN(alpha x + f) is LN(x + f / alpha)
    exactly, with eps / alpha^2.

    Returns:
        1 / alpha for every layer.

    Raises:
        FixupError: a layer that normalises before its branches.
    """
    encoders = sum(isinstance(modules[n], nn.TransformerEncoderLayer) for n in layers)
    factors = {}
    for name in layers:
        layer = modules[name]
        if layer.norm_first:
            raise FixupError(
                f"model: {name!r} normalises first, and DeepNorm normalises after each sum; build "
                "it with norm_first=False"
            )
        decoder = isinstance(layer, nn.TransformerDecoderLayer)
        alpha, _ = deepnorm_constants(decoder, encoders, len(layers) - encoders)
        for norm in (n for n, m in layer.named_children() if isinstance(m, nn.LayerNorm)):
            module = layer.get_submodule(norm)
            first = getattr(module, "deepnorm_eps", module.eps)
            module.deepnorm_eps = first  # so that a second time does not divide again
            module.eps = first / alpha**2
        factors[name] = 1.0 / alpha
    return factors


def _tfixup_gain(decoder: bool, encoders: int, decoders: int) -> float:
    return (9 * decoders) ** -0.25 if decoder else 0.67 * encoders**-0.25


def _attentions(layer: Any) -> list[str]:
    return [n for n, m in layer.named_children() if isinstance(m, nn.MultiheadAttention)]


def _xavier_(weight: torch.Tensor, gain: float, generator: torch.Generator | None) -> None:
    if weight.is_meta:
        return
    bound = gain * math.sqrt(6.0 / (weight.shape[0] + weight.shape[1]))
    weight.uniform_(-bound, bound, generator=generator)


def _zero(bias: torch.Tensor | None) -> None:
    if bias is not None:
        bias.zero_()
