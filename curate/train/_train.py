"""The reference trainer: SGD on arrays, recording every training step."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from curate.errors import CurateError
from curate.files import atomic_path
from curate.record import Recorder
from curate.train.batches import Normaliser, augmented, shuffled
from curate.train.nets import Whitening, build, check_net
from curate.train.settings import Settings

_WHITEN_FROM = 5_000  # images that the whitening convolution is fitted to


class Trained:
    """A trained classifier, the normalisation that it was trained with, the shape of an example.

    Token ids are not normalised: None.
    """

    def __init__(
        self,
        model: nn.Module,
        normalise: Normaliser | None,
        device: torch.device,
        shape: tuple[int, ...] = (),
    ) -> None:
        self.model, self.normalise, self.device, self.shape = model, normalise, device, shape


def train(
    values: Tensor,
    labels: Tensor,
    classes: int,
    settings: Settings,
    seed: int,
    *,
    ids: Sequence[Any] | Tensor | None = None,
    recorder: Recorder | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    on_epoch: Callable[[int], None] | None = None,
) -> Trained:
    """Train a classifier; the same arguments give the same model on the same machine.

    Args:
        values: (N, C, H, W) uint8, (N, ...) float32, or token ids (N, T) int64.
        labels: (N,) int64 in 0..classes-1.
        classes: number of classes.
        settings: see :class:`Settings`.
        seed: decides initial weights, order and augmentation.
        ids: (N,) example ids for the recorder.
        recorder: its ``update`` gets the logits of every training step.
        checkpoint: a file that is written after every epoch. Where it exists, training is resumed
            from it, and ends in the same model and table as an uninterrupted run.
        on_epoch: called after every pass over the set with how many are done, first with those
            in the checkpoint.

    Raises:
        CurateError: shapes that do not fit, fewer than 2 examples, a foreign checkpoint.
    """
    if len(values) != len(labels) or len(values) < 2:
        raise CurateError(
            f"values: {len(values)} examples with {len(labels)} labels; give 2 or more of each"
        )
    text = values.dtype == torch.int64
    check_net(settings.model, values.shape[1:], text)
    device = torch.device(settings.device)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = build(settings.model, values.shape[1:], classes).to(device)
    if values.ndim == 4:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=settings.lr,
        momentum=0.9,
        weight_decay=settings.weight_decay,
        nesterov=True,
    )
    steps = settings.steps_for(len(values))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        settings.lr,
        total_steps=max(8, steps),  # it needs some to rise and fall
        pct_start=0.25,
    )
    normalise = None if text else Normaliser.of(values)
    for module in model.modules():
        if isinstance(module, Whitening):
            module.fit(_prepared(values[:_WHITEN_FROM], normalise, device))
    objects = {"model": model, "optimizer": optimizer, "schedule": schedule}
    if recorder is not None:
        objects["recorder"] = recorder  # type: ignore[assignment]
    passes, step = _resume(checkpoint, objects, generator)
    if passes and on_epoch is not None:
        on_epoch(passes)
    while step < steps:
        model.train()
        for batch in islice(shuffled(len(values), settings.batch_size, generator), steps - step):
            inputs, targets = values[batch].to(device), labels[batch].to(device)
            if settings.augment:
                inputs = augmented(inputs, generator)
            with _half_precision(device, inputs.shape):
                logits = model(_prepared(inputs, normalise, device))
            loss = cross_entropy(logits.float(), targets)
            if recorder is not None:
                batch_ids = batch if ids is None else _ids_at(ids, batch)
                recorder.update(batch_ids, logits, targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
        passes += 1
        if recorder is not None:
            recorder.end_epoch()
        _save(checkpoint, objects, generator, passes, step)
        if on_epoch is not None:
            on_epoch(passes)
    return Trained(model, normalise, device, tuple(values.shape[1:]))


@torch.no_grad()
def logits_of(trained: Trained, values: Tensor, batch_size: int = 512) -> Tensor:
    """Logits (N, classes) float32 on the CPU, in evaluation mode."""
    trained.model.eval()
    logits = []
    for batch in values.split(batch_size):
        with _half_precision(trained.device, batch.shape):
            outputs = trained.model(_prepared(batch, trained.normalise, trained.device))
        logits.append(outputs.float().cpu())
    return torch.cat(logits)


def predict(trained: Trained, values: Tensor, batch_size: int = 512) -> Tensor:
    """Predicted classes (N,) int64 on the CPU, in evaluation mode."""
    return logits_of(trained, values, batch_size).argmax(1)


def _prepared(values: Tensor, normalise: Normaliser | None, device: torch.device) -> Tensor:
    inputs = values.to(device, non_blocking=True)
    if normalise is not None:
        inputs = normalise(inputs)
    if inputs.ndim == 4:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    return inputs


def _half_precision(device: torch.device, shape: Sequence[int]) -> AbstractContextManager[Any]:
    """bfloat16 where it is faster: several times for images of 16 pixels and more, on hardware that
    supports it. Smaller inputs are slower in it: the weights to cast are as large as they are.
    """
    fast = device.type == "cuda"
    if device.type == "cpu":
        probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        fast = probe is not None and bool(probe())
    large = len(shape) == 4 and min(shape[2:]) >= 16
    return torch.autocast(device.type, torch.bfloat16, enabled=fast and large)


def _ids_at(ids: Sequence[Any] | Tensor, batch: Tensor) -> Any:
    if isinstance(ids, Tensor):
        return ids[batch]
    return [ids[i] for i in batch.tolist()]


def _resume(
    checkpoint: str | os.PathLike[str] | None, objects: dict[str, Any], generator: torch.Generator
) -> tuple[int, int]:
    """Load the state of every object; returns the passes and steps done, 0 without a checkpoint."""
    if checkpoint is None or not Path(checkpoint).exists():
        return 0, 0
    try:
        state = torch.load(checkpoint, weights_only=True)
        for name, stateful in objects.items():
            stateful.load_state_dict(state[name])
        generator.set_state(state["generator"])
        torch.set_rng_state(state["rng"])
        return int(state["passes"]), int(state["steps"])
    except CurateError:
        raise
    except Exception as error:
        raise CurateError(
            f"checkpoint: {os.fspath(checkpoint)!r} does not belong to this run; delete it to "
            "start again"
        ) from error


def _save(
    checkpoint: str | os.PathLike[str] | None,
    objects: dict[str, Any],
    generator: torch.Generator,
    passes: int,
    steps: int,
) -> None:
    if checkpoint is None:
        return
    state = {name: stateful.state_dict() for name, stateful in objects.items()}
    state |= {"generator": generator.get_state(), "rng": torch.get_rng_state()}
    state |= {"passes": passes, "steps": steps}
    with atomic_path(checkpoint) as path:
        torch.save(state, path)
