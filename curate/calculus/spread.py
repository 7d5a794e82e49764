"""Cores that are spread over axes by labels: a label that occurs twice is a unit tensor."""

from __future__ import annotations

import math

import torch

from curate.calculus.graph.node import Labels

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def spell(labels: Labels) -> str:
    """Labels as the letters of einsum."""
    return "".join(_LETTERS[label] for label in labels)


def diagonal_view(tensor: torch.Tensor, out: Labels) -> tuple[torch.Tensor, Labels]:
    """The elements where axes with one label agree, and the labels of the view's axes."""
    while len(set(out)) < len(out):
        first = next(k for k, label in enumerate(out) if label in out[k + 1 :])
        second = out.index(out[first], first + 1)
        tensor = tensor.diagonal(0, first, second)
        out = (*(i for k, i in enumerate(out) if k not in (first, second)), out[first])
    return tensor, out


def aligned(core: torch.Tensor, labels: Labels, order: Labels) -> torch.Tensor:
    """A view with axes in this order, of size 1 where the core lacks the label."""
    core = core.permute([labels.index(i) for i in order if i in labels])
    shape = iter(core.shape)
    return core.reshape([next(shape) if i in labels else 1 for i in order])


def block_solve(
    core: torch.Tensor,
    labels: Labels,
    left: Labels,
    right: Labels,
    shared: list[int],
    b: torch.Tensor,
) -> torch.Tensor:
    """Solve with blocks: shared labels that the core lacks only add right-hand sides."""
    sizes = dict(zip((*left, -1), b.shape, strict=True))
    batch = [i for i in shared if i in labels]
    repeated = [i for i in shared if i not in labels]
    rows = [i for i in left if i not in shared]
    columns = [right[left.index(i)] for i in rows]
    block_order = (*batch, *rows, *columns)
    full = [sizes[i] if i in sizes else sizes[left[right.index(i)]] for i in block_order]
    n = math.prod(sizes[i] for i in rows)
    lead = [sizes[i] for i in batch]
    blocks = aligned(core, labels, block_order).expand(full).reshape(*lead, n, n)
    order = (*batch, *rows, *repeated, -1)
    names = (*left, -1)
    sides = b.permute([names.index(i) for i in order])
    flat = sides.reshape(*lead, n, -1)
    solved = flat / blocks if n == 1 else torch.linalg.solve(blocks, flat)
    return solved.reshape(sides.shape).permute([order.index(i) for i in names])
