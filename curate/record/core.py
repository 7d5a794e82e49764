"""What a recorder knows of its examples, apart from how presentations reach it."""

from typing import Protocol

import torch
from torch import Tensor

from curate.record.history import History
from curate.record.outcomes import Judged
from curate.record.problems import Problems
from curate.record.state import State, accumulate


class Core:
    """The state on the device, the history on the host, and the problems met.

    Attributes:
        n: number of examples.
        everything: whether statistics are kept, not only events (``track="all"``).
        also, window: the statistics of windowed/registry.py that are kept.
        kind: of classification; None before the first logits.
        state, problems: None before the first logits, which show where they are to live.
        history: None where it is not kept.
    """

    def __init__(
        self,
        n: int,
        everything: bool,
        history: bool,
        device: torch.device | None,
        also: tuple[str, ...] = (),
        window: int = 10,
    ) -> None:
        self.n = n
        self.everything = everything
        self.also, self.window = also, window
        self.kind: str | None = None
        self.history = History(n) if history else None
        self._device = device
        self.clear()

    def clear(self) -> None:
        """Forget the state; the history stays."""
        self.kind = None
        self.state: State | None = None
        self.problems: Problems | None = None

    def begin(self, kind: str, device: torch.device) -> State:
        """Make the state where there is none yet."""
        self.kind = kind
        if self.state is None:
            device = self._device or (torch.device("cpu") if device.type == "mps" else device)
            self._device = device
            with torch.inference_mode(False):  # else later steps could not write to it
                self.state = self.empty(device, kind == "sequence")
                self.problems = Problems(device)
        return self.state

    def empty(self, device: torch.device, sequences: bool = False) -> State:
        """A state in which no example was presented."""
        return State.empty(self.n, device, self.everything, sequences, self.also, self.window)

    def apply(self, rows: Tensor, judged: Judged) -> None:
        """Add presentations, in order: rows (N,) int64 in 0..n, where n is ignored."""
        assert self.state is not None
        outcome, statistics = judged
        accumulate(self.state, rows, outcome, statistics)
        if self.history is not None:
            self.history.add(rows, outcome.correct)


class Sink(Protocol):
    """Where a recorder hands judged presentations; the seam between one process and many."""

    gathers: bool
    """Whether batches of several steps may be judged together."""

    def add(self, rows: Tensor, judged: Judged) -> None:
        """Take presentations of the current step."""

    def end_step(self) -> None:
        """Mark the end of a training step."""

    def settle(self) -> None:
        """Bring everything taken so far into the core, before an epoch ends."""

    def check_settled(self) -> None:
        """Raise where the core does not know everything that was taken."""


class Direct:
    """The sink of one process: everything goes into the core at once."""

    gathers = True

    def __init__(self, core: Core) -> None:
        self.add = core.apply

    def end_step(self) -> None:
        """Nothing waits."""

    def settle(self) -> None:
        """Nothing waits."""

    def check_settled(self) -> None:
        """Nothing waits."""
