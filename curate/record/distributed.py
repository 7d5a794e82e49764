"""Recording under distributed data parallel training."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from curate.errors import CurateError
from curate.record.batch import KINDS
from curate.record.core import Core
from curate.record.outcomes import Judged, Outcome
from curate.record.packed import MAX_LABEL_CODE
from curate.record.recorder import Recorder
from curate.record.statistics import names_of

_STEP_SHIFT = 18  # below: 16 bits of label code, finite, correct
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

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if not (dist.is_available() and dist.is_initialized()):
            raise CurateError(
                "torch.distributed: not initialised; call init_process_group first, or use Recorder"
            )
        self._sink = Exchange(self._core)


class Exchange:
    """A sink that keeps a log of this rank's steps until all ranks exchange theirs."""

    gathers = False  # every batch keeps its place among the steps

    def __init__(self, core: Core) -> None:
        self._core = core
        self._step = 0
        self._log: list[tuple[Tensor, Tensor]] = []

    def add(self, rows: Tensor, judged: Judged) -> None:
        """Log presentations of the current step."""
        self._log.append(_to_wire(rows, judged, self._step))

    def end_step(self) -> None:
        """What comes next belongs to the next step."""
        self._step += 1

    def check_settled(self) -> None:
        """Raise where steps were not exchanged yet."""
        if self._step:
            raise CurateError(
                f"end_epoch: {self._step} steps were not exchanged between the ranks yet; call "
                "end_epoch() on every rank first"
            )

    def settle(self) -> None:
        """Apply the logs of all ranks, step by step."""
        core = self._core
        wire = torch.device("cpu")
        if dist.get_backend() == "nccl":
            wire = torch.device("cuda", torch.cuda.current_device())
        kind = -1 if core.kind is None else KINDS.index(core.kind)
        own_width = self._log[0][1].shape[1] if self._log else 0
        told = torch.tensor([kind, own_width], device=wire)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        kind, width = told.tolist()
        if kind < 0:  # nobody has recorded anything
            return
        if core.state is None:
            core.begin(KINDS[kind], wire)
        assert core.state is not None
        names = names_of(core.kind == "sequence") if core.everything else ()
        numbers = [each for each, _ in self._log] or [torch.empty(0, 2, dtype=torch.int64)]
        values = [each for _, each in self._log]
        values = values or [torch.empty(0, max(width, len(names)), dtype=torch.float64)]
        numbers_of_all = _gather(torch.cat(numbers).to(wire))
        values_of_all = _gather(torch.cat(values).to(wire)) if names else None
        self._log, self._step = [], 0
        order = (numbers_of_all[:, 1] >> _STEP_SHIFT).sort(stable=True).indices
        device = core.state.packed.device
        for block in order.split(_AT_ONCE):
            statistics = None
            if values_of_all is not None:
                columns = values_of_all[block].to(device)
                statistics = dict(zip(names, columns.unbind(1), strict=False))
                if width > len(names):
                    statistics["log_ratios"] = columns[:, len(names) :]
            rows, outcome = _from_wire(numbers_of_all[block].to(device))
            core.apply(rows, (outcome, statistics))


def _to_wire(rows: Tensor, judged: Judged, step: int) -> tuple[Tensor, Tensor]:
    """(N, 2) int64: row, and step | label code | finite | correct; (N, statistics) float64."""
    outcome, statistics = judged
    code = (step << _STEP_SHIFT) + (outcome.label_code << 2) + outcome.finite * 2 + outcome.correct
    numbers = torch.stack([rows, code], 1)
    if statistics is None:
        return numbers, torch.empty(len(rows), 0, dtype=torch.float64, device=rows.device)
    values = [statistics[name] for name in names_of("tokens_correct" in statistics)]
    stacked = torch.stack([each.to(torch.float64) for each in values], 1)
    if "log_ratios" in statistics:
        stacked = torch.cat([stacked, statistics["log_ratios"].double()], 1)
    return numbers, stacked


def _from_wire(numbers: Tensor) -> tuple[Tensor, Outcome]:
    rows, code = numbers.unbind(1)
    return rows, Outcome(code & 1 > 0, code & 2 > 0, (code >> 2) & MAX_LABEL_CODE)


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
