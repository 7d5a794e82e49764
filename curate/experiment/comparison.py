"""Full against pruned against randomly pruned: what did the pruning cost?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.experiment.search.looks import Look
from curate.experiment.training.job import Job, Run
from curate.notebook import Shown
from curate.stats import (
    CONFIDENCE,
    Certificate,
    Difference,
    better_than_guessing,
    certificate,
    paired_difference,
    seeds_needed,
    superiority,
    t_quantile,
)

if TYPE_CHECKING:
    from curate.pruning import Selection

ARMS = ("full", "pruned", "random")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Shown):
    """Runs of the arms with the same seeds, and what they show.

    Attributes:
        runs: every arm with every seed.
        margin: accuracy, in 0..1, that the pruned set may lose and still be called as good.
        labels: (m,) int, of the test set, to see whether anything was learned; None where they
            are not known.
        look: how often the test set had been looked at, which gives the level; None for one
            comparison by itself, at 5 %.
    """

    runs: Sequence[Run]
    margin: float
    labels: np.ndarray | None = None
    look: Look | None = None

    @cached_property
    def table(self) -> pa.Table:
        """One row per run: arm, seed, accuracy (0..1), train_size (examples), seconds."""
        return pa.concat_tables([run.table for run in self.runs])

    @cached_property
    def intervals(self) -> pa.Table:
        """One row per arm: mean accuracy, two-sided 95 % t interval over seeds (null for one)."""
        rows = []
        for arm in ARMS:
            accuracies = [run.accuracy for run in self.runs if run.arm == arm]
            mean, low, high = accuracy_interval(accuracies)
            rows.append({"arm": arm, "mean": mean, "low": low, "high": high})
        kinds = [pa.field(name, pa.float64()) for name in ("mean", "low", "high")]
        return pa.Table.from_pylist(rows, schema=pa.schema([pa.field("arm", pa.string()), *kinds]))

    def difference(self, first: str, second: str) -> Difference:
        """Accuracy of one arm minus another's, paired by seed."""
        return paired_difference(self._right(first), self._right(second))

    def certificate(self, first: str, second: str, *, margin: float = 0.0) -> Certificate:
        """What the second arm loses against the first, for new test examples and new seeds."""
        first_right, second_right = self._right(first), self._right(second)
        return certificate(first_right, second_right, margin=margin, level=self.level)

    @property
    def level(self) -> float:
        """Of the one-sided test that the pruned set is as good."""
        return 1 - CONFIDENCE if self.look is None else self.look.level

    @cached_property
    def verdicts(self) -> list[str]:
        """Two sentences: as good as the full set within the margin? better than random?"""
        kept = next(run.train_size for run in self.runs if run.arm == "pruned")
        total = next(run.train_size for run in self.runs if run.arm == "full")
        sizes = f"{kept:,} of {total:,} examples"
        said = obstacle([run for run in self.runs if run.arm == "full"], self.labels, self.level)
        if said is not None:
            return [f"Nothing is claimed of the pruned set ({sizes}): {said}."]
        test = self.certificate("full", "pruned", margin=self.margin)
        return [
            _as_good(test, self.difference("pruned", "full"), sizes, self.look),
            self._better(),
        ]

    @property
    def accuracies(self) -> str:
        """The mean accuracy of every arm, in a few words."""
        means = [f"{row['arm']} {row['mean']:.2%}" for row in self.intervals.to_pylist()]
        seeds = len({run.seed for run in self.runs})
        return f"{', '.join(means)}; {seeds} seed{'' if seeds == 1 else 's'}"

    def __repr__(self) -> str:
        return f"Comparison({self.accuracies})"

    def __str__(self) -> str:
        """The arms' accuracies and the verdicts."""
        sizes = {run.arm: run.train_size for run in self.runs}
        lines = [f"{'arm':<8}{'examples':>10}{'accuracy':>10}   95 % interval over seeds"]
        for row in self.intervals.to_pylist():
            interval = "" if row["low"] is None else f"{row['low']:.2%} to {row['high']:.2%}"
            lines.append(
                f"{row['arm']:<8}{sizes[row['arm']]:>10,}{row['mean']:>10.2%}   {interval}"
            )
        return "\n".join(
            [*lines, "", *(fill(verdict, 100, break_on_hyphens=False) for verdict in self.verdicts)]
        )

    def _better(self) -> str:
        difference = self.difference("pruned", "random")
        pruned, random = self._right("pruned"), self._right("random")
        gap = f"difference {points(difference.mean)} points"
        if difference.low is None or difference.high is None:
            return f"With one seed nothing is shown against random pruning: {gap}."
        interval = f"{gap}, 95 % interval {points(difference.low)} to {points(difference.high)}"
        if difference.low > 0 and superiority(random, pruned).shown:
            return f"It is better than a random set of the same size: {interval}."
        if difference.high < 0 and superiority(pruned, random).shown:
            return f"It is worse than a random set of the same size: {interval}."
        return f"Not shown that it is better than a random set of the same size: {interval}."

    def _right(self, arm: str) -> np.ndarray:
        runs = sorted((run for run in self.runs if run.arm == arm), key=lambda run: run.seed)
        return np.stack([run.right for run in runs])


def compare(
    run: Callable[[str, int, np.ndarray | None], Run],
    full: Sequence[Run],
    selection: "Selection",
    margin: float,
) -> Comparison:
    """Train the pruned and the random arm with the seeds of the full one.

    The random arm keeps as many examples, drawn again for every seed, and as many of each class
    where the selection was stratified. All arms train for the same number of epochs, as in the
    paper, so smaller sets take fewer steps.

    Args:
        run: trains one arm: (arm, seed, rows of the training set) -> Run.
        full: runs on the whole training set, one per seed.
        selection: made from a table in the order of the training set.
        margin: accuracy, in 0..1, that the pruned set may lose.

    Raises:
        CurateError: a margin outside 0..1.
    """
    check_margin(margin)
    jobs = arms_of(selection, [one.seed for one in full])
    return Comparison([*full, *(run(job.arm, job.seed, job.rows) for job in jobs)], margin)


def arms_of(
    selection: "Selection",
    seeds: Sequence[int],
    *,
    pruned: str = "pruned",
    random: str = "random",
    steps: int | None = None,
) -> list[Job]:
    """The pruned and the random arm with every seed, seed by seed, under these names."""
    kept = np.flatnonzero(selection.table["kept"].to_numpy())
    return [
        job
        for seed in seeds
        for job in (
            Job(pruned, seed, kept, steps=steps),
            Job(random, seed, random_rows(selection, seed), steps=steps),
        )
    ]


def check_margin(margin: float) -> None:
    """Raise a CurateError for a margin outside 0..1."""
    if not 0 <= margin < 1:
        raise CurateError(f"margin: {margin}; give an accuracy between 0 and 1, such as 0.01")


def random_rows(selection: "Selection", seed: int) -> np.ndarray:
    """As many rows of the table drawn at random, and of each class where it was stratified."""
    from curate.pruning import prune

    drawn = prune(
        selection.table,
        len(selection),
        "random",
        "random",
        stratify=selection.policy.get("stratify"),
        seed=seed,
    )
    return np.flatnonzero(drawn.table["kept"].to_numpy())


def accuracy_interval(accuracies: Sequence[float]) -> tuple[float, float | None, float | None]:
    """The mean over seeds, and its two-sided 95 % t interval within 0..1; None with one seed."""
    mean, k = float(np.mean(accuracies)), len(accuracies)
    if k < 2:
        return mean, None, None
    spread = float(np.std(accuracies, ddof=1)) / k**0.5
    half = t_quantile(1 - (1 - CONFIDENCE) / 2, k - 1) * spread
    return mean, max(0.0, mean - half), min(1.0, mean + half)


def points(value: float) -> str:
    """A difference of accuracies in percentage points, with its sign; zero has no minus."""
    return f"{round(100 * value, 2) + 0.0:+.2f}".replace("-", "\u2212")


def _as_good(test: Certificate, difference: Difference, sizes: str, look: Look | None) -> str:
    margin = 100 * test.margin
    gap = f"difference {points(-test.loss)} points"
    within = f"within {margin:g} point{'' if margin == 1 else 's'}"
    if test.seeds == 1:
        return (
            f"With one seed nothing is shown of the pruned set ({sizes}): {gap}; run several seeds."
        )
    again = "" if look is None or look.number == 1 else f", look {look.number} at this test set"
    bound = (
        f"{gap}, at worst {points(-test.bound)} (one-sided {100 * (1 - test.level):.4g} %{again}, "
        f"for new test examples and new seeds; {test.seeds} seeds, {test.examples:,} test examples)"
    )
    if test.shown:
        return f"The pruned set ({sizes}) is as good as the full one {within}: {bound}."
    needed = seeds_needed(difference, test.margin)
    if difference.mean <= -test.margin:
        more = "the difference itself exceeds the margin"
    elif needed is not None and needed > test.seeds:
        more = f"about {needed} seeds would be needed if the spread stays"
    else:
        more = "a larger test set would be needed"
    return f"Not shown that the pruned set ({sizes}) is as good {within}: {bound}; {more}."


def obstacle(everything: Sequence[Run], labels: np.ndarray | None, level: float) -> str | None:
    """Why nothing may be claimed of any smaller set: the models on all examples learned nothing.

    Args:
        everything: the runs on all examples.
        labels: (m,) int, of the test set; None where they are not known.
        level: of the test that something was learned.
    """
    right = np.stack([run.right for run in everything])
    not_finite = sum(run.not_finite for run in everything)
    if not_finite:
        return (
            f"the logits of {not_finite:,} of {right.size:,} answers on the test set were NaN or "
            "infinite; look for such values in the data, or lower the learning rate"
        )
    if labels is None or len(everything) < 2:
        return None
    guessing = better_than_guessing(right, labels, level=level)
    if guessing.shown:
        return None
    return (
        f"the models trained on all examples ({right.mean():.2%} right) are not shown to be better "
        f"than always answering the largest class ({right.mean() + guessing.loss:.2%})"
    )
