"""A run that is to be trained, and one that was."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curate.errors import CurateError


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """The result of training one arm with one seed.

    Attributes:
        arm: what it was trained on: "full", "pruned" or "random"; in a search also which score
            and size.
        seed: of weights, order and augmentation.
        right: (m,) bool, which test examples the model gets right.
        train_size: examples trained on.
        seconds: that training took.
        steps: of the optimizer; None where a trainer from outside did not say.
        not_finite: test examples whose logits held NaN or infinity; they count as wrong.
    """

    arm: str
    seed: int
    right: np.ndarray
    train_size: int
    seconds: float
    steps: int | None = None
    not_finite: int = 0

    @property
    def accuracy(self) -> float:
        """Fraction of the test examples that the model gets right."""
        return float(self.right.mean())

    @property
    def table(self) -> pa.Table:
        """One row: arm, seed, accuracy (0..1), train_size (examples), seconds, steps."""
        row = {
            "arm": self.arm,
            "seed": self.seed,
            "accuracy": self.accuracy,
            "train_size": self.train_size,
            "seconds": self.seconds,
            "steps": self.steps,
        }
        return pa.Table.from_pylist([row], _ROW)

    def __repr__(self) -> str:
        trained = f"{self.train_size:,} examples, {self.seconds:.1f} s"
        return f"Run({self.arm!r}, seed {self.seed}: accuracy {self.accuracy:.2%}; {trained})"


_ROW = pa.schema(
    [
        ("arm", pa.string()),
        ("seed", pa.int64()),
        ("accuracy", pa.float64()),
        ("train_size", pa.int64()),
        ("seconds", pa.float64()),
        ("steps", pa.int64()),
    ]
)


@dataclass(frozen=True, eq=False)
class Job:
    """A run that is to be trained.

    Attributes:
        arm, seed: see :class:`Run`.
        rows: (N,) int64 positions in the training set; all where None.
        record: whether its training is recorded.
        also: what the recorder records besides, see :class:`curate.Recorder`.
        window: of ``also``.
        steps: to train for; None for as many as the trainer sees fit.
    """

    arm: str
    seed: int
    rows: np.ndarray | None = None
    record: bool = False
    steps: int | None = None
    also: tuple[str, ...] = ()
    window: int = 10

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", self.arm):
            raise CurateError(f"arm: {self.arm!r}; give letters, digits, '-', '_' and '.' only")
