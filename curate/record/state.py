"""The recorder's memory: one packed word an example, and one row of sums.

The word (int64) makes `track="forgetting"` fit in 8 bytes an example. From the lowest bit:

====================  ====  ===========================================================
field                 bits  meaning
====================  ====  ===========================================================
last                     1  correct at the last presentation
forgetting_events       15
presentations           16  at most 65,535; later ones are left out and counted
first_learned           16  presentations needed until first correct, 0 = never learned
label                   16  label + 1, 0 = none, or above 65,534
====================  ====  ===========================================================

Learning and forgetting events alternate, so the former follow from the word:
learning = forgetting + last - (first_learned == 1).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curate.record import host
from curate.record.outcomes import Outcome

FORGETTING, PRESENTATIONS, FIRST, LABEL = 1, 16, 32, 48
MOST = 0xFFFF
"""The most presentations of one example that a word can count."""

SUMS = ("loss", "margin", "confidence", "confidence_squared", "el2n", "counts")
LASTS = ("last_loss", "margin_last")
NON_FINITE = 2.0**32
"""``counts`` adds 1 for a correct presentation and this for one with non-finite logits: with
at most 65,535 presentations both stay exact in a float64, and a row is one cache line."""


@dataclass
class State:
    """What is known of n examples, with a last, n+1st row that takes what must be ignored.

    ``words``: (n + 1,) int64. ``sums``: None, or (n + 1, 8) float64: :data:`SUMS`, then for
    sequences ``tokens_correct`` (9 columns), then :data:`LASTS`.
    ``overflow``: () int64, presentations left out because an example had 65,535 already.
    """

    words: Tensor
    sums: Tensor | None
    overflow: Tensor

    @staticmethod
    def empty(n: int, device: torch.device, everything: bool, sequences: bool) -> "State":
        """A state in which no example was presented."""
        width = len(SUMS) + sequences + len(LASTS)
        sums = torch.zeros(n + 1, width, dtype=torch.float64, device=device) if everything else None
        words = torch.zeros(n + 1, dtype=torch.int64, device=device)
        return State(words, sums, torch.zeros((), dtype=torch.int64, device=device))


def accumulate(state: State, rows: Tensor, outcome: Outcome) -> None:
    """Add presentations to the state, in order, without a read from the device.

    Args:
        state: changed in place.
        rows: (N,) int64 in 0..n; the same row may come several times.
        outcome: of these N presentations.
    """
    words, groups = state.words.index_select(0, rows), None
    try:
        if not host.may_look(rows) or not _are_unique(state.words, rows):
            groups = _Groups(rows)
            state.words.index_copy_(0, rows, words)
            words, rows, outcome = words[groups.order], groups.rows, groups.sort(outcome)
        rows = _add_words(state, words, rows, outcome, groups)
    except BaseException:  # the user interrupted: give back what the test of uniqueness took
        state.words.index_copy_(0, rows, words)
        raise
    if state.sums is not None:
        _add_sums(state.sums, rows, outcome, groups)


def _add_words(
    state: State, words: Tensor, rows: Tensor, outcome: Outcome, groups: "_Groups | None"
) -> Tensor:
    """Update the words; returns the rows, those that are full replaced by the ignored one."""
    correct = outcome.correct.to(torch.int64)
    last, last_label, seen, unlearned = _unpack(words)
    if groups is not None:
        last = groups.previous(correct, last)
        last_label = groups.previous(outcome.label, last_label)
        unlearned = unlearned & (groups.count_before(correct) == 0)
        seen = seen + groups.rank
    added = _transition(correct, outcome.label, last, last_label, seen, unlearned)
    full = seen >= MOST
    if not host.may_look(full) or bool(full.any()):
        ignored = len(state.words) - 1
        state.overflow += (full & (rows < ignored)).sum()
        rows = rows.masked_fill(full, ignored)
    if groups is None:
        state.words.index_copy_(0, rows, words + added)
    else:
        state.words.index_add_(0, rows, added)
    return rows


def _on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let integer arithmetic on the CPU run in numpy, which is over twice as fast at this size."""

    @wraps(function)
    def run(*tensors: Tensor) -> Any:
        if not host.may_look(tensors[0]):
            return function(*tensors)
        result = function(*(each.numpy() for each in tensors))
        if isinstance(result, tuple):
            return tuple(map(torch.from_numpy, result))
        return torch.from_numpy(result)

    return run


@_on_arrays
def _unpack(words: Any) -> Any:
    """Last outcome, last label code, presentations seen, and whether never learned so far."""
    return (
        words & 1,
        (words >> LABEL) & MOST,
        (words >> PRESENTATIONS) & MOST,
        (words & (MOST << FIRST)) == 0,
    )


@_on_arrays
def _transition(
    correct: Any, label: Any, last: Any, last_label: Any, seen: Any, unlearned: Any
) -> Any:
    """What one presentation adds to a word, given what went before; int64 (N,)."""
    return (
        (correct - last)
        + ((last > correct) * (1 << FORGETTING) + (1 << PRESENTATIONS))
        + ((correct * unlearned * (seen + 1)) << FIRST)
        + ((label - last_label) << LABEL)
    )


def _add_sums(sums: Tensor, rows: Tensor, outcome: Outcome, groups: "_Groups | None") -> None:
    added = _summands(outcome)
    split = sums.shape[1] - len(LASTS)
    if groups is None:
        added[:, :split] += sums.index_select(0, rows)[:, :split]
        sums.index_copy_(0, rows, added)
    else:
        sums[:, :split].index_put_((rows,), added[:, :split], accumulate=True)
        # only the last of each group writes; the others go to the row that is ignored
        target = torch.where(groups.ends, rows, len(sums) - 1)
        sums[:, split:].index_put_((target,), added[:, split:])


def _summands(outcome: Outcome) -> Tensor:
    """(N, 8 or 9) float64: what these presentations add, and the last values."""
    finite = outcome.finite
    loss, margin, confidence, el2n = outcome[3:7]
    assert loss is not None
    assert margin is not None
    assert confidence is not None
    assert el2n is not None
    columns = [loss, margin, confidence, confidence, el2n, outcome.correct.to(loss.dtype)]
    if outcome.tokens_correct is not None:
        columns.append(outcome.tokens_correct)
    # stacking the vectors whole and turning them while widening is the fast way round
    added = torch.stack([*columns, loss, margin]).t()
    added = added.to(torch.float64, memory_format=torch.contiguous_format, copy=True)
    added[:, 3].square_()
    if not host.may_look(finite) or not bool(finite.all()):
        bad = ~finite
        added.masked_fill_(bad.unsqueeze(1), 0.0)
        added[:, 5] = outcome.correct + bad * NON_FINITE
        added[:, -len(LASTS) :].masked_fill_(bad.unsqueeze(1), torch.nan)
    return added


def _are_unique(words: Tensor, rows: Tensor) -> bool:
    """Whether no row comes twice: write positions, and see if each reads its own back.

    The words serve as the scratch memory; the caller, who holds a copy, writes them anew.
    """
    positions = torch.arange(rows.shape[0])
    words.index_copy_(0, rows, positions)
    return torch.equal(words.index_select(0, rows), positions)


class _Groups:
    """Presentations sorted by row, in order within a row."""

    def __init__(self, rows: Tensor) -> None:
        if host.may_look(rows):
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

    def sort(self, outcome: Outcome) -> Outcome:
        return Outcome(*(None if each is None else each[self.order] for each in outcome))  # type: ignore[arg-type]

    def previous(self, values: Tensor, before: Tensor) -> Tensor:
        """The value at the same row's previous presentation; ``before`` at its first here."""
        return torch.where(self.starts, before, values.roll(1))

    def count_before(self, values: Tensor) -> Tensor:
        """The sum over the same row's earlier presentations here."""
        running = values.cumsum(0) - values
        return running - running[self._first]
