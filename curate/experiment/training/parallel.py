"""Independent runs on all cores of this machine, or on many machines, by joblib."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from curate.data import ExampleSet
from curate.experiment.training.job import Job, Run
from curate.experiment.training.run import OutOfTimeError, train_job
from curate.experiment.training.trainers import ReferenceTrainer, TrainFunction
from curate.train.batches import batches_in

Finished = tuple[Run, pa.Table | None]

OnProgress = Callable[[str, float, float], None]
"""Called with what is trained ("pruned, seed 2"), the work done, and the work in all."""


@dataclass
class Progress:
    """How much of the work is done; a training on half of the set is half a unit of it.

    Attributes:
        report: who wants to know.
        total: the work in all, as far as it is known by now.
    """

    report: OnProgress | None = None
    total: float = 0.0
    _done: dict[tuple[str, int], float] = field(default_factory=dict)

    @property
    def done(self) -> float:
        """The work that is done."""
        return sum(self._done.values())

    def at(self, job: Job, amount: float) -> None:
        """So much of a job is done."""
        if self._done.get((job.arm, job.seed)) == amount:
            return
        self._done[job.arm, job.seed] = amount
        if self.report is not None:
            self.report(f"{job.arm}, seed {job.seed}", self.done, max(self.total, self.done))


@dataclass(frozen=True, eq=False)
class Lab:
    """Where jobs are trained and tested, each at most once.

    Jobs are spread by joblib: over one process for each core, with one thread each, unless
    ``joblib.parallel_config`` says otherwise; ``parallel_config("sequential")`` keeps them in
    this process. On a machine with a GPU they run one after the other unless it says so.

    Attributes:
        trainer: with what.
        train_set, test_set: what jobs train on and answer for.
        folder, content: see :func:`train_job`.
        deadline: as of ``time.time()``; what is not finished by then is left out.
        progress: hears of every run, and in this process of every epoch.
    """

    trainer: TrainFunction
    train_set: ExampleSet
    test_set: ExampleSet
    folder: Path | None = None
    content: str = ""
    deadline: float | None = None
    progress: Progress = field(default_factory=Progress)

    def cost(self, job: Job) -> float:
        """Of a job, where a training on the whole set is 1."""
        return 1.0 if job.rows is None or job.steps else len(job.rows) / len(self.train_set)

    def run(self, jobs: Sequence[Job]) -> list[Finished | None]:
        """Train the jobs; None for those that were not finished before the deadline."""
        on_gpu = torch.cuda.is_available()
        if isinstance(self.trainer, ReferenceTrainer):
            on_gpu = self.trainer.settings.device != "cpu"
        workers = min(workers_for(on_gpu), len(jobs))
        if workers <= 1:
            return [self._here(job) for job in jobs]
        self.train_set.arrays(), self.test_set.arrays()  # decoded once, not in every process
        away = replace(self, progress=Progress())
        finished: list[Finished | None] = [None] * len(jobs)
        for number, result in spread(away.attempt, jobs, workers):
            finished[number] = result
            if result is not None:
                self.progress.at(jobs[number], self.cost(jobs[number]))
        return finished

    def _here(self, job: Job) -> Finished | None:
        cost, passes = self.cost(job), self.passes(job)

        def on_epoch(epoch: int) -> None:
            self.progress.at(job, cost * min(1.0, epoch / passes))

        result = self.attempt(job, on_epoch)
        if result is not None:
            self.progress.at(job, cost)
        return result

    def attempt(self, job: Job, on_epoch: Callable[[int], None] | None = None) -> Finished | None:
        """Train one job in this process; None where the deadline came first."""
        try:
            return train_job(
                job,
                self.trainer,
                self.train_set,
                self.test_set,
                folder=self.folder,
                content=self.content,
                on_epoch=on_epoch,
                deadline=self.deadline,
            )
        except OutOfTimeError:
            return None

    def passes(self, job: Job) -> float:
        """How often the training goes over its examples; 1 where that is not known."""
        if not isinstance(self.trainer, ReferenceTrainer):
            return 1.0
        settings = replace(self.trainer.settings, steps=job.steps or self.trainer.settings.steps)
        examples = len(self.train_set) if job.rows is None else len(job.rows)
        return settings.steps_for(examples) / batches_in(examples, settings.batch_size)


def workers_for(on_gpu: bool) -> int:
    """How many processes joblib shall take: one a core, one with a GPU, or what it was told."""
    from joblib import cpu_count
    from joblib.parallel import get_active_backend

    backend, workers = get_active_backend()
    if workers is not None:
        return backend.effective_n_jobs(workers)
    return 1 if on_gpu else backend.effective_n_jobs(cpu_count())


def spread(
    function: Callable[[Any], Any], items: Sequence[Any], workers: int
) -> Iterator[tuple[int, Any]]:
    """The number of every item and what the function returns for it, as they are finished."""
    import joblib
    from joblib.parallel import get_active_backend

    tasks = (joblib.delayed(_numbered)(function, *item) for item in enumerate(items))
    backend, _ = get_active_backend()
    one_by_one = backend.supports_return_generator  # Ray's and Spark's backends do not
    order = "generator_unordered" if one_by_one else "list"
    results = joblib.Parallel(n_jobs=workers, return_as=order, mmap_mode="c")(tasks)
    with closing(results) if one_by_one else nullcontext():
        yield from results


def _numbered(function: Callable[[Any], Any], number: int, item: Any) -> tuple[int, Any]:
    return number, function(item)


def train_all(lab: Lab, jobs: Sequence[Job]) -> tuple[list[Run], list[pa.Table]]:
    """The runs of jobs that have no deadline, and the tables of those that were recorded."""
    outcomes = [outcome for outcome in lab.run(jobs) if outcome is not None]
    return [run for run, _ in outcomes], [table for _, table in outcomes if table is not None]
