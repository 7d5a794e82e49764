"""Record, choose, retrain, compare: the whole experiment behind ``curate run``."""

import os
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from curate.data import ExampleSet, as_example_set, fingerprint
from curate.errors import CurateError
from curate.experiment.comparison import check_margin, compare
from curate.experiment.result import Experiment
from curate.experiment.run import Run, run_arm
from curate.pruning import prune
from curate.pruning.fates import decided_before
from curate.pruning.policy import Policy, make_policy, needed_columns
from curate.record import Recorder
from curate.scores import score
from curate.scores.registry import By
from curate.table import annotate, merge, write
from curate.train import Settings, settings_for

OnProgress = Callable[[str, float, float], None]
"""Called with what is trained ("pruned, seed 2"), the work done, and the work in all."""


def run_experiment(
    train_set: Any,
    test_set: Any,
    *,
    settings: Settings | None = None,
    keep: int | float | Fraction | Decimal = 0.7,
    by: By = "forgetting",
    strategy: str | Callable[..., Any] = "hardest",
    stratify: Literal["label"] | None = "label",
    never_learned: Literal["keep", "drop"] = "keep",
    unknown: Literal["error", "keep", "drop"] = "error",
    ties: Literal["hash", "margin"] = "hash",
    min_per_class: int | None = None,
    seeds: int | None = None,
    margin: float = 0.01,
    folder: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
    **options: Any,
) -> Experiment:
    """Train and record on the full set, prune it, and show what the pruning cost.

    One model per seed is trained on the full set while a :class:`curate.Recorder` records; the
    merged table is pruned; models with the same seeds are trained on the pruned set and on random
    sets of its size, and all are compared on the test set.

    Args:
        train_set, test_set: any labelled data set, see :func:`curate.data.as_example_set`.
        settings: how to train; the defaults for these examples where None.
        keep, by, strategy, stratify, never_learned, unknown, ties, min_per_class, **options: which
            examples to keep, see :func:`curate.prune`. A column is one that the recorder writes, an
            array has one number per example of ``train_set``, in its order, and a function gets the
            merged table.
        seeds: number of models per arm; 5 where None, or 3 for 10,000 examples and more.
        margin: accuracy, in 0..1, that the pruned set may lose and still be called as good.
        folder: every finished run is kept there, and, called again with the same data and
            settings, is not trained again; an interrupted one is resumed from its last epoch.
            The merged table is written to ``examples.parquet``, the selection to
            ``selection.parquet``.
        on_progress: called after every epoch with what is trained, such as "pruned, seed 2", and
            the work done and the work in all, both in trainings on the full set.

    Raises:
        CurateError: an argument that cannot be used, before anything is trained.
    """
    if seeds is not None and (isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1):
        raise CurateError(f"seeds: {seeds!r}; give a number of models, at least 1")
    content = fingerprint(train_set)  # of what the user has, and will export
    train_set = as_example_set(train_set, name="train_set")
    test_set = as_example_set(test_set, like=train_set, name="test_set")
    count = seeds or (5 if len(train_set) < 10_000 else 3)
    check_margin(margin)
    choices: dict[str, Any] = {
        "stratify": stratify,
        "never_learned": never_learned,
        "unknown": unknown,
        "ties": ties,
        "min_per_class": min_per_class,
    }
    policy = make_policy(keep, by, strategy, options, seed=0, **choices)
    share = float(policy.share(len(train_set)))
    _check_by(policy, train_set, count)
    if settings is None:
        values, _ = train_set.arrays()
        settings = settings_for(values.shape[1:], text=train_set.texts is not None)
    folder = None if folder is None else Path(folder)
    work = _Work({"full": 1.0, "pruned": share, "random": share}, count, settings, on_progress)

    full, table = record_full(
        train_set,
        test_set,
        settings,
        range(count),
        content=content,
        folder=folder,
        on_epoch=work.on_epoch,
    )
    if folder is not None:
        write(table, folder / "examples.parquet")
    selection = prune(table, keep, by, strategy, **choices, **options)
    if folder is not None:
        selection.save(folder / "selection.parquet")

    def train_on(arm: str, seed: int, rows: Any) -> Run:
        run, _ = run_arm(
            arm,
            seed,
            train_set,
            test_set,
            settings,
            rows=rows,
            folder=folder,
            on_epoch=work.on_epoch(arm, seed),
        )
        return run

    comparison = compare(train_on, full, selection, margin)
    return Experiment(comparison, selection, table, settings, folder)


def _check_by(policy: Policy, train_set: ExampleSet, seeds: int) -> None:
    """Rank the table as it is before the first presentation, to see that it can be ranked.

    A function is not called: it may need the values that only training brings.
    """
    table = merge([Recorder(train_set.ids, history=True).table()] * seeds)
    needed_columns(policy, table.schema)
    if callable(policy.by):
        return
    scores = score(table, policy.by)
    if not isinstance(policy.by, str) and policy.never_learned == "keep":
        decided_before(table, scores, policy)  # an array lacks the same scores after training


def record_full(
    train_set: ExampleSet,
    test_set: ExampleSet,
    settings: Settings,
    seeds: Sequence[int],
    *,
    content: str,
    folder: Path | None,
    on_epoch: Callable[[str, int], Callable[[int], None] | None],
) -> tuple[list[Run], pa.Table]:
    """Train on the full set with every seed, recording.

    Args:
        train_set, test_set, settings, folder: see :func:`run_experiment`.
        seeds: one model per seed.
        content: the fingerprint of the training set, for the table's metadata.
        on_epoch: (arm, seed) -> the callback of that training.

    Returns:
        One run per seed, and the merged example table with the fingerprint, in the
        order of ``train_set``.
    """
    runs, tables = [], []
    for seed in seeds:
        run, table = run_arm(
            "full",
            seed,
            train_set,
            test_set,
            settings,
            recorder=Recorder(train_set.ids, history=True),
            folder=folder,
            on_epoch=on_epoch("full", seed),
        )
        runs.append(run)
        tables.append(table)
    merged = merge([table for table in tables if table is not None])
    return runs, annotate(merged, fingerprint=content, class_names=train_set.class_names)


class _Work:
    """How far an experiment is: a training on a smaller set counts as its share of a full one."""

    def __init__(
        self,
        cost: dict[str, float],
        count: int,
        settings: Settings,
        on_progress: OnProgress | None,
    ) -> None:
        self._cost = cost
        self._total = count * sum(cost.values())
        self._epochs = settings.epochs
        self._on_progress = on_progress
        self._done: dict[tuple[str, int], float] = {}

    def on_epoch(self, arm: str, seed: int) -> Callable[[int], None] | None:
        """The callback of one training: the number of its epochs that are done."""
        report = self._on_progress
        if report is None:
            return None

        def on_epoch(epoch: int) -> None:
            self._done[arm, seed] = self._cost[arm] * epoch / self._epochs
            report(f"{arm}, seed {seed}", sum(self._done.values()), self._total)

        return on_epoch
