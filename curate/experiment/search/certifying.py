"""Certify sizes on the test set, from large to small, with fresh seeds."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from curate.experiment.comparison import arms_of, obstacle
from curate.experiment.search.candidates import Candidate
from curate.experiment.search.looks import Look
from curate.experiment.search.on_validation import also_recorded
from curate.experiment.training.job import Job, Run
from curate.experiment.training.parallel import Finished, Lab
from curate.pruning import Selection
from curate.stats import Certificate, certificate, look_level, superiority

BETTER_LEVEL = 0.025
"""One-sided, of all claims 'better than random' together, at the first look."""


@dataclass(frozen=True, eq=False)
class SizeResult:
    """One size: its selection, its runs, and what they show.

    Attributes:
        selection: which examples were kept.
        pruned, random: one run per seed.
        as_good, random_as_good: the loss of the pruned and of the random sets against all.
        better: the loss of random sets against the pruned one, by :func:`curate.stats.superiority`.
        better_for_all: the same by :func:`curate.stats.certificate`, at 5 %.
        certified: whether 'as good' may be claimed: this size and all larger ones were shown.
        random_certified: the same for as many random examples.
    """

    selection: Selection
    pruned: Sequence[Run]
    random: Sequence[Run]
    as_good: Certificate
    random_as_good: Certificate
    better: Certificate
    better_for_all: Certificate
    certified: bool
    random_certified: bool

    @property
    def not_finite(self) -> int:
        """How many answers of the pruned arm had logits that are not finite; none certifies."""
        return _not_finite(self.pruned)

    @property
    def is_better(self) -> bool:
        """Whether 'better than random' is shown.

        At its share of 2.5 % against the hypothesis of no difference, and at 5 % against every
        hypothesis of no gain, with whatever examples the test set does not hold. Not where a
        model of random examples may only have lost because its logits were not finite.
        """
        return self.finite and self.better.shown and self.better_for_all.shown

    @property
    def finite(self) -> bool:
        """Whether all logits of the pruned and the random arm were."""
        return not any(run.not_finite for run in (*self.pruned, *self.random))

    @property
    def size(self) -> int:
        """How many examples."""
        return len(self.selection)


@dataclass(frozen=True, eq=False)
class Arms:
    """What one size is tested by: one run per seed of each arm, in the order of the seeds."""

    selection: Selection
    everything: Sequence[Run]
    pruned: Sequence[Run]
    random: Sequence[Run]


@dataclass(frozen=True, eq=False)
class Certified:
    """All sizes, and the models trained on all examples.

    Attributes:
        everything: one run on all examples per seed.
        table: the merged example table of these runs; None where time ran out first.
        sizes: from large to small.
        obstacle: why nothing may be claimed at all; None where something may.
    """

    everything: Sequence[Run]
    table: pa.Table | None
    sizes: Sequence[SizeResult] = field(default_factory=list)
    obstacle: str | None = None


def certify(
    lab: Lab,
    candidate: Candidate,
    sizes: Sequence[int],
    *,
    seeds: int,
    margin: float,
    look: Look,
    stratify: str | None,
    ranking: Lab | None,
    annotated: Callable[[list[pa.Table]], pa.Table],
    equal_steps: Callable[[Sequence[Run]], int | None],
    stop: bool,
) -> Certified:
    """Train all arms with fresh seeds, and test from the largest size to the smallest.

    'As good' is a fixed sequence: every size is tested at the full level, and the first that is
    not shown ends the claims, so that the chance of any false one stays at the level (Maurer,
    Hothorn and Lehmacher, 1995). 'Better than random' is a second family, at 2.5 % one-sided over
    all its sizes (Bonferroni).

    Args:
        lab: trains jobs.
        candidate: what is certified.
        sizes: numbers of examples, from large to small.
        seeds: models per arm.
        margin: accuracy (0..1) that may be lost.
        look: gives the level.
        stratify: see :func:`curate.prune`.
        ranking: records the models whose tables rank, as many; None where those on all examples do.
        annotated: merges the recorded tables.
        equal_steps: of the runs on all examples -> steps for the other arms, None for equal epochs.
        stop: train nothing more after the first size that is not shown.
    """
    windowed = isinstance(candidate.by, str) and candidate.by in ("dual", "dyn_unc")

    def recorded(lab: Lab, arm: str) -> list[Finished]:
        also, window = also_recorded(lab) if windowed else ((), 10)
        jobs = [Job(arm, seed, record=True, also=also, window=window) for seed in range(seeds)]
        return [outcome for outcome in lab.run(jobs) if outcome is not None]

    rankers = [] if ranking is None else recorded(ranking, "proxy")
    outcomes = recorded(lab, "all")
    everything = [run for run, _ in outcomes]
    if len(everything) < 2:
        return Certified(everything, None, obstacle="time ran out before two models were trained")
    table = annotated([table for _, table in rankers or outcomes if table is not None])
    why_not = obstacle(everything, lab.test_set.labels, look.level)
    steps = equal_steps(everything)

    def trained() -> Iterator[Arms]:
        for size in sizes:
            selection = candidate.select(table, size, stratify)
            arm = candidate.arm(size) if ranking is None else f"proxy-{candidate.arm(size)}"
            arms = _train(lab, selection, arm, everything, steps)
            if arms is None:
                return
            yield arms

    tested = in_sequence(
        trained(),
        len(sizes),
        margin=margin,
        level=look.level,
        may_claim=why_not is None,
        stop=stop,
    )
    return Certified(everything, table, list(tested), why_not)


def in_sequence(
    trained: Iterable[Arms],
    planned: int,
    *,
    margin: float,
    level: float,
    may_claim: bool = True,
    stop: bool = True,
) -> Iterator[SizeResult]:
    """Test sizes in turn; one that is not shown to be as good ends the claims of all after it.

    Args:
        trained: the arms of each size, from large to small; asked for only when it is their turn.
        planned: how many sizes there are, shared by the claims 'better than random'.
        margin: of 'as good'.
        level: of the look, see :func:`curate.stats.look_level`.
        may_claim: False where nothing may be claimed of any size.
        stop: ask for nothing more after the first size that is not shown.
    """
    better_level = BETTER_LEVEL * level / look_level(1) / planned
    open_claims = random_open = may_claim
    for arms in trained:
        full, pruned, random = map(_right, (arms.everything, arms.pruned, arms.random))
        as_good = certificate(full, pruned, margin=margin, level=level)
        random_as_good = certificate(full, random, margin=margin, level=level)
        random_open = random_open and random_as_good.shown and not _not_finite(arms.random)
        result = SizeResult(
            arms.selection,
            arms.pruned,
            arms.random,
            as_good,
            random_as_good,
            superiority(random, pruned, level=better_level),
            certificate(random, pruned, level=0.05),
            open_claims and as_good.shown and not _not_finite(arms.pruned),
            random_open,
        )
        open_claims = result.certified
        yield result
        if stop and not open_claims:
            break


def _train(
    lab: Lab, selection: Selection, arm: str, everything: Sequence[Run], steps: int | None
) -> Arms | None:
    """The runs of all three arms with every seed that all of them finished; None for under two."""
    seeds = [run.seed for run in everything]
    random = f"random-{len(selection)}"
    jobs = arms_of(selection, seeds, pruned=arm, random=random, steps=steps)
    outcomes = lab.run(jobs)
    full, first, second = [], [], []
    for run, one, other in zip(everything, outcomes[::2], outcomes[1::2], strict=True):
        if one is not None and other is not None:
            full.append(run)
            first.append(one[0])
            second.append(other[0])
    return Arms(selection, full, first, second) if len(full) > 1 else None


def _not_finite(runs: Sequence[Run]) -> int:
    return sum(run.not_finite for run in runs)


def _right(runs: Sequence[Run]) -> np.ndarray:
    return np.stack([run.right for run in runs])
