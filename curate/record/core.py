"""What a recorder knows of its examples, apart from how presentations reach it."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from curate.errors import CurateError
from curate.record.history import History
from curate.record.inputs.problems import Left, Problems
from curate.record.outcomes import Judged
from curate.record.state import Change, Part, State, change_of, parts_of, write


class Entry(NamedTuple):
    """What is on its way into the core: kept until all of it is there, so that nothing is lost or
    doubled when an interrupt comes in between.

    ``first``: done before all else; ``parts``: presentations to add, in order, of which ``at`` are
    in; ``change``: what the next of them makes of the state, None before it is worked out;
    ``waiting``: how many outcomes the history held before it. Doing ``first`` twice, or writing a
    change twice, is doing it once.
    """

    first: Callable[[], None]
    parts: tuple[Part, ...]
    at: int = 0
    change: Change | None = None
    waiting: int = 0


class Core:
    """The state on the device, the history on the host, and the problems met.

    Attributes:
        n: number of examples there is room for.
        everything: whether statistics are kept, not only events (``track="all"``).
        also, window: the statistics of windowed/registry.py that are kept.
        grows: whether n may.
        kind: of classification; None before the first logits.
        state, problems: None before the first logits, which show where they are to live.
        history: None where it is not kept.
        entry: what an interrupt left to do; None almost always.
    """

    def __init__(
        self,
        n: int,
        everything: bool,
        history: bool,
        device: torch.device | None,
        also: tuple[str, ...] = (),
        window: int = 10,
        grows: bool = False,
    ) -> None:
        self.n = n
        self.everything = everything
        self.also, self.window = also, window
        self.grows = grows
        self.history = History(n, grows) if history else None
        self.device = device
        self.kind: str | None = None
        self.state: State | None = None
        self.problems: Problems | None = None
        self.entry: Entry | None = None

    def begin(self, kind: str, device: torch.device) -> State:
        """Make the state where there is none yet."""
        if self.state is None:
            device = self.device or (torch.device("cpu") if device.type == "mps" else device)
            with torch.inference_mode(False):  # else later steps could not write to it
                self.problems = Problems.none(device)
                state = self.empty(device, kind == "sequence")
            self.kind, self.device, self.state = kind, device, state
        return self.state

    def empty(self, device: torch.device, sequences: bool = False) -> State:
        """A state in which no example was presented."""
        return State.empty(self.n, device, self.everything, sequences, self.also, self.window)

    def grow(self, n: int) -> None:
        """Make room for at least n examples; twice as much as before, so that it is rare."""
        n = max(n, 2 * self.n)
        if self.history is not None:
            self.history.grow(n)
        if self.state is not None:
            with torch.inference_mode(False):
                self.state = self.state.grown(n)
        self.n = n

    def take(self, rows: Tensor, judged: Judged, first: Callable[[], None]) -> None:
        """Do ``first``, and add presentations, in order: rows (N,) in 0..n, where n is ignored."""
        self.entry = Entry(first, parts_of(Part(rows, *judged)))
        self.complete()

    def do(self, first: Callable[[], None]) -> None:
        """Do something that is the same when done twice, all of it or nothing."""
        self.entry = Entry(first, ())
        self.complete()

    def complete(self) -> None:
        """Finish what was begun."""
        while (entry := self.entry) is not None:
            entry.first()
            if entry.at == len(entry.parts):
                self.entry = None
            elif entry.change is None:
                assert self.state is not None
                waiting = 0 if self.history is None else self.history.waiting()
                try:
                    change = change_of(self.state, entry.parts[entry.at])
                except CurateError:  # refused, and so again whenever it is tried
                    self.entry = None
                    raise
                self.entry = entry._replace(change=change, waiting=waiting)
            else:
                self._write(entry)
                self.entry = entry._replace(at=entry.at + 1, change=None)

    def left(self, unknown_string: str | None) -> Left:
        """What was left out since the last call of :meth:`forgive`; reads from the device."""
        if self.problems is None or self.state is None:
            return Left((0, 0), (0.0, 0.0), 0)
        (ids, an_id), (labels, a_label) = (each.tolist() for each in self.problems)
        shown = an_id if unknown_string is None else unknown_string
        return Left((ids, shown), (labels, a_label), int(self.state.overflow))

    def set_left(self, left: Left) -> None:
        """Put what was left out in the place of what is counted here."""
        if self.state is None:
            return
        with torch.inference_mode(False):
            device = self.state.packed.device
            an_id = 0 if isinstance(left.ids[1], str) else left.ids[1]
            self.problems = Problems(
                torch.tensor([left.ids[0], an_id], dtype=torch.int64, device=device),
                torch.tensor(left.labels, dtype=torch.float64, device=device),
            )
            self.state.overflow = torch.tensor(left.full, dtype=torch.int64, device=device)

    def _write(self, entry: Entry) -> None:
        assert self.state is not None
        assert entry.change is not None
        write(self.state, entry.change)
        if self.history is not None:
            part = entry.parts[entry.at]
            self.history.put(entry.waiting, part.rows, part.outcome.correct)


class Sink(Protocol):
    """Where a recorder hands judged presentations; the seam between one process and many."""

    gathers: bool
    """Whether batches of several steps may be judged together."""

    def add(self, rows: Tensor, judged: Judged, first: Callable[[], None]) -> None:
        """Do ``first`` and take presentations of the current step, both or neither."""

    def end_step(self) -> None:
        """Mark the end of a training step."""

    def settle(self) -> None:
        """Bring everything taken so far into the core."""

    def check_settled(self) -> None:
        """Raise where the core does not know everything that was taken."""

    def raise_left(self, known: int, unknown_string: str | None) -> None:
        """Raise what was left out since the last call, once."""


class Direct:
    """The sink of one process: everything goes into the core at once."""

    gathers = True

    def __init__(self, core: Core) -> None:
        self._core = core

    def add(self, rows: Tensor, judged: Judged, first: Callable[[], None]) -> None:
        """Add them to the core."""
        self._core.take(rows, judged, first)

    def end_step(self) -> None:
        """Nothing waits."""

    def settle(self) -> None:
        """Nothing waits."""

    def check_settled(self) -> None:
        """Nothing waits."""

    def raise_left(self, known: int, unknown_string: str | None) -> None:
        """Raise what was left out since the last call, once."""
        raise_left(self._core, self._core.left(unknown_string), known)


def raise_left(core: Core, left: Left, known: int) -> None:
    """Raise if anything was left out, and forget it."""
    sentences = left.sentences(known)
    if sentences:
        core.set_left(Left((0, 0), (0.0, 0.0), 0))
        raise CurateError(" ".join(sentences))
