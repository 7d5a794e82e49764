"""Scores of each example by models that did not train on it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from curate.data import ExampleSet, as_example_set, fingerprint
from curate.errors import CurateError
from curate.experiment.training.trainers import default_settings
from curate.record import Recorder
from curate.table import annotate, describe, hash_ids
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

    Args:
        dataset: any labelled data set, see :func:`curate.data.as_example_set`.
        settings: how to train; the defaults for these examples where None.
        folds: K models a seed, each trained on (K - 1) / K of the examples.
        seeds: how many times over, each with folds, weights and order of its own.
        on_progress: called after every epoch with what is trained, such as "fold 2, seed 0", the
            work done and the work in all, both in trainings.

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
    recorder = Recorder(examples.ids)
    done = 0
    for seed in range(seeds):
        fold_of = _deal(examples, folds, seed)
        for fold in range(folds):
            what = f"fold {fold}, seed {seed}"

            def on_epoch(epoch: int, done: int = done, what: str = what) -> None:
                if on_progress is not None:
                    on_progress(what, done + epoch / settings.epochs, folds * seeds)

            _record_fold(examples, fold_of == fold, settings, seed, recorder, on_epoch)
            done += 1
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


def _record_fold(
    examples: ExampleSet,
    held_out: np.ndarray,
    settings: Settings,
    seed: int,
    recorder: Recorder,
    on_epoch: Callable[[int], None],
) -> None:
    """Train on all examples but those held out, and record what the model says of these."""
    values, labels = examples.arrays()
    apart = torch.from_numpy(held_out)
    names = examples.class_names
    classes = int(examples.labels.max()) + 1 if names is None else len(names)
    with threads_for(settings.batch_size, values[0].numel()):
        trained = train(values[~apart], labels[~apart], classes, settings, seed, on_epoch=on_epoch)
        for rows in apart.nonzero().squeeze(1).split(512):
            ids = [examples.ids[row] for row in rows.tolist()]
            recorder.update(ids, logits_of(trained, values[rows]), labels[rows])


def _columns(recorded: pa.Table) -> pa.Table:
    columns = {"example_id": recorded["example_id"]}
    columns |= {name: recorded[source] for name, source in _COLUMNS.items()}
    correct = recorded["correct"].to_numpy() / recorded["presentations"].to_numpy()
    columns["cross_fitted_correct"] = pa.chunked_array([correct])
    return describe(pa.table(columns))
