"""TDDS: how the change of the predicted distribution varies within a window."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from curate.errors import CurateError
from curate.record.groups import Groups
from curate.record.statistics import Statistics

_SCALE = 256.0
"""By which a contribution is multiplied in 16 bits: 2e-7 to 255 nats have all their 11 digits."""

_MOST = 65504.0
"""The largest float of 16 bits."""

_DECAY = 0.9


class Temporal:
    """TDDS in ``4 classes + 2 window - 4`` bytes an example: 4C + 16 for a window of 10.

    The contribution of presentation t is ``d_t = |sum_c p_t(c) log(p_t(c) / p_{t-1}(c))|``, its
    window score R_t the variance (divisor J - 1) of the J - 1 contributions among J presentations,
    and TDDS their moving average, ``0.9 R_t + 0.1`` times the one before, from 0 (Zhang et al.,
    CVPR 2024, Section 3). Contributions are kept in 16 bits, 11 of them digits.

    A distribution of C classes is kept as the C - 1 logarithms of its ratios to the first class,
    which loses nothing where a probability is close to 0 or 1.
    """

    def __init__(self, n: int, window: int, device: torch.device) -> None:
        self.n, self.window, self.device = n, window, device
        self.tensors: dict[str, Tensor] = {}

    def begin(self, width: int) -> None:
        """Make the state once the logits show how many classes there are: width + 1."""
        n, device = self.n + 1, self.device
        half = torch.full((n, self.window - 2), torch.nan, dtype=torch.float16, device=device)
        self.tensors = {
            # NaN: none yet
            "last": torch.full((n, width), torch.nan, dtype=torch.float32, device=device),
            "recent": half,  # contributions, the latest first
            "average": torch.full((n,), torch.nan, dtype=torch.float32, device=device),
        }

    def begin_with(self, statistics: Statistics) -> None:
        """Make the state if there is none yet.

        Raises:
            CurateError: another number of classes than before.
        """
        width = statistics["log_ratios"].shape[1]
        if not self.tensors:
            with torch.inference_mode(False):  # else later steps could not write to it
                self.begin(width)
        before = self.tensors["last"].shape[1]
        if width != before:
            raise CurateError(
                f"logits: {width + 1} classes after {before + 1}; 'tdds' compares "
                "an example's distributions, so record one number of classes"
            )

    def add(self, rows: Tensor, statistics: Statistics, groups: Groups | None) -> None:
        """Take presentations: rows (N,) in 0..n; sorted by row where ``groups`` has them."""
        ratios = statistics["log_ratios"].float()
        last, recent, average = self.tensors.values()
        before = last.index_select(0, rows)
        past = recent.index_select(0, rows).float()
        if groups is not None:
            before = torch.where((groups.rank > 0).unsqueeze(1), ratios.roll(1, 0), before)
        now = (_contributions(ratios, before) * _SCALE).clamp(max=_MOST).half().float()
        if groups is not None:
            shifted = []
            for lag in range(1, self.window - 1):
                stored = past.gather(1, (lag - 1 - groups.rank).clamp(min=0).unsqueeze(1))
                shifted.append(torch.where(groups.rank >= lag, now.roll(lag), stored.squeeze(1)))
            past = torch.stack(shifted, 1)
        held = torch.cat([now.unsqueeze(1), past], 1)
        variance = (held / _SCALE).double().var(1, correction=0)
        complete = ~held.isnan().any(1)  # and so are all later windows of the example
        target, left, size = rows, torch.zeros_like(rows), torch.ones_like(rows)
        if groups is not None:  # only an example's last presentation writes
            target = torch.where(groups.ends, rows, len(last) - 1)
            left, size = groups.left, groups.rank + 1
        old = average.index_select(0, rows).double()
        old = torch.where(old.isnan() & complete, 0.0, old) * (1 - _DECAY) ** size
        new = torch.where(complete, _DECAY * (1 - _DECAY) ** left * variance, 0.0)
        average.index_put_((target,), old.float())
        average.index_add_(0, rows, new.float())
        last.index_put_((target,), ratios)
        recent.index_put_((target,), held[:, :-1].half())

    def columns(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Name -> (values, where they are not known), each of shape (n,)."""
        if not self.tensors:
            return {"tdds": (np.zeros(self.n), np.ones(self.n, bool))}
        values = self.tensors["average"][:-1].cpu().numpy().astype(np.float64)
        return {"tdds": (values, np.isnan(values))}


def log_ratios(kind: str, logits: Tensor) -> Tensor:
    """(N, C - 1): the logarithms of the probabilities' ratios to that of the first class.

    Raises:
        CurateError: logits of a kind that has no distribution over classes.
    """
    if kind == "binary":
        return logits.detach().reshape(-1, 1).float()  # a softmax over the logits 0 and z
    if kind != "multiclass":
        raise CurateError(f"also: 'tdds' needs one distribution over classes, which {kind} has not")
    logits = logits.detach()
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return (logits[:, 1:] - logits[:, :1]).float()


def _contributions(now: Tensor, before: Tensor) -> Tensor:
    """(N,) float64: |KL(now, before)| of distributions by their log ratios; NaN where unknown."""
    first = now.new_zeros(len(now), 1)
    log_p = log_softmax(torch.cat([first, now], 1).double(), 1)
    log_q = log_softmax(torch.cat([first, before], 1).double(), 1)
    return (log_p.exp() * (log_p - log_q)).sum(1).abs()
