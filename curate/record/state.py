"""The recorder's memory: one packed word per example, and one row of sums."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from curate.record import sync
from curate.record.outcomes import Outcome
from curate.record.packed import MAX_COUNT, transition, unpack
from curate.record.statistics import LASTS, SEQUENCE_SUMS, SUMS, Statistics
from curate.record.windowed.registry import Windowed, make_windowed

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
        return bool((self._scratch[indices] == positions).all())


def accumulate(state: State, rows: Tensor, outcome: Outcome, statistics: Statistics | None) -> None:
    """Add presentations to the state, in order, without a read from the device.

    Args:
        state: changed in place.
        rows: (N,) int64 in 0..n; the same row may come several times.
        outcome: of these N presentations.
        statistics: of them, where the state has sums.
    """
    if sync.is_free_to_read(rows) and len(rows) > _AT_ONCE:
        for start in range(0, len(rows), _AT_ONCE):
            chunk = slice(start, start + _AT_ONCE)
            part = None
            if statistics is not None:
                part = {name: values[chunk] for name, values in statistics.items()}
            accumulate(state, rows[chunk], Outcome(*(values[chunk] for values in outcome)), part)
        return
    groups = None
    if not sync.is_free_to_read(rows) or not state.are_unique(rows):
        groups = Groups(rows)
        rows, outcome = groups.rows, Outcome(*(values[groups.order] for values in outcome))
        if statistics is not None:
            statistics = {name: values[groups.order] for name, values in statistics.items()}
    rows = _add_packed(state, rows, outcome, groups)
    if state.sums is not None:
        assert statistics is not None
        _add_sums(state.sums, rows, outcome, statistics, groups)
        if state.windowed and len(rows):
            _add_windowed(state, rows, outcome, statistics, repeats=groups is not None)


def _add_packed(state: State, rows: Tensor, outcome: Outcome, groups: "Groups | None") -> Tensor:
    """Update the words; returns the rows, those that are full replaced by the ignored one."""
    packed = state.packed.index_select(0, rows)
    correct = outcome.correct.to(torch.int64)
    last, last_label_code, seen, unlearned = unpack(packed)
    if groups is not None:
        last = groups.previous(correct, last)
        last_label_code = groups.previous(outcome.label_code, last_label_code)
        unlearned = unlearned & (groups.count_before(correct) == 0)
        seen = seen + groups.rank
    added = transition(correct, outcome.label_code, last, last_label_code, seen, unlearned)
    full = seen >= MAX_COUNT
    if not sync.is_free_to_read(full) or bool(full.any()):
        ignored = len(state.packed) - 1
        state.overflow += (full & (rows < ignored)).sum()
        rows = rows.masked_fill(full, ignored)
    if groups is None:
        state.packed.index_copy_(0, rows, packed + added)
    else:
        state.packed.index_add_(0, rows, added)
    return rows


def _add_sums(
    sums: Tensor,
    rows: Tensor,
    outcome: Outcome,
    statistics: Statistics,
    groups: "Groups | None",
) -> None:
    added = _summands(outcome, statistics)
    split = sums.shape[1] - len(LASTS)
    if groups is None:
        added[:, :split] += sums.index_select(0, rows)[:, :split]
        sums.index_copy_(0, rows, added)
    else:
        sums[:, :split].index_put_((rows,), added[:, :split], accumulate=True)
        # only the last of each group writes; the others go to the row that is ignored
        target = torch.where(groups.ends, rows, len(sums) - 1)
        sums[:, split:].index_put_((target,), added[:, split:])


def _add_windowed(
    state: State, rows: Tensor, outcome: Outcome, statistics: Statistics, repeats: bool
) -> None:
    rows = torch.where(outcome.finite, rows, len(state.packed) - 1)
    groups = None
    if repeats:  # sorted anew: rows that are to be ignored are now one group
        groups = Groups(rows)
        rows = groups.rows
        statistics = {name: values[groups.order] for name, values in statistics.items()}
    for keeps in state.windowed.values():
        keeps.add(rows, statistics, groups)


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


class Groups:
    """Presentations sorted by row, in order within a row.

    Attributes:
        order: (N,) positions before sorting. ``rows``: (N,), sorted.
        starts, ends: (N,) bool, whether it is its row's first, or last, here.
        rank: (N,) int64, how many of its row come before it.
    """

    def __init__(self, rows: Tensor) -> None:
        if sync.is_free_to_read(rows):
            # unique keys make numpy's fast, unstable sort a stable one, three times as fast
            shift = max(1, len(rows) - 1).bit_length()
            keys = np.sort(rows.numpy() << shift | np.arange(len(rows)))
            self.order = torch.from_numpy(keys & ((1 << shift) - 1))
            self.rows = torch.from_numpy(keys >> shift)
        else:
            self.rows, self.order = rows.sort(stable=True)
        changes = self.rows[1:] != self.rows[:-1]
        edge = changes.new_ones(1)
        self.starts, self.ends = torch.cat([edge, changes]), torch.cat([changes, edge])
        positions = torch.arange(len(rows), device=rows.device)
        self._first = torch.where(self.starts, positions, 0).cummax(0).values
        self.rank = positions - self._first

    @property
    def left(self) -> Tensor:
        """(N,) int64: how many of the same row come after it."""
        last = torch.where(self.ends, self.rank + self._first, len(self.rows))
        return last.flip(0).cummin(0).values.flip(0) - self.rank - self._first

    def previous(self, values: Tensor, before: Tensor) -> Tensor:
        """The value at the same row's previous presentation; ``before`` at its first here."""
        return torch.where(self.starts, before, values.roll(1))

    def count_before(self, values: Tensor) -> Tensor:
        """The sum over the same row's earlier presentations here."""
        running = values.cumsum(0) - values
        return running - running[self._first]
