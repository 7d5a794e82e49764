"""The recorder's memory: one packed word per example, and one row of sums."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from curate.record import sync
from curate.record.groups import Groups
from curate.record.outcomes import Outcome
from curate.record.packed import MAX_COUNT, transition, unpack
from curate.record.statistics import LASTS, SEQUENCE_SUMS, SUMS, Statistics
from curate.record.windowed.registry import Windowed, make_windowed, resized

COUNTS = len(SUMS)
"""The column of the sums that counts presentations that were correct, or not finite."""

NON_FINITE = 2.0**32
"""``counts`` adds 1 for a correct presentation and this for one with non-finite logits: with
at most 65,535 presentations both stay exact in a float64, and a row is one cache line."""

_AT_ONCE = 1 << 16
"""Presentations added at once on the CPU: their positions fit the 2 bytes of the scratch."""


def sums_width(sequences: bool) -> int:
    """Columns of the sums: SUMS, counts, for sequences SEQUENCE_SUMS, and LASTS."""
    return len(SUMS) + 1 + sequences * len(SEQUENCE_SUMS) + len(LASTS)


@dataclass
class State:
    """What is known of n examples, with a last, n+1st row that takes what must be ignored.

    ``packed``: (n + 1,) int64, see packed.py. ``sums``: None, or (n + 1, 8) float64, for sequences
    (n + 1, 9), see :func:`sums_width`. ``overflow``: () int64, presentations left out because an
    example had 65,535 already. ``windowed``: what is kept besides, see windowed/registry.py.
    """

    packed: Tensor
    sums: Tensor | None
    overflow: Tensor
    windowed: dict[str, Windowed] = field(default_factory=dict)
    _scratch: np.ndarray | None = field(default=None, repr=False)

    @staticmethod
    def empty(
        n: int,
        device: torch.device,
        everything: bool,
        sequences: bool,
        also: Iterable[str] = (),
        window: int = 10,
    ) -> "State":
        """A state in which no example was presented."""
        shape = (n + 1, sums_width(sequences))
        sums = torch.zeros(shape, dtype=torch.float64, device=device) if everything else None
        packed = torch.zeros(n + 1, dtype=torch.int64, device=device)
        windowed = make_windowed(also, n, window, device)
        return State(packed, sums, torch.zeros((), dtype=torch.int64, device=device), windowed)

    def grown(self, n: int) -> "State":
        """A copy with room for n examples."""
        device, width = self.packed.device, 0 if self.sums is None else self.sums.shape[1]
        packed = torch.zeros(n + 1, dtype=torch.int64, device=device)
        packed[: len(self.packed) - 1] = self.packed[:-1]
        sums = None
        if self.sums is not None:
            sums = torch.zeros(n + 1, width, dtype=torch.float64, device=device)
            sums[: len(self.sums) - 1] = self.sums[:-1]
        windowed = {name: resized(keeps, n) for name, keeps in self.windowed.items()}
        return State(packed, sums, self.overflow, windowed)

    def first(self, n: int) -> "State":
        """Only the first n examples; the memory is shared."""
        sums = None if self.sums is None else self.sums[: n + 1]
        windowed = {name: resized(keeps, n) for name, keeps in self.windowed.items()}
        return State(self.packed[: n + 1], sums, self.overflow, windowed)

    def are_unique(self, rows: Tensor) -> bool:
        """Whether no row comes twice: write positions, and see if each reads its own back.

        It takes 2 bytes of working memory per example; sorting would take five times as long.

        Args:
            rows: (N,) int64 on the CPU, at most 65,536 of them.
        """
        if self._scratch is None:
            self._scratch = np.empty(len(self.packed), np.uint16)
        indices, positions = rows.numpy(), np.arange(len(rows), dtype=np.uint16)
        self._scratch[indices] = positions
        return bool((self._scratch.take(indices) == positions).all())


class Part(NamedTuple):
    """N presentations in order: rows (N,) int64 in 0..n, where n is ignored, and what came out."""

    rows: Tensor
    outcome: Outcome
    statistics: Statistics | None


class Change(NamedTuple):
    """New values for some rows of a state; writing them twice is writing them once.

    ``rows``: (N,) int64, none twice but n, which is ignored. ``packed``: (N,) int64. ``sums``: of
    the state's width, or None. ``overflow``: () int64. ``windowed``: what to add to the windowed
    statistics, or None.
    """

    rows: Tensor
    packed: Tensor
    sums: Tensor | None
    overflow: Tensor
    windowed: "WindowedChange | None" = None


class WindowedChange(NamedTuple):
    """Presentations for the windowed statistics, and how their rows were before.

    ``rows``: (N,) int64, sorted where ``groups`` has them. ``before``: name -> key -> (N, ...).
    """

    rows: Tensor
    statistics: Statistics
    groups: Groups | None
    before: dict[str, dict[str, Tensor]]


def parts_of(part: Part) -> tuple[Part, ...]:
    """The same presentations in parts that :func:`change_of` takes at once."""
    rows, outcome, statistics = part
    if not sync.is_free_to_read(rows) or len(rows) <= _AT_ONCE:
        return (part,)
    found = []
    for start in range(0, len(rows), _AT_ONCE):
        chunk = slice(start, start + _AT_ONCE)
        some = None
        if statistics is not None:
            some = {name: values[chunk] for name, values in statistics.items()}
        found.append(Part(rows[chunk], Outcome(*(values[chunk] for values in outcome)), some))
    return tuple(found)


def accumulate(state: State, rows: Tensor, outcome: Outcome, statistics: Statistics | None) -> None:
    """Add presentations to the state, in order, without a read from the device.

    Args:
        state: changed in place.
        rows: (N,) int64 in 0..n; the same row may come several times.
        outcome: of these N presentations.
        statistics: of them, where the state has sums.
    """
    for part in parts_of(Part(rows, outcome, statistics)):
        write(state, change_of(state, part))


def write(state: State, change: Change) -> None:
    """Put new values in their places."""
    if change.sums is not None:  # first, while what was read of them is in the cache
        assert state.sums is not None
        _put(state.sums, change.rows, change.sums)
    state.packed.index_copy_(0, change.rows, change.packed)
    state.overflow = change.overflow
    if change.windowed is not None:
        rows, statistics, groups, before = change.windowed
        for name, keeps in state.windowed.items():
            for key, values in before[name].items():
                keeps.tensors[key].index_copy_(0, rows, values)
            keeps.add(rows, statistics, groups)


def _taken(sums: Tensor, rows: Tensor) -> Tensor:
    """(N, width): these rows; on the CPU by numpy, which takes two thirds of the time."""
    if not sync.is_free_to_read(rows):
        return sums.index_select(0, rows)
    return torch.from_numpy(sums.numpy().take(rows.numpy(), axis=0))


def _put(sums: Tensor, rows: Tensor, values: Tensor) -> None:
    """Write rows; on the CPU by numpy, each as one item, in half the time of index_copy_."""
    if not sync.is_free_to_read(rows):
        sums.index_copy_(0, rows, values)
        return
    whole = np.dtype((np.void, sums.shape[1] * sums.element_size()))
    items = np.ascontiguousarray(values.numpy()).view(whole)[:, 0]
    sums.numpy().view(whole)[:, 0].put(rows.numpy(), items)


def change_of(state: State, part: Part) -> Change:
    """What presentations make of the state, which is only read; on the CPU at most 65,536."""
    rows, outcome, statistics = part
    groups = None
    if not sync.is_free_to_read(rows) or not state.are_unique(rows):
        groups = Groups(rows)
        rows, outcome = groups.rows, Outcome(*(values[groups.order] for values in outcome))
        if statistics is not None:
            statistics = {name: values[groups.order] for name, values in statistics.items()}
    before = state.packed.index_select(0, rows)
    correct = outcome.correct.to(torch.int64)
    last, last_label_code, seen, unlearned = unpack(before)
    if groups is not None:
        last = groups.previous(correct, last)
        last_label_code = groups.previous(outcome.label_code, last_label_code)
        unlearned = unlearned & (groups.count_before(correct) == 0)
        seen = seen + groups.rank
    added = transition(correct, outcome.label_code, last, last_label_code, seen, unlearned)
    summands = None if statistics is None else _summands(outcome, statistics)
    writes = None if groups is None else groups.ends  # only the last of each group
    full, overflow, ignored = seen >= MAX_COUNT, state.overflow, len(state.packed) - 1
    if not sync.is_free_to_read(full) or bool(full.any()):
        overflow = overflow + (full & (rows < ignored)).sum()
        added = added.masked_fill(full, 0)
        if summands is not None:
            summands.masked_fill_(full.unsqueeze(1), 0.0)
        writes = ~full if groups is None else ~full & (groups.ends | full.roll(-1))
    packed, sums = before + added, None
    if groups is not None:
        packed += groups.count_before(added)
    windowed = None
    if state.sums is not None:
        assert summands is not None
        assert statistics is not None
        all_end = groups is not None and writes is groups.ends
        compact = all_end and sync.is_free_to_read(rows)
        sums = _summed(state.sums, rows, summands, groups, compact)
        if state.windowed and len(rows):
            shown = torch.where(full | ~outcome.finite, ignored, rows)
            windowed = _windowed(state, shown, statistics, repeats=groups is not None)
    if writes is None:
        return Change(rows, packed, sums, overflow, windowed)
    if sync.is_free_to_read(rows):
        kept = writes.nonzero().squeeze(1)
        if sums is not None and len(sums) != len(kept):
            sums = sums[kept]
        return Change(rows[kept], packed[kept], sums, overflow, windowed)
    rows, packed = torch.where(writes, rows, ignored), packed.masked_fill(~writes, 0)
    return Change(rows, packed, sums, overflow, windowed)


def _windowed(state: State, rows: Tensor, statistics: Statistics, repeats: bool) -> WindowedChange:
    groups = None
    if repeats:  # sorted anew: rows that are to be ignored are now one group
        groups = Groups(rows)
        rows = groups.rows
        statistics = {name: values[groups.order] for name, values in statistics.items()}
    before = {}
    for name, keeps in state.windowed.items():
        keeps.begin_with(statistics)
        tensors = keeps.tensors.items()
        before[name] = {key: tensor.index_select(0, rows) for key, tensor in tensors}
    return WindowedChange(rows, statistics, groups, before)


def _summed(
    sums: Tensor, rows: Tensor, added: Tensor, groups: Groups | None, compact: bool
) -> Tensor:
    """(N, width): the sums of these rows, with what is added up to there, and the last values.

    ``compact``: of the groups' ends only, which takes a read of how many there are.
    """
    split = sums.shape[1] - len(LASTS)
    if groups is None:
        added[:, :split] += _taken(sums, rows)[:, :split]
        return added
    if compact:
        ends = groups.ends.nonzero().squeeze(1)
        found = _taken(sums, rows[ends])
        found[:, :split].index_put_((groups.number,), added[:, :split], accumulate=True)
        found[:, split:] = added[ends, split:]
        return found
    totals = torch.empty_like(added[:, :split])
    totals.index_copy_(0, groups.number, sums.index_select(0, rows)[:, :split])
    totals.index_put_((groups.number,), added[:, :split], accumulate=True)
    added[:, :split] = totals.index_select(0, groups.number)
    return added


def _summands(outcome: Outcome, statistics: Statistics) -> Tensor:
    """(N, 8 or 9) float64: what these presentations add, and the last values."""
    finite = outcome.finite
    of_sequences = [kept for kept in SEQUENCE_SUMS if kept.statistic in statistics]
    columns = [statistics[kept.statistic] for kept in (*SUMS, *of_sequences, *LASTS)]
    columns.insert(COUNTS, outcome.correct.to(columns[0].dtype))
    # stacking the vectors whole and turning them while widening is the fast way round
    added = torch.stack(columns).t()
    added = added.to(torch.float64, memory_format=torch.contiguous_format, copy=True)
    for column, kept in enumerate(SUMS):
        if kept.how == "sum of squares":
            added[:, column].square_()
    if not sync.is_free_to_read(finite) or not bool(finite.all()):
        bad = ~finite
        added.masked_fill_(bad.unsqueeze(1), 0.0)
        added[:, COUNTS] = outcome.correct + bad * NON_FINITE
        added[:, -len(LASTS) :].masked_fill_(bad.unsqueeze(1), torch.nan)
    return added
