"""One training run of an experiment."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curate.data import ExampleSet, as_example_set
from curate.data.ids import take_ids
from curate.errors import CurateError
from curate.experiment.training.job import Job, Run
from curate.experiment.training.kept import RunFiles, finished_run, keep_run, run_key
from curate.experiment.training.trainers import ReferenceTrainer, TrainFunction
from curate.record import Recorder
from curate.train import Settings


class OutOfTimeError(Exception):
    """A run was not finished before its deadline."""


def train_job(
    job: Job,
    trainer: TrainFunction,
    train_set: ExampleSet,
    test_set: ExampleSet,
    *,
    folder: Path | None = None,
    content: str = "",
    recorder: Recorder | None = None,
    on_epoch: Callable[[int], None] | None = None,
    deadline: float | None = None,
) -> tuple[Run, pa.Table | None]:
    """Train and test one model, or take the finished run out of the folder.

    Args:
        job: what to train.
        trainer: with what.
        train_set, test_set: what ``job.rows`` index, and what the model answers for.
        folder: results and weights are kept there; a finished run with the same data, trainer
            and job is not trained again, and one of the library's own trainer that was
            interrupted is resumed from its last epoch.
        content: a hash of both sets, :func:`content_of`, where there is a folder.
        recorder: records the training if ``job.record``; a new one with history where None.
        on_epoch: called with the number of epochs done, by the library's own trainer.
        deadline: as of ``time.time()``; the run ends with its last epoch before.

    Returns:
        The run, and the recorder's table where ``job.record``.

    Raises:
        OutOfTimeError: the deadline came first.
        CurateError: a trainer that returns something else than one bool per test example.
    """
    rows = np.arange(len(train_set.ids)) if job.rows is None else job.rows
    if job.record and recorder is None:
        ids = take_ids(train_set.ids, rows)
        recorder = Recorder(ids, history=True, also=job.also, window=job.window)
    files = None if folder is None else RunFiles(folder, job.arm, job.seed)
    key = run_key(job, trainer, content, recorder) if files is not None else ""
    finished = None if files is None else finished_run(files, key)
    if finished is not None and files is not None:
        files.checkpoint(key).unlink(missing_ok=True)  # of a process killed after its last write
        if on_epoch is not None and isinstance(trainer, ReferenceTrainer):
            on_epoch(trainer.settings.epochs)
        return finished
    if deadline is not None and time.time() > deadline:
        raise OutOfTimeError
    start = time.perf_counter()
    steps, not_finite = job.steps, 0
    if isinstance(trainer, ReferenceTrainer):
        trained = trainer.fit(
            job.rows,
            job.seed,
            recorder,
            steps=job.steps,
            checkpoint=None if files is None else files.checkpoint(key),
            on_epoch=_until(deadline, on_epoch),
        )
        seconds = time.perf_counter() - start
        right, not_finite = trainer.test(trained, test_set)
        steps = job.steps or trainer.settings.steps_for(len(rows))
        if files is not None:
            trainer.save(trained, files.weights)
    else:
        counted = None if recorder is None else _count_updates(recorder)
        right = _checked(
            trainer(rows, job.seed, recorder, on=test_set, steps=job.steps), len(test_set.ids)
        )
        seconds = time.perf_counter() - start
        steps = counted[0] if counted is not None else job.steps
    run = Run(job.arm, job.seed, right, len(rows), seconds, steps, not_finite)
    table = None if recorder is None else recorder.table()
    if files is not None:
        keep_run(files, key, run, test_set, table)
    return run, table


def run_arm(
    arm: str,
    seed: int,
    train_set: Any,
    test_set: Any,
    settings: Settings,
    *,
    rows: np.ndarray | None = None,
    recorder: Recorder | None = None,
    folder: str | os.PathLike[str] | None = None,
    on_epoch: Callable[[int], None] | None = None,
) -> tuple[Run, pa.Table | None]:
    """Train one model on some rows of the training set, and test it.

    Args:
        arm: a name, see :class:`Run`.
        seed: of weights, order and augmentation.
        train_set, test_set: any labelled data set, see :func:`curate.data.as_example_set`.
        settings: how to train.
        rows: (N,) int positions in the training set; all where None.
        recorder: records the training; its table is returned.
        folder: results and weights are kept there; a finished run with the same data and settings
            is not trained again, and an interrupted one is resumed from its last epoch.
        on_epoch: called with the number of epochs done.

    Returns:
        The run, and the recorder's table where there is one.
    """
    train_set, test_set = as_pair(train_set, test_set)
    job = Job(arm, seed, None if rows is None else np.asarray(rows, np.int64), recorder is not None)
    return train_job(
        job,
        ReferenceTrainer(train_set, settings),
        train_set,
        test_set,
        folder=None if folder is None else Path(folder),
        content="" if folder is None else content_of(train_set, test_set),
        recorder=recorder,
        on_epoch=on_epoch,
    )


def as_pair(train_set: Any, test_set: Any) -> tuple[ExampleSet, ExampleSet]:
    """Both as example sets of the same classes and shape.

    Raises:
        CurateError: sets that do not fit together.
    """
    train_set = as_example_set(train_set, name="train_set")
    test_set = as_example_set(test_set, like=train_set, name="test_set")
    if test_set.class_names != train_set.class_names:
        raise CurateError(
            "test_set: its classes are not those of the training set; load both with curate.data"
        )
    return train_set, test_set


def content_of(*datasets: ExampleSet) -> str:
    """A hash of every value, label and id."""
    digest = hashlib.sha256()
    for dataset in datasets:
        values, labels = dataset.arrays()
        ids = np.asarray(dataset.ids).tolist()
        digest.update(repr((tuple(values.shape), str(values.dtype), ids)).encode())
        digest.update(values.contiguous().numpy().data)
        digest.update(labels.contiguous().numpy().data)
    return digest.hexdigest()


def _until(
    deadline: float | None, on_epoch: Callable[[int], None] | None
) -> Callable[[int], None] | None:
    """The callback, which ends the training where the next epoch would end after the deadline."""
    if deadline is None:
        return on_epoch
    last = time.time()

    def checked(epoch: int) -> None:
        nonlocal last
        if on_epoch is not None:
            on_epoch(epoch)
        now = time.time()
        if now + (now - last) > deadline:
            raise OutOfTimeError
        last = now

    return checked


def _count_updates(recorder: Recorder) -> list[int]:
    """A list whose one number is how often ``recorder.update`` was called since."""
    count, update = [0], recorder.update

    def counting(*args: Any, **kwargs: Any) -> Any:
        count[0] += 1
        return update(*args, **kwargs)

    recorder.update = counting  # type: ignore[method-assign]
    return count


def _checked(answer: Any, size: int) -> np.ndarray:
    right = np.asarray(answer)
    if right.dtype != bool or right.shape != (size,):
        raise CurateError(
            f"train: it returned {right.dtype} of shape {right.shape}; return bool of shape "
            f"({size},), True where the model is right on an example of on="
        )
    return right
