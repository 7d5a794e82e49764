"""Bringing together what the ranks have seen, each example's by the rank that owns its row."""

from collections.abc import Callable

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from curate.errors import CurateError
from curate.record.core import Core, raise_left
from curate.record.history import Held, History, Segment, segment_of
from curate.record.inputs.growing import GrowingLookup
from curate.record.inputs.ids import RowLookup
from curate.record.inputs.problems import Left
from curate.record.outcomes import Judged
from curate.record.ranks.agreement import Status, added, statuses_of_all
from curate.record.ranks.log import Block, Log, joined, judged_of
from curate.record.ranks.wire import gathered, share, to_owners
from curate.record.statistics import names_of
from curate.record.windowed.temporal import Temporal

_LEAST, _ROUNDS = 1 << 14, 32
"""A 32nd of a rank's presentations is under way at once, some 280 bytes each; 16,384 at least."""


class Exchange:
    """A sink that keeps a log of this rank's steps until all ranks exchange theirs.

    Every row has an owner, which gets what all ranks saw of it, applies it in the order of step,
    rank and position, and shares the row. So no rank holds what the whole run saw.
    """

    gathers = False  # every batch keeps its place among the steps

    def __init__(self, core: Core, ids: RowLookup | GrowingLookup) -> None:
        self._core = core
        self._ids = ids
        self._step = 0
        self._log = Log()
        self._settled = len(ids)  # ids that all ranks know
        self._agreed = core.left(ids.unknown_string)

    def add(self, rows: Tensor, judged: Judged, first: Callable[[], None]) -> None:
        """Log presentations of the current step."""
        first()
        self._log.add(rows, judged, self._step, self._core.n)

    def end_step(self) -> None:
        """What comes next belongs to the next step."""
        self._step += 1

    def check_settled(self) -> None:
        """Raise where steps were not exchanged yet."""
        if self._step:
            raise CurateError(
                f"end_epoch: {self._step} steps were not exchanged between the ranks yet; call "
                "exchange() or end_epoch() on every rank first"
            )

    def raise_left(self, known: int, unknown_string: str | None) -> None:
        """Raise what any rank left out since the last call, once: the same on all ranks."""
        left = self._agreed
        if left.sentences(known):
            self._agreed = Left((0, 0), (0.0, 0.0), 0)
        raise_left(self._core, left._replace(full=self._core.left(None).full), known)

    def settle(self) -> None:
        """Apply the logs of all ranks, step by step.

        Raises:
            CurateError: on all ranks, where they do not agree; every rank keeps its log.
        """
        core, ids = self._core, self._ids
        blocks = self._log.blocks()
        now = core.left(ids.unknown_string)
        own = Status(
            ids=ids.digest,
            track="all" if core.everything else "forgetting",
            history=core.history is not None,
            also=(*core.also, str(core.window)),
            kind=core.kind,
            left=added(Left((0, 0), (0.0, 0.0), 0), self._agreed, now),
            double=any(block.values.dtype == torch.float64 for block in blocks),
            width=max((block.values.shape[1] for block in blocks), default=0),
            presentations=sum(len(block.rows) for block in blocks),
            new_ids=ids.names[self._settled :] if isinstance(ids, GrowingLookup) else [],
        )
        everyone = statuses_of_all(own)
        if isinstance(ids, GrowingLookup):
            blocks = self._renumbered(ids, everyone, blocks)
        kind = next((status.kind for status in everyone if status.kind is not None), None)
        if kind is not None:
            core.begin(kind, torch.device("cpu"))
            total = max(status.presentations for status in everyone)
            double = any(each.double for each in everyone)
            width = max(each.width for each in everyone)
            self._apply(blocks, min(_ROUNDS, -(-total // _LEAST)), double, width)
        for status in everyone:
            self._agreed = added(self._agreed, Left((0, 0), (0.0, 0.0), 0), status.left)
        if core.state is not None:
            core.set_left(self._agreed._replace(full=int(core.state.overflow)))
        self._log, self._step, self._settled = Log(), 0, len(ids)

    def _renumbered(
        self, ids: GrowingLookup, everyone: list[Status], blocks: list[Block]
    ) -> list[Block]:
        """The blocks by rows that all ranks agree on: new ids in the order of the ranks."""
        before, names = self._settled, ids.names
        ids.cut(before)
        for status in everyone:
            ids.rows_of(status.new_ids)
        if len(ids) > self._core.n:
            self._core.grow(len(ids))
        row_now = torch.cat([torch.arange(before), ids.rows_of(names[before:]), torch.tensor([-1])])
        found = []
        for block in blocks:  # -1, left out, is the last of the new rows too
            rows = row_now.to(block.rows.device)[block.rows.long()]
            found.append(block._replace(rows=rows.to(block.rows.dtype)))
        return found

    def _apply(self, blocks: list[Block], rounds: int, double: bool, width: int) -> None:
        """Bring every row's presentations to its owner, a part of the rows at a time."""
        core, ranks, n = self._core, dist.get_world_size(), len(self._ids)
        assert core.state is not None
        state, overflow = core.state, core.state.overflow.clone()
        shard = -(-n // ranks)
        bounds = [(min(r * shard, n), min((r + 1) * shard, n)) for r in range(ranks)]
        names = names_of(core.kind == "sequence") if core.everything else ()
        history = core.history
        seen = None if history is None else History(core.n, grows=True)
        try:
            core.history = seen
            for part in range(rounds):
                within = (shard * part // rounds, shard * (part + 1) // rounds)
                block = _round(blocks, shard, within, double, width)
                rows, codes, values, _ = (each.to(state.packed.device) for each in block)
                core.take(rows.long(), judged_of(codes, values, names), _nothing)
        finally:
            core.history = history
        share(state.packed, bounds)
        if state.sums is not None:
            share(state.sums, bounds)
        for keeps in state.windowed.values():
            if width > len(names) and isinstance(keeps, Temporal) and not keeps.tensors:
                keeps.begin(width - len(names))
            for tensor in keeps.tensors.values():
                share(tensor, bounds)
        more = torch.tensor([int(state.overflow - overflow)], dtype=torch.int64)
        state.overflow = overflow + sum(map(int, gathered(more)))
        if history is not None and seen is not None:
            segment = _shared(seen, n, bounds[dist.get_rank()], not core.grows)
            history.held = Held([*history.held.segments, segment], [])


def _round(
    blocks: list[Block], shard: int, within: tuple[int, int], double: bool, width: int
) -> Block:
    """What all ranks saw of this rank's rows, those in a part of every rank's rows only."""
    parts = []
    for block in blocks:
        place = block.rows % shard
        chosen = (block.rows >= 0) & (place >= within[0]) & (place < within[1])
        parts.append(Block(*(column[chosen] for column in block)))
    found = joined(parts, width)
    if double:
        found = found._replace(values=found.values.double())
    received = Block(*to_owners(found, found.rows.long() // shard))
    order = received.steps.sort(stable=True).indices
    return Block(*(column[order] for column in received))


def _shared(seen: History, n: int, own: tuple[int, int], fixed: bool) -> Segment:
    """What the owners know of their rows, as one stretch of training of all rows."""
    start, end = own
    offsets, outcomes = seen.lists(n)
    counts = gathered(torch.from_numpy(np.diff(offsets)[start:end]))
    bits = gathered(torch.from_numpy(np.packbits(outcomes)))
    right = [
        np.unpackbits(part.numpy(), count=int(count.sum()))
        for part, count in zip(bits, counts, strict=True)
    ]
    return segment_of(torch.cat(counts).numpy(), np.concatenate(right), fixed)


def _nothing() -> None:
    """The rows of an exchange come with nothing else."""
