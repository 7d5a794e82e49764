"""The smallest set that does: what was certified, in words, tables and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.experiment.comparison import accuracy_interval
from curate.experiment.search.candidates import Candidate
from curate.experiment.search.certifying import Certified, SizeResult
from curate.experiment.search.looks import Look
from curate.experiment.search.sentences import sentences
from curate.experiment.training.job import Run
from curate.notebook import Shown
from curate.stats import CONFIDENCE, certificate
from curate.train import Settings

if TYPE_CHECKING:
    from curate.pruning import Selection


@dataclass(frozen=True, eq=False, repr=False)
class SmallestSet(Shown):
    """The answer of :func:`curate.smallest_set`; ``print`` says it in words.

    Attributes:
        margin: accuracy (0..1) that the smaller set may lose.
        protocol: "epochs" or "steps".
        candidate: the score and strategy that were chosen; None where time ran out first.
        proxy: whether another trainer's tables rank.
        certified: all runs and certificates.
        look: how often this test set had been looked at; None where it was not.
        search: one row per candidate and size tried: candidate, share, seeds, loss (0..1) on the
            held-out part of the training set.
        examples: how many there are in the training set.
        labels: (m,) int64, of the test set.
        class_names: of the classes, or None.
        settings: of the library's own trainer; None for another.
        folder: where runs and weights are kept; None where they are not.
    """

    margin: float
    protocol: str
    candidate: Candidate | None
    proxy: bool
    certified: Certified
    look: Look | None
    search: pa.Table
    examples: int
    labels: np.ndarray
    class_names: Sequence[str] | None
    settings: Settings | None
    folder: Path | None

    @property
    def score(self) -> str:
        """The name of the score and, where it is not "hardest", the strategy."""
        return "no score" if self.candidate is None else self.candidate.name

    @property
    def smallest(self) -> SizeResult | None:
        """The smallest size that was certified; None where none was."""
        certified = [one for one in self.certified.sizes if one.certified]
        return certified[-1] if certified else None

    @property
    def selection(self) -> "Selection | None":
        """Which examples the smallest certified set keeps; None where none was certified."""
        return None if self.smallest is None else self.smallest.selection

    @property
    def runs(self) -> list[Run]:
        """Every run on the test set."""
        sizes = [run for one in self.certified.sizes for run in (*one.pruned, *one.random)]
        return [*self.certified.everything, *sizes]

    @cached_property
    def table(self) -> pa.Table:
        """One row per run: arm, size, seed, protocol, accuracy (0..1), steps, seconds."""
        rows = [
            {
                "arm": self._arm(run),
                "size": run.train_size,
                "seed": run.seed,
                "protocol": self.protocol,
                "accuracy": run.accuracy,
                "steps": run.steps,
                "seconds": run.seconds,
            }
            for run in self.runs
        ]
        return pa.Table.from_pylist(rows, _RUNS)

    @cached_property
    def claims(self) -> pa.Table:
        """One row per claim and size.

        ``claim`` ("as good as all", "random as good as all", "better than random"), ``size``,
        ``loss`` (mean, 0..1; of "better than random" that of random against the chosen set, so a
        gain is negative), ``bound`` (one-sided), ``p_value``, ``level``, ``shown``, and
        ``claimed``: whether it may be said, which takes all larger sizes too.
        """
        rows = []
        for one in self.certified.sizes:
            learned = self.certified.obstacle is None
            tests = (
                ("as good as all", one.as_good, one.certified),
                ("random as good as all", one.random_as_good, one.random_certified),
                ("better than random", one.better, learned and one.is_better),
            )
            names = ("loss", "bound", "p_value", "level")
            for claim, test, claimed in tests:
                facts = {name: getattr(test, name) for name in names}
                shown = {"shown": test.shown, "claimed": claimed}
                rows.append({"claim": claim, "size": one.size, **facts, **shown})
        return pa.Table.from_pylist(rows, _CLAIMS)

    @cached_property
    def curve(self) -> pa.Table:
        """The removal curve, one row per arm and size: mean accuracy and its interval.

        ``arm``, ``size``, ``share`` of the training set, ``accuracy`` (mean over seeds, 0..1),
        ``low`` and ``high`` (two-sided 95 % t interval over seeds), ``seeds``.
        """
        groups: dict[tuple[str, int], list[float]] = {}
        for run in self.runs:
            groups.setdefault((self._arm(run), run.train_size), []).append(run.accuracy)
        rows = []
        for (arm, size), accuracies in groups.items():
            mean, low, high = accuracy_interval(accuracies)
            rows.append(
                {
                    "arm": arm,
                    "size": size,
                    "share": size / self.examples,
                    "accuracy": mean,
                    "low": low,
                    "high": high,
                    "seeds": len(accuracies),
                }
            )
        return pa.Table.from_pylist(rows, _CURVE)

    @cached_property
    def classes(self) -> pa.Table | None:
        """What each class loses at the smallest certified size (else the largest tried).

        One row per class, the worst first: ``label``, ``name``, ``examples`` of the test set,
        ``loss`` (mean, 0..1), ``low`` and ``high``: intervals that hold for all classes together
        (Bonferroni). They describe; nothing is claimed by them. None where nothing was trained.
        """
        one = self.smallest or next(iter(self.certified.sizes), None)
        if one is None:
            return None
        full = {run.seed: run.right for run in self.certified.everything}
        first = np.stack([full[run.seed] for run in one.pruned])
        second = np.stack([run.right for run in one.pruned])
        labels = np.unique(self.labels)
        level = (1 - CONFIDENCE) / 2 / len(labels)
        rows = []
        for label in labels.tolist():
            of_class = self.labels == label
            above = certificate(first[:, of_class], second[:, of_class], level=level)
            below = certificate(second[:, of_class], first[:, of_class], level=level)
            name = None if self.class_names is None else self.class_names[label]
            count = int(of_class.sum())
            facts = {"label": label, "name": name, "examples": count, "loss": above.loss}
            rows.append({**facts, "low": -below.bound, "high": above.bound})
        rows.sort(key=lambda row: -row["loss"])
        return pa.Table.from_pylist(rows, _CLASSES)

    @property
    def looks(self) -> int:
        """How many certificates this test set has had in this folder, this one among them."""
        return 0 if self.look is None else self.look.number

    @cached_property
    def verdicts(self) -> list[str]:
        """What may be said, in sentences."""
        return sentences(self)

    def plot(self, ax: Any = None) -> Any:
        """The removal curve on matplotlib axes (extra ``plot``), new ones where None.

        Raises:
            CurateError: matplotlib is not installed, or nothing was trained.
        """
        from curate.plot import plot_removal

        if not len(self.curve):
            raise CurateError(
                "plot: nothing was trained in time; search again with a larger budget"
            )
        ax = plot_removal(self.curve, ax)
        ax.set_title(repr(self)[len("SmallestSet(") : -1])
        return ax

    def __repr__(self) -> str:
        if self.smallest is None:
            return f"SmallestSet(nothing smaller than all {self.examples:,} shown)"
        return f"SmallestSet({self.smallest.size:,} of {self.examples:,}, {self.score})"

    def __str__(self) -> str:
        """The removal curve and the verdicts."""
        lines = [f"{'arm':<20}{'examples':>10}{'accuracy':>10}   95 % interval over seeds"]
        for row in self.curve.to_pylist():
            interval = "" if row["low"] is None else f"{row['low']:.2%} to {row['high']:.2%}"
            lines.append(f"{row['arm']:<20}{row['size']:>10,}{row['accuracy']:>10.2%}   {interval}")
        return "\n".join(
            [*lines, "", *(fill(verdict, 100, break_on_hyphens=False) for verdict in self.verdicts)]
        )

    def _arm(self, run: Run) -> str:
        """The arm without its size."""
        return run.arm if run.arm == "all" else run.arm.rpartition("-")[0]


_F, _I, _S = pa.float64(), pa.int64(), pa.string()
_RUNS = pa.schema(
    [("arm", _S), ("size", _I), ("seed", _I), ("protocol", _S), ("accuracy", _F), ("steps", _I),
     ("seconds", _F)]
)  # fmt: skip
_CLAIMS = pa.schema(
    [("claim", _S), ("size", _I), ("loss", _F), ("bound", _F), ("p_value", _F), ("level", _F),
     ("shown", pa.bool_()), ("claimed", pa.bool_())]
)  # fmt: skip
_CURVE = pa.schema(
    [("arm", _S), ("size", _I), ("share", _F), ("accuracy", _F), ("low", _F), ("high", _F),
     ("seeds", _I)]
)  # fmt: skip
_CLASSES = pa.schema(
    [("label", _I), ("name", _S), ("examples", _I), ("loss", _F), ("low", _F), ("high", _F)]
)  # fmt: skip
