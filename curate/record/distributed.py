"""Recording under distributed data parallel training."""

from typing import Any

import pyarrow as pa
import torch
import torch.distributed as dist
from torch import Tensor

from curate.errors import CurateError
from curate.record.outcomes import Outcome
from curate.record.recorder import Recorder

_KINDS = ("multiclass", "binary", "multilabel", "sequence")
_AT_ONCE = 1 << 18


class DistributedRecorder(Recorder):
    """A Recorder for W ranks that train one model together.

    An example moves between ranks from epoch to epoch, so its transitions belong to the whole
    run. Every rank calls ``update`` on its own share of every step; ``end_epoch``, which all
    ranks must call, exchanges what was recorded and applies it everywhere in the order of step,
    rank and position: the same counts as one process that saw these presentations. Examples that
    a ``DistributedSampler`` repeats to fill the last batch are presentations like any other: a
    step was taken on them. ``table`` and ``state_dict`` are then those of the whole run, equal
    on all ranks; let one of them save.

    Takes the arguments of :class:`Recorder`.

    Raises:
        CurateError: ``torch.distributed`` is not initialised; or ``table`` or ``state_dict`` are
            asked for what only this rank knows yet.
    """

    _gathered_classes = 0  # every batch keeps its place among the steps

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if not (dist.is_available() and dist.is_initialized()):
            raise CurateError(
                "torch.distributed: not initialised; call init_process_group first, or use Recorder"
            )
        self._step = 0
        self._log: list[tuple[Tensor, Tensor]] = []

    def update(self, *arguments: Any, **options: Any) -> None:
        """As :meth:`Recorder.update`, on this rank's share of the step."""
        super().update(*arguments, **options)
        self._step += 1

    def end_epoch(self) -> None:
        """As :meth:`Recorder.end_epoch`; every rank must call it."""
        self._exchange()
        super().end_epoch()

    def table(self) -> pa.Table:
        """As :meth:`Recorder.table`, of all ranks."""
        self._check_exchanged()
        return super().table()

    def state_dict(self) -> dict[str, Any]:
        """As :meth:`Recorder.state_dict`, of all ranks."""
        self._check_exchanged()
        return super().state_dict()

    def _check_exchanged(self) -> None:
        if self._step:
            raise CurateError(
                f"end_epoch: {self._step} steps were not exchanged between the ranks yet; call "
                "end_epoch() on every rank first"
            )

    def _record(self, rows: Tensor, outcome: Outcome) -> None:
        self._log.append(_pack(rows, outcome, self._step))

    def _exchange(self) -> None:
        """Apply the logs of all ranks, step by step."""
        wire = torch.device("cpu")
        if dist.get_backend() == "nccl":
            wire = torch.device("cuda", torch.cuda.current_device())
        kind = torch.tensor(-1 if self._kind is None else _KINDS.index(self._kind), device=wire)
        dist.all_reduce(kind, dist.ReduceOp.MAX)
        if kind < 0:  # nobody has recorded anything
            return
        if self._state is None:
            self._begin(_KINDS[int(kind)], wire)
        assert self._state is not None
        floats = (5 if self._kind == "sequence" else 4) if self.track == "all" else 0
        numbers = [each for each, _ in self._log] or [torch.empty(0, 2, dtype=torch.int64)]
        values = [each for _, each in self._log] or [torch.empty(0, floats, dtype=torch.float64)]
        numbers_of_all = _gather(torch.cat(numbers).to(wire))
        values_of_all = _gather(torch.cat(values).to(wire)) if floats else None
        self._log, self._step = [], 0
        order = (numbers_of_all[:, 1] >> 18).sort(stable=True).indices
        device = self._state.words.device
        for part in order.split(_AT_ONCE):
            reals = None if values_of_all is None else values_of_all[part].to(device)
            super()._record(*_unpack(numbers_of_all[part].to(device), reals))


def _pack(rows: Tensor, outcome: Outcome, step: int) -> tuple[Tensor, Tensor]:
    """(N, 2) int64: row, and step | label | finite | correct; (N, 0, 4 or 5) float64."""
    code = (step << 18) + (outcome.label << 2) + outcome.finite * 2 + outcome.correct
    values = [each.to(torch.float64) for each in outcome[3:] if each is not None]
    empty = torch.empty(len(rows), 0, dtype=torch.float64, device=rows.device)
    return torch.stack([rows, code], 1), torch.stack(values, 1) if values else empty


def _unpack(numbers: Tensor, values: Tensor | None) -> tuple[Tensor, Outcome]:
    rows, code = numbers.unbind(1)
    reals = () if values is None else values.unbind(1)
    return rows, Outcome(code & 1 > 0, code & 2 > 0, (code >> 2) & 0xFFFF, *reals)


def _gather(values: Tensor) -> Tensor:
    """The rows of all ranks, rank by rank, however many each has."""
    size = torch.tensor([len(values)], device=values.device)
    sizes = [torch.empty_like(size) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, size)
    most = int(torch.cat(sizes).max())
    padded = values.new_zeros(most, values.shape[1])
    padded[: len(values)] = values
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    return torch.cat([part[: int(length)] for part, length in zip(parts, sizes, strict=True)])
