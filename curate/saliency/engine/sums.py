"""Maps as sums of terms that are computed a chunk at a time, differentiable in bounded memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from curate.errors import CurateError
from curate.saliency.engine.net import Net
from curate.saliency.engine.rules import Rules
from curate.saliency.engine.running import plain_attention

Term = Callable[..., Tensor]
"""(images (n, C, H, W) that require a gradient, their rows (n,), *values (n, ...)) -> (n, C, H, W):
what each image adds to the map of its row."""


@dataclass(frozen=True, eq=False)
class Terms:
    """Which image each term belongs to, and the values that come with it.

    Attributes:
        rows: int64 (terms,).
        values: tensors (terms, ...), or functions of a slice that draw them.
    """

    rows: Tensor
    values: Sequence[Tensor | Callable[[slice], Tensor]] = ()

    def chunks(self, size: int) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """Rows and values of at most ``size`` terms each."""
        for start in range(0, len(self.rows), size):
            part = slice(start, start + size)
            values = [value(part) if callable(value) else value[part] for value in self.values]
            yield self.rows[part], values


def sum_of(term: Term, images: Tensor, terms: Terms, chunk: int) -> Tensor:
    """The sum of each image's terms: (n, C, H, W).

    Where the images require a gradient and all terms fit one chunk, the result hangs on the graph
    as any other tensor does. With several chunks only the sum is kept, and a backward pass
    computes each chunk once more, for the gradient by the images alone and of first order.
    """
    if not (images.requires_grad and torch.is_grad_enabled()):
        return _accumulate(term, images.detach(), terms, chunk)
    if len(terms.rows) > chunk:
        return _Recomputed.apply(images, term, terms, chunk)  # type: ignore[no-untyped-call]
    ((rows, values),) = terms.chunks(chunk)
    part = term(images[rows], rows, *values)
    return torch.zeros_like(images).index_add(0, rows, part)


def slope(
    net: Net, images: Tensor, target: Tensor, rules: Rules | None = None, by: Any = None
) -> Tensor:
    """The gradient of each image's target logit: by the images, or by what ``by`` says.

    Under rules it is the rules' gradient; what is differentiated later is the truth
    (:class:`Rules`).
    """
    keep = torch.is_grad_enabled() and images.requires_grad
    with torch.enable_grad():
        if not images.requires_grad:
            images = images.detach().requires_grad_()
        if keep and rules is None and net.softplus_beta is None:
            rules = Rules()  # its own functions in place of those that have one derivative only
        with plain_attention() if keep else nullcontext():
            score = net.score(images, target, rules).sum()
        if not score.requires_grad:
            raise CurateError(
                "model: its logits have no gradient by the images; take torch.no_grad, detach() "
                "and the like out of its forward()"
            )
        by = images if by is None else by()
        if rules is None:
            return torch.autograd.grad(score, by, create_graph=keep)[0]
        with rules.explaining():
            return torch.autograd.grad(score, by, create_graph=keep)[0]


def _accumulate(term: Term, images: Tensor, terms: Terms, chunk: int) -> Tensor:
    total = torch.zeros_like(images)
    with torch.no_grad():
        for rows, values in terms.chunks(chunk):
            total.index_add_(0, rows, term(images[rows], rows, *values))
    return total


class _Recomputed(torch.autograd.Function):
    """A sum whose terms are computed once more, chunk by chunk, when it is differentiated."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, term: Term, terms: Terms, chunk: int) -> Tensor:
        ctx.save_for_backward(images)
        ctx.term, ctx.terms, ctx.chunk = term, terms, chunk
        return _accumulate(term, images, terms, chunk)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (images,) = ctx.saved_tensors
        total = torch.zeros_like(images)
        for rows, values in ctx.terms.chunks(ctx.chunk):
            with torch.enable_grad():
                part = images[rows].detach().requires_grad_()
                out = ctx.term(part, rows, *values)
                total.index_add_(0, rows, torch.autograd.grad(out, part, gradient[rows])[0])
        return total, None, None, None
