"""The search for a score and a size, on a part of the training set that is held out."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curate.data import ExampleSet, held_out
from curate.errors import CurateError
from curate.experiment.search.candidates import Candidate, candidates_for, distinct
from curate.experiment.search.choosing import SEEDS, SIZES, Choice, Search, choose, middle
from curate.experiment.training.job import Job, Run
from curate.experiment.training.parallel import Lab, Progress
from curate.experiment.training.run import content_of
from curate.experiment.training.trainers import TrainFunction
from curate.table import merge

HELD_OUT = 0.2
"""The share of the training set to choose on."""

_SPLIT_SEED = 1  # another split than that of the test set, which has seed 0
_FIRST_SEED = 1000  # of the models that choose; those that certify have seeds from 0


def choose_on_validation(
    train_set: ExampleSet,
    trainer: TrainFunction,
    by: Any,
    counts: Sequence[int] | None,
    *,
    tolerance: float,
    seeds: int,
    protocol: str,
    stratify: str | None,
    folder: Path | None,
    deadline: float | None,
    progress: Progress,
) -> Choice:
    """Choose a candidate, and a size where ``counts`` does not fix them.

    Nothing is trained where one candidate at fixed sizes leaves nothing to choose.

    Args:
        train_set: a fifth of it is held out; models are trained on the rest.
        trainer: with what.
        by, counts: see :func:`curate.smallest_set`.
        tolerance: accuracy (0..1) that the chosen set may lose on the held-out part.
        seeds: of the certificate, which says how much choosing may cost: half as much.
        protocol, stratify, folder, deadline, progress: see :func:`curate.smallest_set`.
    """
    total = len(train_set)
    given = [] if isinstance(by, str) and by == "auto" else candidates_for(pa.table({}), by)
    grid = SIZES if counts is None else (sorted(counts)[len(counts) // 2] / total,)
    start = middle(grid)
    if len(given) == 1 and counts is not None:
        return Choice(given[0], start, Search.nothing().table)
    validation = held_out(train_set.labels, train_set.ids, round(HELD_OUT * total), _SPLIT_SEED)
    rows = np.flatnonzero(~validation)
    share = len(rows) / total
    on = train_set.take(np.flatnonzero(validation))
    content = "" if folder is None else content_of(train_set, on)
    lab = Lab(trainer, train_set, on, folder, content, deadline, progress)

    def cost(size: float) -> float:
        return share if protocol == "steps" else share * size

    def budget(size: float) -> float:
        return certifying_cost(counts or counts_around(size, total), total, seeds, protocol) / 2

    progress.total += budget(start)
    also, window = also_recorded(lab, rows)
    models = min(SEEDS, int(budget(start) / share))
    jobs = [
        Job("all", _FIRST_SEED + seed, rows, record=True, also=also, window=window)
        for seed in range(models)
    ]
    outcomes = [outcome for outcome in lab.run(jobs) if outcome is not None]
    if not outcomes:
        return Choice(None, start, Search.nothing().table)
    everything = [run for run, _ in outcomes]
    steps = steps_of(everything) if protocol == "steps" else None
    table = merged_table([table for _, table in outcomes if table is not None])
    spent = share * len(outcomes)
    most = max(2, int(0.75 * (budget(start) - spent) / (_HALVING * cost(start))))

    def evaluate(tries: Sequence[tuple[Candidate, float]], seed: int) -> list[float | None]:
        if seed >= len(everything):
            return [None] * len(tries)
        jobs = []
        for candidate, size in tries:
            kept = candidate.select(table, size, stratify).table["kept"].to_numpy()
            arm = candidate.arm(int(np.count_nonzero(kept)))
            jobs.append(Job(arm, everything[seed].seed, rows[kept], steps=steps))
        full = everything[seed].accuracy
        return [None if run is None else full - run[0].accuracy for run in lab.run(jobs)]

    candidates = {one.name: one for one in candidates_for(table, by)}
    here = [one.at(rows) for one in candidates.values()]
    tried = distinct(here, table, start, stratify, most)
    choice = choose(tried, grid, tolerance, Search(evaluate, cost, spent), budget)
    found = None if choice.candidate is None else candidates[choice.candidate.name]
    return Choice(found, choice.size, choice.table)


def also_recorded(lab: Lab, rows: np.ndarray | None = None) -> tuple[tuple[str, ...], int]:
    """Which scores over a window can be recorded too, and the window: half of the passes.

    None where a model passes over the set fewer than six times, or says not how often.
    """
    passes = lab.passes(Job("all", 0, rows))
    return (("dual", "dyn_unc"), min(10, int(passes) // 2)) if passes >= 6 else ((), 10)


_HALVING = 1 + 1 / 2 + 1 / 4  # trainings per candidate at the first size


def counts_around(size: float, total: int) -> list[int]:
    """The sizes to certify: the next larger of ``SIZES``, this one, the next smaller."""
    at = SIZES.index(size)
    shares = SIZES[max(0, at - 1) : at + 2]
    counts = {max(2, round(share * total)) for share in shares}
    return sorted(counts, reverse=True)


def certifying_cost(counts: Sequence[int], total: int, seeds: int, protocol: str) -> float:
    """Of certifying these sizes, where a training on the whole set is 1."""
    each = (1.0 if protocol == "steps" else count / total for count in counts)
    return seeds * (1 + 2 * sum(each))


def merged_table(tables: Sequence[pa.Table]) -> pa.Table:
    """Recorded tables merged.

    Raises:
        CurateError: nothing was recorded.
    """
    merged = merge(list(tables))
    if not np.any(merged["presentations"].to_numpy()):
        raise CurateError(
            "train: it recorded nothing; call recorder.update(ids, logits, labels) at every step"
        )
    return merged


def steps_of(runs: Sequence[Run]) -> int:
    """How many steps a training on everything takes.

    Raises:
        CurateError: a trainer that did not say.
    """
    steps = [run.steps for run in runs if run.steps]
    if not steps:
        raise CurateError(
            "train: how many steps it takes is not known; call recorder.update once per step, or "
            "use protocol='epochs'"
        )
    return math.ceil(sum(steps) / len(steps))
