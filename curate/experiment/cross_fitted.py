"""Scores of each example by models that did not train on it."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from curate.data import ExampleSet, as_example_set, fingerprint
from curate.errors import CurateError
from curate.experiment.training.parallel import spread, workers_for
from curate.experiment.training.run import content_of
from curate.experiment.training.trainers import classes_of, default_settings
from curate.record import Recorder
from curate.table import annotate, describe, hash_ids, metadata, read, write
from curate.threads import threads_for
from curate.train import Settings, logits_of, train

_COLUMNS = {
    "cross_fitted_margin": "margin_mean",
    "cross_fitted_confidence": "confidence_mean",
    "cross_fitted_el2n": "el2n_mean",
}
"""Columns, and the column of a Recorder that saw each example once a seed, held out."""


def cross_fitted_table(
    dataset: Any,
    *,
    settings: Settings | None = None,
    folds: int = 5,
    seeds: int = 1,
    folder: str | os.PathLike[str] | None = None,
    on_progress: Callable[[str, float, float], None] | None = None,
) -> pa.Table:
    """What models that did not train on an example predict for it, when they are trained.

    For each seed the examples are dealt to folds, class by class in the order of a hash of their
    ids, so that each fold has its share of each class whatever the order of the examples. For each
    fold a model is trained on the others, and asked about it in evaluation mode. Join the result
    to the example table with :func:`curate.join`: its columns are then scores, such as
    ``by="cross_fitted_margin"``.

    A score taken while training on a mislabelled example sinks once its label is learned by
    heart; here it cannot be.

    The models are independent: joblib trains one a core at a time, with one thread each, or as
    ``joblib.parallel_config`` says.

    Args:
        dataset: any labelled data set, see :func:`curate.data.as_example_set`.
        settings: how to train; the defaults for these examples where None.
        folds: K models a seed, each trained on (K - 1) / K of the examples.
        seeds: how many times over, each with folds, weights and order of its own.
        folder: what every model says is kept there, and not asked again of the same data and
            settings, so that a call that was stopped goes on where it was.
        on_progress: called after every model, and in this process after every epoch, with what
            is trained, such as "fold 2, seed 0", the work done and the work in all, both in
            trainings.

    Returns:
        One row per example, in the order of the data set: ``example_id``, and means over seeds,
        float64: ``cross_fitted_margin`` (logits), ``cross_fitted_confidence`` (probability of the
        label), ``cross_fitted_el2n`` (the three null where no logits were finite), and
        ``cross_fitted_correct`` (share of the seeds, 0..1).

    Raises:
        CurateError: fewer than 2 folds, more folds than there are examples for, no seed, or a data
            set that cannot be used.
    """
    content = fingerprint(dataset)
    examples = as_example_set(dataset, name="dataset")
    _check_count("folds", folds, 2, "folds")
    _check_count("seeds", seeds, 1, "times to go over the folds")
    if len(examples) < 2 * folds:
        raise CurateError(f"folds: {folds} of {len(examples)} examples; give at most half as many")
    if settings is None:
        settings = default_settings(examples)
    tasks = [(fold, seed) for seed in range(seeds) for fold in range(folds)]
    place = None if folder is None else Path(folder).absolute()  # workers may be elsewhere
    asking = _Asking(
        examples, settings, folds, place, "" if place is None else content_of(examples)
    )
    logits = _asked(asking, tasks, on_progress)
    recorder = Recorder(examples.ids)
    labels = examples.arrays()[1]
    for task, of_fold in zip(tasks, logits, strict=True):
        rows = asking.rows(task)
        ids = [examples.ids[row] for row in rows.tolist()]
        recorder.update(ids, torch.from_numpy(of_fold), labels[torch.from_numpy(rows)])
    about = {"folds": folds, "seeds": seeds, "settings": settings.to_dict()}
    return annotate(_columns(recorder.table()), fingerprint=content, cross_fitted=about)


def _check_count(name: str, value: object, least: int, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise CurateError(f"{name}: {value!r}; give a number of {what}, at least {least}")


def _deal(examples: ExampleSet, folds: int, seed: int) -> np.ndarray:
    """The fold of every example: all are dealt in the order of class and of the id's hash."""
    ids = examples.ids if isinstance(examples.ids, np.ndarray) else pa.array(examples.ids)
    order = np.lexsort((hash_ids(ids, seed=seed, purpose="random"), examples.labels))
    fold_of = np.empty(len(examples), np.int64)
    fold_of[order] = np.arange(len(examples)) % folds
    return fold_of


@dataclass(frozen=True, eq=False)
class _Asking:
    """What every model is trained on and asked about."""

    examples: ExampleSet
    settings: Settings
    folds: int
    folder: Path | None
    content: str

    def rows(self, task: tuple[int, int]) -> np.ndarray:
        """Positions of the examples of a fold."""
        fold, seed = task
        return np.flatnonzero(_deal(self.examples, self.folds, seed) == fold)

    def __call__(
        self, task: tuple[int, int], on_epoch: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """The logits (rows, C) float32 of a fold, by a model trained on the others."""
        fold, seed = task
        if self.folder is None:
            return self.train(task, on_epoch)
        path = self.folder / "folds" / f"seed={seed}" / f"fold={fold}.parquet"
        classes = classes_of(self.examples)
        facts = [sorted(self.settings.to_dict().items()), self.content, classes, self.folds, *task]
        key = hashlib.sha256(repr(facts).encode()).hexdigest()
        if path.exists():
            kept = read(path, ["logits"])
            if metadata(kept).get("cross_fitted") == key:
                flat = kept["logits"].combine_chunks().flatten().to_numpy()
                return flat.reshape(len(kept), -1).astype(np.float32)
        logits = self.train(task, on_epoch)
        ids = [self.examples.ids[row] for row in self.rows(task).tolist()]
        table = pa.table({"example_id": pa.array(ids), "logits": pa.array(list(logits))})
        write(annotate(table, cross_fitted=key), path)
        return logits

    def train(
        self, task: tuple[int, int], on_epoch: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """Train on all examples but those of the fold, and ask about these."""
        values, labels = self.examples.arrays()
        rows = torch.from_numpy(self.rows(task))
        others = torch.ones(len(labels), dtype=torch.bool)
        others[rows] = False
        classes = classes_of(self.examples)
        with threads_for(self.settings.batch_size, values[0].numel()):
            trained = train(
                values[others], labels[others], classes, self.settings, task[1], on_epoch=on_epoch
            )
            return logits_of(trained, values[rows]).float().cpu().numpy()


def _asked(
    asking: _Asking,
    tasks: list[tuple[int, int]],
    on_progress: Callable[[str, float, float], None] | None,
) -> list[np.ndarray]:
    """The logits of every fold, here one after the other or spread by joblib."""

    def report(number: int, done: float) -> None:
        if on_progress is not None:
            fold, seed = tasks[number]
            on_progress(f"fold {fold}, seed {seed}", done, len(tasks))

    workers = min(workers_for(asking.settings.device != "cpu"), len(tasks))
    if workers <= 1:

        def here(number: int) -> np.ndarray:
            epochs = asking.settings.epochs
            return asking(tasks[number], lambda epoch: report(number, number + epoch / epochs))

        return [here(number) for number in range(len(tasks))]
    asking.examples.arrays()  # decoded once, not in every process
    logits = [np.empty(0)] * len(tasks)
    for done, (number, answer) in enumerate(spread(asking, tasks, workers), start=1):
        logits[number] = answer
        report(number, done)
    return logits


def _columns(recorded: pa.Table) -> pa.Table:
    columns = {"example_id": recorded["example_id"]}
    columns |= {name: recorded[source] for name, source in _COLUMNS.items()}
    correct = recorded["correct"].to_numpy() / recorded["presentations"].to_numpy()
    columns["cross_fitted_correct"] = pa.chunked_array([correct])
    return describe(pa.table(columns))
