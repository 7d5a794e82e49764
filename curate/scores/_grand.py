"""Per-example gradient norms of a model."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


def grand(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
    params: Iterable[str] | None = None,
    chunk_size: int | None = None,
) -> np.ndarray:
    """GraNd: the l2 norm of each example's own loss gradient (Paul et al., NeurIPS 2021, Def. 2.1).

    It is exact: the gradient of every example by itself (``torch.func``: vmap of grad), not a norm
    of the mean loss's gradient nor a last-layer bound. The paper takes the mean over several
    networks: average the results. Its claim that the score works at initialisation does not
    reproduce (a bug in restoring checkpoints; Kirsch, 2023, 'Does Deep Learning on a Data Diet
    reproduce?'): train for some epochs first, as also for EL2N, which does reproduce.

    Args:
        model: in ``eval()`` mode, where it treats each example by itself. It is not changed.
        inputs: shape (n, ...), what the model takes.
        labels: shape (n, ...), what the loss takes.
        loss: (logits of shape (1, ...), labels of shape (1, ...)) -> a scalar.
        params: names of the parameters to take the gradient of; None: all that require one.
        chunk_size: examples at a time: so many copies of the parameters are held in memory.
            None: as many as fit 256 MiB.

    Returns:
        float64 of shape (n,). High = hard = keep.

    Raises:
        CurateError: a module whose outcome for one example depends on the others or on chance
            (batch normalisation or dropout in training mode), an unknown parameter name, or inputs
            and labels of different lengths.
    """
    from curate.nn.per_example import parameter_gradients  # the nets of curate.nn stay unloaded

    norms = [np.empty(0)]
    for gradients in parameter_gradients(model, inputs, labels, loss, params, chunk_size):
        squares = [_square_norms(value) for value in gradients.values()]
        norms.append(torch.stack(squares).sum(0).sqrt().cpu().numpy())
    return np.concatenate(norms)


def _square_norms(gradients: Tensor) -> Tensor:
    norms = torch.linalg.vector_norm(gradients.flatten(1), dim=1)
    return norms.double().square()
