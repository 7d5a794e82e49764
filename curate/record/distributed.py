"""Recording under distributed data parallel training."""

from typing import Any

import torch.distributed as dist

from curate.errors import CurateError
from curate.record.core import Core
from curate.record.inputs.growing import GrowingLookup
from curate.record.inputs.ids import RowLookup
from curate.record.ranks.exchange import Exchange
from curate.record.ranks.wire import ranks_together
from curate.record.recorder import Recorder


class DistributedRecorder(Recorder):
    """A Recorder for W ranks that train one model together.

    An example moves between ranks from epoch to epoch, so its transitions belong to the whole
    run. Every rank calls ``update`` on its own share of every step; ``exchange`` and ``end_epoch``,
    which all ranks must call, bring together what was recorded and apply it in the order of step,
    rank and position: the same counts as one process that saw these presentations. ``exchange``
    does so at any step, before a checkpoint for instance, without ending an epoch. Examples that
    a ``DistributedSampler`` repeats to fill the last batch are presentations like any other: a
    step was taken on them. ``table`` and ``state_dict`` are then those of the whole run, equal
    on all ranks; let one of them save.

    The ranks are asked whether they agree: on ids (in the same order) and options. Ids and labels
    out of range that any rank met are raised on all of them.

    Takes the arguments of :class:`Recorder`; with none, it grows on all ranks.

    Raises:
        CurateError: ``torch.distributed`` is not initialised; or ``table`` or ``state_dict`` are
            asked for what only this rank knows yet.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            raise CurateError(
                "torch.distributed: not initialised; call init_process_group first, or use Recorder"
            )
        super().__init__(*arguments, **options)

    def _sink_of(self, core: Core, ids: RowLookup | GrowingLookup) -> Exchange:
        return Exchange(core, ids)


def recorder_for(n_or_ids: Any = None, **options: Any) -> Recorder:
    """The recorder that fits: distributed where several processes train together, else plain."""
    return (DistributedRecorder if ranks_together() > 1 else Recorder)(n_or_ids, **options)
