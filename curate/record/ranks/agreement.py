"""Asking the ranks whether they agree, before anything of theirs is put together."""

from dataclasses import dataclass, field
from typing import Any

import torch.distributed as dist

from curate.errors import CurateError
from curate.record.inputs.problems import Left


@dataclass(frozen=True)
class Status:
    """What one rank has to say: its options, the ids that are new to it, what it left out."""

    ids: str
    track: str
    history: bool
    also: tuple[str, ...]
    kind: str | None
    left: Left
    double: bool
    width: int
    presentations: int
    new_ids: list[Any] = field(default_factory=list)


def statuses_of_all(own: Status) -> list[Status]:
    """The statuses of all ranks, on all of them.

    Raises:
        CurateError: on all ranks, where they do not agree.
    """
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, own)
    mends = {
        "ids": "the ids of the data set in the same order",
        "track": "the same track=",
        "history": "the same history=",
        "also": "the same also= and window=",
        "kind": "labels and logits of one kind",
    }
    for name, mend in mends.items():
        values = [getattr(status, name) for status in found]
        told = [value for value in values if value is not None]
        if len(set(told)) > 1:
            shown = ", ".join(f"{value!r:.20} on rank {r}" for r, value in enumerate(values))
            raise CurateError(f"{name}: the ranks do not agree ({shown}); give all of them {mend}")
    kinds = {type(each) for status in found for each in status.new_ids}
    if len(kinds) > 1:
        raise CurateError("example_id: integers on one rank and strings on another; give one kind")
    return found


def added(agreed: Left, before: Left, now: Left) -> Left:
    """``agreed`` with what was left out between ``before`` and ``now``."""
    ids, labels = now.ids[0] - before.ids[0], now.labels[0] - before.labels[0]
    return Left(
        (agreed.ids[0] + ids, now.ids[1] if ids else agreed.ids[1]),
        (agreed.labels[0] + labels, now.labels[1] if labels else agreed.labels[1]),
        agreed.full,
    )
