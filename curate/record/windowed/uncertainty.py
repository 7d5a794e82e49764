"""DUAL and Dyn-Unc: how the probability of the label varies within a window."""

import numpy as np
import torch
from torch import Tensor

from curate.record.groups import Groups
from curate.record.statistics import Statistics

_STEPS = 65535
"""Steps of a probability that is kept in 16 bits."""


class Uncertainty:
    """DUAL and Dyn-Unc in ``2 window + 12`` bytes an example: 32 for the papers' window of 10.

    With p_k the probability of the label at presentation k, m_k and s_k the mean and the standard
    deviation (divisor J - 1) of the J from p_k on: Dyn-Unc is the mean over all windows of s_k (He
    et al., CVPR 2024, Section 3.2), DUAL that of (1 - m_k) s_k (Cho et al., ICML 2025, Section
    3.2). A probability is kept to 1/65,535; the means are as exact as that.
    """

    def __init__(self, n: int, window: int, device: torch.device) -> None:
        self.window, self.device = window, device
        self.tensors = {
            "ring": torch.zeros(n + 1, window, dtype=torch.int16, device=device),
            "sums": torch.zeros(n + 1, 2, dtype=torch.float32, device=device),
            "seen": torch.zeros(n + 1, dtype=torch.int32, device=device),
        }

    def begin_with(self, statistics: Statistics) -> None:
        """Nothing to make ready."""

    def add(self, rows: Tensor, statistics: Statistics, groups: Groups | None) -> None:
        """Take presentations: rows (N,) in 0..n; sorted by row where ``groups`` has them."""
        ring, sums, seen = self.tensors.values()
        window, ignored = self.window, len(ring) - 1
        code = (statistics["confidence"].double() * _STEPS).round().long() - (_STEPS // 2 + 1)
        before = seen.index_select(0, rows).long()
        if groups is not None:
            before = before + groups.rank
        lags = torch.arange(window, device=rows.device)
        slots = (before.unsqueeze(1) - lags) % window
        codes = ring.index_select(0, rows).gather(1, slots).long()
        codes[:, 0] = code
        if groups is not None:
            for lag in range(1, window):
                codes[:, lag] = torch.where(groups.rank >= lag, code.roll(lag), codes[:, lag])
        values = (codes + (_STEPS // 2 + 1)).float() / _STEPS
        spread = values.std(1)
        full = (before + 1 >= window).float()
        added = torch.stack([(1 - values.mean(1)) * spread, spread], 1) * full.unsqueeze(1)
        sums.index_add_(0, rows, added)
        seen.index_add_(0, rows, torch.ones_like(rows, dtype=torch.int32))
        target = rows
        if groups is not None:  # the same place may come again: the last write is the one to stay
            target = torch.where(groups.left < window, rows, ignored)
        ring.index_put_((target, slots[:, 0]), code.short())

    def columns(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Name -> (values, where they are not known), each of shape (n,)."""
        _, sums, seen = (tensor[:-1].cpu().numpy() for tensor in self.tensors.values())
        windows = seen.astype(np.int64) - self.window + 1
        means = sums.astype(np.float64) / np.maximum(windows, 1)[:, None]
        return {"dual": (means[:, 0], windows < 1), "dyn_unc": (means[:, 1], windows < 1)}
