"""Finished runs on disk: each is trained once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curate.data import ExampleSet
from curate.experiment.training.job import Job, Run
from curate.experiment.training.trainers import TrainFunction, identity_of
from curate.record import Recorder
from curate.table import annotate, metadata, read, write
from curate.train import model_path


def run_key(job: Job, trainer: TrainFunction, content: str, recorder: Recorder | None) -> str:
    """A hash of everything that the result depends on."""
    facts = [identity_of(trainer), job.seed, repr(recorder), job.steps, content]
    digest = hashlib.sha256(repr(facts).encode())
    digest.update(b"all" if job.rows is None else job.rows.astype(np.int64).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class RunFiles:
    """Where a run's files lie in the folder of an experiment."""

    folder: Path
    arm: str
    seed: int

    @property
    def table(self) -> Path:
        """The recorded table; the arms of one seed share it."""
        return self.folder / "seeds" / f"seed={self.seed}" / "examples.parquet"

    @property
    def tested(self) -> Path:
        """Which test examples were right, and what the run was."""
        return self.folder / "tested" / f"arm={self.arm}" / f"seed={self.seed}.parquet"

    @property
    def weights(self) -> Path:
        """The trained model."""
        return model_path(self.folder, self.arm, self.seed)

    def checkpoint(self, key: str) -> Path:
        """Of a training that is not finished."""
        return self.folder / "checkpoints" / f"{self.arm}-{self.seed}-{key[:16]}.pt"


def finished_run(files: RunFiles, key: str) -> tuple[Run, pa.Table | None] | None:
    """The run kept in these files, if it is the one asked for."""
    if not files.tested.exists():
        return None
    tested = read(files.tested, ["example_id", "right"])
    facts = metadata(tested).get("run", {})
    recorded = facts.get("recorded")
    if facts.get("key") != key or (recorded and recorded != _hash_file(files.table)):
        return None
    names = ("train_size", "seconds", "steps", "not_finite")
    run = Run(files.arm, files.seed, tested["right"].to_numpy(), *(facts[name] for name in names))
    return run, read(files.table) if recorded else None


def _hash_file(path: Path) -> str | None:
    """Of its bytes; None where there is no such file. Arms of one seed share their table's path."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def keep_run(
    files: RunFiles, key: str, run: Run, test_set: ExampleSet, table: pa.Table | None
) -> None:
    """Write the table, then what makes the run a finished one; its checkpoint goes."""
    if table is not None:
        write(table, files.table)
    ids: Sequence[Any] = list(test_set.ids)
    tested = pa.table({"example_id": pa.array(ids), "right": pa.array(run.right)})
    facts = {
        "key": key,
        "train_size": run.train_size,
        "seconds": run.seconds,
        "steps": run.steps,
        "not_finite": run.not_finite,
        "recorded": None if table is None else _hash_file(files.table),
    }
    write(annotate(tested, run=facts), files.tested)
    files.checkpoint(key).unlink(missing_ok=True)
