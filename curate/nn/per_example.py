"""Gradients of each example by itself, by ``torch.func``: vmap of grad."""

from collections.abc import Callable, Iterable, Iterator

from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from curate.errors import CurateError

_GRADIENT_BYTES = 1 << 28  # what the gradients of one chunk may take when no chunk_size is given


def parameter_gradients(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    params: Iterable[str] | None = None,
    chunk_size: int | None = None,
) -> Iterator[dict[str, Tensor]]:
    """The gradient of every example's own loss with respect to the parameters, in chunks.

    Args:
        model: in ``eval()`` mode, where it treats each example by itself. It is not changed.
        inputs: shape (n, ...), what the model takes.
        labels: shape (n, ...), what the loss takes.
        loss: (logits of shape (1, ...), labels of shape (1, ...)) -> a scalar.
        params: names of the parameters to differentiate by; None: all that require a gradient.
        chunk_size: examples per chunk, so many copies of the parameters are held in memory.
            None: as many as fit 256 MiB, 1024 at most.

    Yields:
        For each chunk, parameter name -> its gradients, of shape (examples of the chunk, *shape
        of the parameter), on the device of the parameters.

    Raises:
        CurateError: a module that mixes examples or draws at random, an unknown parameter name,
            or inputs and labels of different lengths.
    """
    if len(inputs) != len(labels):
        raise CurateError(
            f"labels: {len(labels)} of them for {len(inputs)} inputs; give one label per input"
        )
    check_examples_stay_apart(model)
    chosen, others = split_parameters(model, params)
    if chunk_size is None:
        size = sum(value.numel() * value.element_size() for value in chosen.values())
        chunk_size = max(1, min(1024, _GRADIENT_BYTES // max(1, size)))
    if chunk_size < 1:
        raise CurateError(f"chunk_size: {chunk_size} examples at a time; give at least 1")

    def example_loss(values: dict[str, Tensor], example: Tensor, label: Tensor) -> Tensor:
        logits = functional_call(model, (values, others), (example.unsqueeze(0),))
        return loss(logits, label.unsqueeze(0))

    gradients = vmap(grad(example_loss), in_dims=(None, 0, 0))
    device = next(iter(chosen.values())).device
    for start in range(0, len(inputs), chunk_size):
        chunk = slice(start, start + chunk_size)
        yield gradients(chosen, inputs[chunk].to(device), labels[chunk].to(device))


def split_parameters(
    model: nn.Module, params: Iterable[str] | None
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters to differentiate, and the other parameters with the buffers, detached.

    Raises:
        CurateError: an unknown name, or no parameter that requires a gradient.
    """
    every = dict(model.named_parameters())
    if params is None:
        names = {name for name, value in every.items() if value.requires_grad}
        if not names:
            raise CurateError("model: no parameter requires a gradient; call requires_grad_()")
    else:
        names = {params} if isinstance(params, str) else set(params)
        unknown = sorted(names - set(every))
        if unknown or not names:
            raise CurateError(
                f"params: {unknown} are no parameters of the model; choose from {list(every)[:20]}"
            )
    chosen = {name: value.detach() for name, value in every.items() if name in names}
    others = {name: value.detach() for name, value in every.items() if name not in names}
    return chosen, {**others, **dict(model.named_buffers())}


def check_examples_stay_apart(model: nn.Module) -> None:
    """Raise a CurateError where the outcome of one example depends on the others or on chance.

    That is batch normalisation by the statistics of the batch, or dropout in training mode.
    """
    for name, module in model.named_modules():
        where = f"{name or 'the model'!r} ({type(module).__name__})"
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            if module.running_mean is None:
                raise CurateError(
                    f"model: {where} always normalises by its batch, so no example has a gradient "
                    "of its own; use track_running_stats=True or GroupNorm"
                )
            if module.training:
                raise CurateError(
                    f"model: {where} mixes the examples of a batch in training mode; call "
                    "model.eval() first"
                )
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.training and module.p > 0:
            raise CurateError(
                f"model: {where} drops at random in training mode; call model.eval() first"
            )
