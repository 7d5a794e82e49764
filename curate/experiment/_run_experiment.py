"""Record, choose, retrain, compare: the whole experiment behind ``curate run``."""

import os
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from curate.data import fingerprint
from curate.errors import CurateError
from curate.experiment.comparison import Comparison, arms_of, check_margin
from curate.experiment.result import Experiment
from curate.experiment.search.candidates import check_by
from curate.experiment.search.looks import plan_of, take_look
from curate.experiment.training.job import Job
from curate.experiment.training.parallel import Lab, OnProgress, Progress, train_all
from curate.experiment.training.run import as_pair, content_of
from curate.experiment.training.trainers import ReferenceTrainer, default_settings
from curate.pruning import prune
from curate.pruning.counts import round_half_up
from curate.pruning.policy import make_policy
from curate.scores.registry import By
from curate.table import annotate, merge, write
from curate.train import Settings


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
    train_set, test_set = as_pair(train_set, test_set)
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
    check_by(policy, train_set, count)
    if settings is None:
        settings = default_settings(train_set)
    folder = None if folder is None else Path(folder).absolute()  # workers may be elsewhere
    kept = round_half_up(policy.share(len(train_set)) * len(train_set))
    work = count * (1 + 2 * kept / len(train_set))
    lab = Lab(
        ReferenceTrainer(train_set, settings),
        train_set,
        test_set,
        folder,
        "" if folder is None else content_of(train_set, test_set),
        progress=Progress(on_progress, work),
    )
    full, tables = train_all(lab, [Job("full", seed, record=True) for seed in range(count)])
    table = annotate(merge(tables), fingerprint=content, class_names=train_set.class_names)
    if folder is not None:
        write(table, folder / "examples.parquet")
    selection = prune(table, keep, by, strategy, **choices, **options)
    if folder is not None:
        selection.save(folder / "selection.parquet")
    plan = plan_of(lab, selection.policy, count, margin)
    look = take_look(folder, fingerprint(test_set), plan)
    others, _ = train_all(lab, arms_of(selection, range(count)))
    comparison = Comparison([*full, *others], margin, test_set.labels, look)
    return Experiment(comparison, selection, table, settings, folder)
