"""Find the smallest training set that does, and certify it: the search behind ``curate run``."""

import math
import os
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from curate.data import ExampleSet, as_example_set, fingerprint, held_out, load
from curate.errors import CurateError
from curate.experiment.comparison import check_margin
from curate.experiment.search.candidates import candidates_for, check_candidate
from curate.experiment.search.certifying import Certified, certify
from curate.experiment.search.looks import plan_of, take_look
from curate.experiment.search.on_validation import (
    HELD_OUT,
    certifying_cost,
    choose_on_validation,
    counts_around,
    merged_table,
    steps_of,
)
from curate.experiment.search.result import SmallestSet
from curate.experiment.training.job import Run
from curate.experiment.training.parallel import Lab, OnProgress, Progress
from curate.experiment.training.run import as_pair, content_of
from curate.experiment.training.trainers import ReferenceTrainer, TrainFunction, default_settings
from curate.pruning.counts import keep_fraction, round_half_up
from curate.table import annotate, write
from curate.train import Settings

_FEWEST = 20  # examples of which a part can be held out and the rest be pruned
_SMALL_TEST = 2_000  # examples; a smaller test set gets twice the seeds


def smallest_set(
    dataset: Any,
    test: Any = None,
    *,
    margin: float = 0.01,
    by: Any = "auto",
    sizes: Literal["auto"] | Sequence[int | float] = "auto",
    seeds: int | None = None,
    protocol: Literal["epochs", "steps"] = "epochs",
    train: TrainFunction | None = None,
    settings: Settings | None = None,
    proxy: Settings | TrainFunction | None = None,
    stratify: Literal["label"] | None = "label",
    budget: float | str | None = None,
    folder: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
) -> SmallestSet:
    """How small can this training set get, and what is that shown to cost?

    1. *Choose*, on a fifth of the training set that is held out (stratified, by a hash of the
       ids), never on the test set: models are recorded on the rest, and a search finds the score
       and strategy that give the smallest set whose mean loss over three seeds is within half the
       margin (the certificate has to pay for what the test set leaves open). It takes a third of
       all training at most.
    2. *Fix* the score and three sizes: that one, a larger and a smaller.
    3. *Certify* on the test set, with fresh seeds for all arms, ranking by tables of the whole
       training set: from the largest size down, each at the full level, until the first that is
       not shown to be within the margin. Every size has an arm of random examples.

    What is certified holds for new test examples and new seeds, see
    :func:`curate.stats.certificate`. Every certificate on a test set is a *look* at it, counted
    in the folder: the first is at 4 %, later ones at less, so that all together claim falsely in
    5 % at most.

    Args:
        dataset: the training set: a name or path for :func:`curate.data.load`, or any labelled
            data set, see :func:`curate.data.as_example_set`.
        test: what to certify on. Where None, the set's own test split, or a fifth of ``dataset``.
        margin: accuracy (0..1) that the smaller set may lose.
        by: what to rank by; "auto" searches all scores. Otherwise what :func:`curate.prune` takes,
            a :class:`curate.experiment.Candidate`, or a list of these. An array has one number
            per example of ``dataset``, in its order.
        sizes: shares (floats) or counts (ints) to certify; "auto" searches. Where given, all are
            trained, even after one that is not shown, for the removal curve.
        seeds: models per arm, at least 2; 5 where None, 10 for under 2,000 test examples.
        protocol: "epochs", so that a smaller set takes fewer steps, as its user will train; or
            "steps": all arms take as many as the whole set does, as most papers print.
        train: a training loop of one's own, a :class:`curate.experiment.TrainFunction`; it runs
            in another process. The library's own trainer where None.
        settings: of the library's own trainer; defaults for these examples where None.
        proxy: a cheaper trainer, as settings of the library's own or as a function such as
            ``train``, that records and chooses in its place: a small net, or few epochs
            (Coleman et al., ICLR 2020). What it chose is certified on models of ``train``.
        stratify: "label" keeps the same share of every class.
        budget: seconds, or "20m", "2h": training stops in time, and what is shown by then is said.
        folder: every run and its weights are kept there, and a search that was stopped goes on
            where it was.
        on_progress: called with what is trained, the work done and the work in all.

    Raises:
        CurateError: an argument that cannot be used, before anything is trained.
    """
    start = time.time()
    deadlines = _deadlines(budget, start)
    check_margin(margin)
    if protocol not in ("epochs", "steps"):
        raise CurateError(f"protocol: {protocol!r} is not a protocol; give 'epochs' or 'steps'")
    origin, train_set, test_set = _open(dataset, test)
    if len(train_set) < _FEWEST:
        raise CurateError(f"dataset: {len(train_set)} examples; give at least {_FEWEST} to search")
    count = _seeds(seeds, len(test_set))
    counts = None if isinstance(sizes, str) else _counts(sizes, len(train_set))
    if isinstance(sizes, str) and sizes != "auto":
        raise CurateError(f"sizes: {sizes!r}; give 'auto' or a list of shares, such as [0.5, 0.3]")
    if stratify not in ("label", None):
        raise CurateError(f"stratify: {stratify!r} is not a choice; give 'label' or None")
    if not (isinstance(by, str) and by == "auto"):
        for candidate in candidates_for(pa.table({}), by):
            check_candidate(candidate, 0.5, stratify, train_set)
    if train is None:
        settings = settings or default_settings(train_set)
        trainer = _trainer(settings, train_set, "settings")
    elif settings is not None:
        raise CurateError("settings: they are of the library's own trainer, not of train=")
    else:
        trainer = _trainer(train, train_set, "train")
    recording = trainer if proxy is None else _trainer(proxy, train_set, "proxy")
    folder = None if folder is None else Path(folder).absolute()  # workers may be elsewhere
    progress = Progress(on_progress)

    def annotated(tables: list[pa.Table]) -> pa.Table:
        return annotate(merged_table(tables), fingerprint=origin, class_names=train_set.class_names)

    def equal_steps(runs: Sequence[Run]) -> int | None:
        return steps_of(runs) if protocol == "steps" else None

    choice = choose_on_validation(
        train_set,
        recording,
        by,
        counts,
        tolerance=margin / 2,
        seeds=count,
        protocol=protocol,
        stratify=stratify,
        folder=None if folder is None else folder / "choose",
        deadline=deadlines[0],
        progress=progress,
    )
    content = "" if folder is None else content_of(train_set, test_set)
    lab = Lab(trainer, train_set, test_set, folder, content, deadlines[1], progress)
    ranking = None
    if proxy is not None:
        apart = None if folder is None else folder / "proxy"
        ranking = replace(lab, trainer=recording, folder=apart)
    certified = Certified([], None, obstacle="time ran out before a score was chosen")
    look = None
    if choice.candidate is not None:
        chosen = counts or counts_around(choice.size, len(train_set))
        if proxy is None:  # a proxy says not how long the others take
            count = _seeds_in_time(
                count, chosen, len(train_set), protocol, start, deadlines[1], progress
            )
        cost = certifying_cost(chosen, len(train_set), count, protocol)
        progress.total = progress.done + cost
        look = take_look(
            folder,
            fingerprint(test_set),
            plan_of(
                lab,
                *choice.candidate.facts,
                *(chosen, count, margin, protocol, stratify),
                *([] if ranking is None else [plan_of(ranking)]),
            ),
        )
        certified = certify(
            lab,
            choice.candidate,
            chosen,
            seeds=count,
            margin=margin,
            look=look,
            stratify=stratify,
            ranking=ranking,
            annotated=annotated,
            equal_steps=equal_steps,
            stop=counts is None,
        )
    if folder is not None and certified.table is not None:
        write(certified.table, folder / "examples.parquet")
    result = SmallestSet(
        margin=margin,
        protocol=protocol,
        candidate=choice.candidate,
        proxy=proxy is not None,
        certified=certified,
        look=look,
        search=choice.table,
        examples=len(train_set),
        labels=test_set.labels,
        class_names=test_set.class_names,
        settings=settings,
        folder=folder,
    )
    if folder is not None:
        (folder / "selection.parquet").unlink(missing_ok=True)  # of an earlier search
        if result.selection is not None:
            result.selection.save(folder / "selection.parquet")
    return result


def _trainer(trainer: Settings | TrainFunction, train_set: ExampleSet, name: str) -> TrainFunction:
    if isinstance(trainer, Settings):
        return ReferenceTrainer(train_set, trainer)
    if not callable(trainer):
        raise CurateError(
            f"{name}: {trainer!r} is no trainer; give a function or curate.train.Settings"
        )
    return trainer


def _open(dataset: Any, test: Any) -> tuple[str, ExampleSet, ExampleSet]:
    """The fingerprint of the training set as it was given, and both sets."""
    if isinstance(dataset, str | os.PathLike):
        name = os.fspath(dataset)
        dataset, test = load(name, "train"), load(name, "test") if test is None else test
    if isinstance(test, str | os.PathLike):
        test = load(os.fspath(test), "test")
    if test is not None:
        return fingerprint(dataset), *as_pair(dataset, test)
    whole = as_example_set(dataset)
    out = held_out(whole.labels, whole.ids, round(HELD_OUT * len(whole)))
    train_set = whole.take(np.flatnonzero(~out))
    return fingerprint(train_set), *as_pair(train_set, whole.take(np.flatnonzero(out)))


def _seeds(seeds: int | None, test_examples: int) -> int:
    if seeds is None:
        return 10 if test_examples < _SMALL_TEST else 5
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 2:
        raise CurateError(f"seeds: {seeds!r}; give at least 2 models per arm: one shows nothing")
    return seeds


def _counts(sizes: Sequence[int | float], total: int) -> list[int]:
    """Numbers of examples, from large to small."""
    if not len(sizes):
        raise CurateError("sizes: an empty list; give shares, such as [0.5, 0.3], or 'auto'")
    counts = {round_half_up(keep_fraction(size, total) * total) for size in sizes}
    if min(counts) < 2 or max(counts) >= total:
        raise CurateError(
            f"sizes: {list(sizes)} of {total:,} examples; give sizes of at least 2 and fewer than "
            "all"
        )
    return sorted(counts, reverse=True)


def _deadlines(budget: float | str | None, start: float) -> tuple[float | None, float | None]:
    """When choosing and when everything has to end."""
    if budget is None:
        return None, None
    seconds = budget
    if isinstance(budget, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", budget)
        seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0
    if not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise CurateError(f"budget: {budget!r}; give seconds, or a text such as '20m' or '2h'")
    return start + seconds / 3, start + seconds


def _seeds_in_time(
    seeds: int,
    counts: Sequence[int],
    total: int,
    protocol: str,
    start: float,
    deadline: float | None,
    progress: Progress,
) -> int:
    """So many seeds that certifying ends in time, as far as the search tells; 2 at least."""
    if deadline is None or not progress.done:
        return seeds
    pace = (time.time() - start) / progress.done
    fit = int((deadline - time.time()) / pace / certifying_cost(counts, total, 1, protocol))
    return max(2, min(seeds, fit))
