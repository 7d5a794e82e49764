"""What one rank has seen and not yet exchanged, at 24 bytes a presentation."""

from typing import NamedTuple

import torch
from torch import Tensor

from curate.record.buffer import ROWS
from curate.record.outcomes import Judged, Outcome
from curate.record.packed import MAX_LABEL_CODE
from curate.record.statistics import names_of


class Block(NamedTuple):
    """Presentations in order.

    ``rows``: (N,) int32 (int64 where there are that many), -1 where left out. ``codes``: (N,)
    int32, label code | finite | correct. ``values``: (N, statistics) float32 or float64.
    ``steps``: (N,) int32, the training step.
    """

    rows: Tensor
    codes: Tensor
    values: Tensor
    steps: Tensor


class Log:
    """Blocks of presentations; small ones are joined, as every tensor costs hundreds of bytes."""

    def __init__(self) -> None:
        self._blocks: list[tuple[Block, int]] = []  # each with how many come in small ones up to it

    def add(self, rows: Tensor, judged: Judged, step: int, n: int) -> None:
        """Append presentations of one step: rows (N,) int64 in 0..n, where n is left out."""
        outcome, statistics = judged
        size = torch.int32 if n < 2**31 else torch.int64
        codes = (outcome.label_code << 2) + outcome.finite * 2 + outcome.correct
        values = rows.new_empty(len(rows), 0, dtype=torch.float32)
        if statistics is not None:
            names = names_of("tokens_correct" in statistics)
            values = torch.stack([statistics[name] for name in names], 1)
            if "log_ratios" in statistics:
                values = torch.cat([values, statistics["log_ratios"].to(values.dtype)], 1)
        block = Block(
            torch.where(rows < n, rows, -1).to(size),
            codes.to(torch.int32),
            values,
            torch.full_like(rows, step, dtype=torch.int32),
        )
        small = self._blocks[-1][1] if self._blocks else 0
        if small + len(rows) < ROWS:
            self._blocks.append((block, small + len(rows)))
            return
        first = len(self._blocks)
        while first and self._blocks[first - 1][1]:
            first -= 1
        whole = joined([*(each for each, _ in self._blocks[first:]), block], values.shape[1])
        self._blocks = [*self._blocks[:first], (whole, 0)]

    def blocks(self) -> list[Block]:
        """All presentations, in order."""
        return [block for block, _ in self._blocks]


def joined(blocks: list[Block], statistics: int) -> Block:
    """One block of all, in order; of that many statistics where there is none."""
    if not blocks:
        whole, values = torch.empty(0, dtype=torch.int32), torch.empty(0, statistics)
        return Block(whole, whole, values, whole)
    return Block(*(torch.cat(column) for column in zip(*blocks, strict=True)))


def judged_of(codes: Tensor, values: Tensor, names: tuple[str, ...]) -> Judged:
    """What :meth:`Log.add` was given, of presentations in any order.

    Args:
        codes, values: of a block.
        names: of the statistics in the first columns; further ones are ``log_ratios``.
    """
    codes = codes.to(torch.int64)
    outcome = Outcome(codes & 1 > 0, codes & 2 > 0, (codes >> 2) & MAX_LABEL_CODE)
    if not names:
        return outcome, None
    statistics = dict(zip(names, values.unbind(1), strict=False))
    if values.shape[1] > len(names):
        statistics["log_ratios"] = values[:, len(names) :]
    return outcome, statistics
