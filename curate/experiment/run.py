"""One training run of a comparison, kept on disk so that it is trained once."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from curate.data import ExampleSet, as_example_set
from curate.errors import CurateError
from curate.record import Recorder
from curate.table import annotate, metadata, read, write
from curate.threads import threads_for
from curate.train._train import predict, train
from curate.train.settings import Settings


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """The result of training one arm with one seed.

    Attributes:
        arm: "full", "pruned" or "random".
        seed: of weights, order and augmentation.
        right: (m,) bool, which test examples the model gets right.
        train_size: examples trained on.
        seconds: that training took.
    """

    arm: str
    seed: int
    right: np.ndarray
    train_size: int
    seconds: float

    @property
    def accuracy(self) -> float:
        """Fraction of the test examples that the model gets right."""
        return float(self.right.mean())

    @property
    def table(self) -> pa.Table:
        """One row: arm, seed, accuracy (0..1), train_size (examples), seconds."""
        row = {
            "arm": self.arm,
            "seed": self.seed,
            "accuracy": self.accuracy,
            "train_size": self.train_size,
            "seconds": self.seconds,
        }
        return pa.Table.from_pylist([row])

    def __repr__(self) -> str:
        trained = f"{self.train_size:,} examples, {self.seconds:.1f} s"
        return f"Run({self.arm!r}, seed {self.seed}: accuracy {self.accuracy:.2%}; {trained})"


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
        folder: results are kept there; a finished run with the same data and settings is not
            trained again, and an interrupted one is resumed from its last epoch.
        on_epoch: called with the number of epochs done.

    Returns:
        The run, and the recorder's table where there is one.
    """
    train_set = as_example_set(train_set, name="train_set")
    test_set = as_example_set(test_set, like=train_set, name="test_set")
    if test_set.class_names != train_set.class_names:
        raise CurateError(
            "test_set: its classes are not those of the training set; load both with curate.data"
        )
    key = _key(settings, seed, train_set, test_set, rows, recorder)
    files = None if folder is None else _RunFiles(Path(folder), arm, seed)
    finished = None if files is None else _finished(files, key)
    if finished is not None:
        if on_epoch is not None:
            on_epoch(settings.epochs)
        return finished
    values, labels = train_set.arrays()
    ids = train_set.ids
    if rows is not None:
        values, labels = values[torch.from_numpy(rows)], labels[torch.from_numpy(rows)]
        ids = ids[rows] if isinstance(ids, np.ndarray) else [ids[i] for i in rows.tolist()]
    start = time.perf_counter()
    with threads_for(settings.batch_size, values[0].numel()):
        trained = train(
            values,
            labels,
            _classes(train_set),
            settings,
            seed,
            ids=torch.as_tensor(ids) if isinstance(ids, np.ndarray) else ids,
            recorder=recorder,
            checkpoint=None if files is None else files.checkpoint(key),
            on_epoch=on_epoch,
        )
    seconds = time.perf_counter() - start
    test_values, test_labels = test_set.arrays()
    right = (predict(trained, test_values) == test_labels).numpy()
    run = Run(arm, seed, right, len(values), seconds)
    table = None if recorder is None else recorder.table()
    if files is not None:
        _keep(files, key, run, test_set, table)
    return run, table


def _classes(dataset: ExampleSet) -> int:
    if dataset.class_names is not None:
        return len(dataset.class_names)
    return int(dataset.labels.max()) + 1


def _key(
    settings: Settings,
    seed: int,
    train_set: ExampleSet,
    test_set: ExampleSet,
    rows: np.ndarray | None,
    recorder: Recorder | None,
) -> str:
    """A hash of everything that the result depends on."""
    digest = hashlib.sha256(json.dumps([asdict(settings), seed, repr(recorder)]).encode())
    for dataset in (train_set, test_set):
        values, labels = dataset.arrays()
        ids = np.asarray(dataset.ids).tolist()
        digest.update(repr((tuple(values.shape), str(values.dtype), ids)).encode())
        digest.update(values.contiguous().numpy().data)
        digest.update(labels.contiguous().numpy().data)
    digest.update(b"all" if rows is None else rows.astype(np.int64).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class _RunFiles:
    """Where a run's files lie in the folder of a comparison."""

    folder: Path
    arm: str
    seed: int

    @property
    def table(self) -> Path:
        return self.folder / "seeds" / f"seed={self.seed}" / "examples.parquet"

    @property
    def tested(self) -> Path:
        return self.folder / "tested" / f"arm={self.arm}" / f"seed={self.seed}.parquet"

    def checkpoint(self, key: str) -> Path:
        return self.folder / "checkpoints" / f"{self.arm}-{self.seed}-{key[:16]}.pt"


def _finished(files: _RunFiles, key: str) -> tuple[Run, pa.Table | None] | None:
    """The run kept in these files, if it is the one asked for."""
    if not files.tested.exists():
        return None
    tested = read(files.tested, ["example_id", "right"])
    facts = metadata(tested).get("run", {})
    recorded = facts.get("recorded")
    if facts.get("key") != key or (recorded and not files.table.exists()):
        return None
    right = tested["right"].to_numpy()
    run = Run(files.arm, files.seed, right, facts["train_size"], facts["seconds"])
    return run, read(files.table) if recorded else None


def _keep(
    files: _RunFiles, key: str, run: Run, test_set: ExampleSet, table: pa.Table | None
) -> None:
    if table is not None:
        write(table, files.table)
    ids: Sequence[Any] = list(test_set.ids)
    tested = pa.table({"example_id": pa.array(ids), "right": pa.array(run.right)})
    facts = {
        "key": key,
        "train_size": run.train_size,
        "seconds": run.seconds,
        "recorded": table is not None,
    }
    write(annotate(tested, run=facts), files.tested)
    files.checkpoint(key).unlink(missing_ok=True)
