"""Embeddings of a stream that no LayerNorm rescales any more."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from curate.nn.fixup.branches.structure import Structure
from curate.nn.fixup.initial import stream_size


@torch.no_grad()
def raise_embeddings_(
    sizes: Mapping[str, float],
    modules: dict[str, Any],
    generator: torch.Generator | None = None,
) -> None:
    """Multiply embeddings so that their root mean square is what is given; draw those of zeros."""
    for name, target in sizes.items():
        weight = _embedding(name, modules)
        size = _rms(weight)
        if size > 0:
            weight.mul_(target / size)
        else:
            weight.normal_(0.0, target, generator=generator)


def embedding_sizes(structure: Structure, modules: dict[str, Any]) -> dict[str, float]:
    """The root mean square that embeddings of the stream need where no LayerNorm follows.

    Those that are added up give 1 together; one that a classifier shares gives rows of length 1,
    so that logits begin small; a class token is a row by itself (:func:`stream_size`), also where
    it begins at 0. Embeddings of at least half that size are left.
    """
    tied = {id(getattr(modules[name], "weight", None)) for name in structure.plain}
    added = [name for name in structure.embeddings if name in modules]
    together = max(1, len(added)) ** -0.5
    sizes = {}
    for name in sorted(structure.embeddings):
        weight = _embedding(name, modules)
        token = name not in modules
        alone = stream_size(weight.shape[-1]) if token else together
        wanted = weight.shape[-1] ** -0.5 if id(weight) in tied else alone
        size = _rms(weight)
        if not weight.is_meta and size < wanted / 2 and (token or size > 0):
            sizes[name] = wanted
    return sizes


def _embedding(name: str, modules: dict[str, Any]) -> nn.Parameter:
    """The weight of an embedding module, or a parameter by its name."""
    if name in modules:
        return modules[name].weight
    owner, _, key = name.rpartition(".")
    return getattr(modules[owner], key)


def _rms(weight: torch.Tensor) -> float:
    if weight.is_meta or not weight.numel():
        return 0.0
    return weight.detach().float().square().mean().sqrt().item()
