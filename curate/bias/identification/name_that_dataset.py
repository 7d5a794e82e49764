"""Name That Dataset: which source is an example from? (Torralba & Efros, CVPR 2011)."""

import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from curate.bias.classifiers.fitting import Fit, Inputs, fitter, gathered
from curate.bias.classifiers.permutation import broken_ties, score_with_permuted_labels
from curate.bias.identification.cautions import (
    notes,
    null_alarms,
    shared_examples,
    too_few,
    upside_down,
)
from curate.bias.identification.learning_curve import learning_curve
from curate.bias.identification.null_control import NullControl, null_control
from curate.bias.identification.probabilities import out_of_fold, probability_table
from curate.bias.identification.result import (
    Identification,
    confusion_table,
    left_out_table,
    recall_table,
)
from curate.bias.identification.single_columns import column_alarms, single_columns
from curate.bias.identification.splits import draw_apart, draw_equal, split_folds
from curate.bias.overlap.find import find_overlap
from curate.bias.sources.opening import as_sources
from curate.bias.sources.source import Source
from curate.data.on_ray import Engine, checked_engine
from curate.errors import CurateError
from curate.features import extract, pixels
from curate.stats import binomial_p_value, clopper_pearson, permutation_p_value
from curate.stats.seeds import generator

if TYPE_CHECKING:
    from curate.bias.audit.result import Audit

_SIZE = 64  # pixels a side that a network sees


def name_that_dataset(
    sources: Mapping[str, Any] | Iterable[Any],
    features: Any = "hog+colour",
    *,
    classifier: str | Callable[..., Any] = "linear",
    train_size: int = 1000,
    test_size: int = 300,
    sizes: Sequence[int] | None = None,
    repeats: int = 20,
    folds: int = 5,
    permutations: int = 200,
    controls: bool = True,
    seed: int = 0,
    groups: str | Mapping[str, Sequence[Hashable]] | None = None,
    errors: str = "raise",
    cache: str | os.PathLike[str] | None = None,
    engine: Engine | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Identification:
    """Train a classifier to tell sources apart, and say what it goes by.

    Every source gives equally many examples; the smallest one limits all. What sources share is
    counted first; equal examples, near copies (:attr:`Identification.overlap`) and ``groups`` are
    never on both sides of a split, nor twice in a training or test set.

    Args:
        sources: two or more, as in :func:`curate.bias.as_sources`.
        features: as in :func:`curate.bias.extract`; "hog+colour" sees outlines and colour, "hog"
            outlines only; ignored by the network, which sees
            pixels after the common decode to 64×64. That decode enlarges smaller images, whose
            blur then tells them apart: a difference between the sources, but not of their
            content.
        classifier: "linear" (:func:`curate.bias.fit_linear`), "network"
            (:func:`curate.bias.train_network`, ``folds`` times and once for the null control:
            minutes each) or a function (x_train, y_train, x_test) -> scores (n, k), on float32
            arrays.
        train_size: training examples of each source.
        test_size: test examples of each source; if a source has too few for both, all keep the
            proportion, and a warning says so.
        sizes: training examples of each source along the curve; None: five, each twice the one
            before, up to ``train_size`` (none for the network). () leaves the curve out.
        repeats: random splits for the curve, 2 or more.
        folds: for out-of-fold probabilities, 2 or more. The accuracy is that on the first, of
            ``test_size`` or 1 / ``folds`` of a source, whichever is more.
        permutations: for the p-value.
        controls: play the null control on every source (the network: on the largest) and, for
            images, the nuisance audit.
        seed: of all that is random.
        groups: what belongs together (a patient, a film …): the name of a column of all tables, or,
            by the name of a source, one mark per example; as in :func:`curate.bias.as_sources`.
        errors: "raise" or "skip" broken images, as in :func:`curate.bias.as_sources`.
        cache: a folder to keep features in.
        engine: what computes features and decodes images: None: this process; "ray": the workers
            of a Ray cluster, as for :func:`curate.features.extract`. The classifiers, and the
            audit of a few thousand images, stay in this process; the result is the same.
        on_progress: called with the steps done and their number.

    Raises:
        CurateError: fewer than two sources, too few examples, an argument out of range, or Ray is
            not installed.
    """
    checked_engine(engine)
    opened = as_sources(sources, errors=errors, groups=groups)
    _check(opened, repeats, folds, permutations, train_size, test_size)
    names, k = tuple(source.name for source in opened), len(opened)
    network, linear = classifier == "network", classifier == "linear"
    fit = fitter(classifier, seed)
    curved = not network if sizes is None else bool(len(sizes))
    step = _Steps(on_progress, k + 1 + folds + repeats * curved + 2 * controls)
    inputs: Inputs = [_inputs(source, features, network, cache, engine, step) for source in opened]
    _check_widths(names, inputs)
    overlap = find_overlap(opened, inputs, seed=seed, cache=cache, engine=engine)
    marks = overlap.marks

    rng = generator(seed, 1)
    train, test, fold_of = _split(marks, train_size, test_size, folds, rng)
    x, y = gathered(inputs, train)
    test_x, test_y = gathered(inputs, test)
    score = fit(x, y, k)
    guesses = score(test_x).argmax(1)
    right = int((guesses == test_y).sum())
    permuted = score_with_permuted_labels(guesses, test_y, permutations, seed)
    p_value = permutation_p_value(*broken_ties(right / len(test_y), permuted, seed))
    del x, test_x
    step()
    logits = out_of_fold(
        inputs, marks, fold_of, len(train[0]), fit, rng,
        first=score, whole=not (linear or network), on_fold=step,
    )  # fmt: skip
    curve = learning_curve(
        inputs, marks, _curve_sizes(sizes, len(train[0])) if curved else [], len(test[0]),
        repeats, None if linear else fit, seed, step,
    )  # fmt: skip
    null, audit = None, None
    if controls:
        null = _null(names, inputs, marks, train_size, test_size, fit, seed, network)
        step()
        audit = _audit(opened, seed)
        step()
    columns = single_columns(opened, train, test)
    confusion = confusion_table(names, test_y.numpy(), guesses.numpy())
    return Identification(
        names=names,
        accuracy=right / len(test_y),
        chance=1 / k,
        interval=clopper_pearson(right, len(test_y)),
        p_value=p_value,
        binomial_p_value=binomial_p_value(right, len(test_y), 1 / k),
        train_size=len(train[0]),
        test_size=len(test[0]),
        confusion=confusion,
        curve=curve,
        per_source=recall_table(names, [len(source) for source in opened], confusion),
        probabilities=probability_table(opened, logits),
        null_control=null,
        audit=audit,
        warnings=(
            *shared_examples(overlap),
            *upside_down(names, right, len(test_y), p_value, overlap),
            *too_few(opened, marks, len(train[0]), len(test[0]), train_size, test_size, folds),
            *null_alarms(null),
            *(() if audit is None else audit.warnings),
            *column_alarms(columns),
        ),
        overlap=overlap,
        notes=notes(opened, features, classifier),
        left_out=left_out_table(opened),
        single_columns=columns,
    )


class _Steps:
    """Counts steps, for whoever wants to see them."""

    def __init__(self, on_progress: Callable[[int, int], None] | None, total: int) -> None:
        self.on_progress, self.done, self.total = on_progress, 0, total

    def __call__(self) -> None:
        self.done += 1
        if self.on_progress is not None:
            self.on_progress(self.done, self.total)


def _inputs(
    source: Source,
    features: Any,
    network: bool,
    cache: str | os.PathLike[str] | None,
    engine: Engine | None,
    step: _Steps,
) -> np.ndarray | torch.Tensor:
    found: np.ndarray | torch.Tensor
    if network:
        found = pixels(source, _SIZE, engine=engine)
    else:
        found = extract(source, features, cache=cache, engine=engine)
    step()
    return found


def _split(
    groups: Sequence[np.ndarray],
    train_size: int,
    test_size: int,
    folds: int,
    rng: np.random.Generator,
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Training and test rows of every source, and the fold of every example."""
    fewest = min(len(np.unique(marks)) for marks in groups)
    test = min(test_size, max(1, round(fewest * test_size / (train_size + test_size))))
    fold_of = split_folds(groups, test, folds, rng)
    tested = draw_apart(groups, [folds == 0 for folds in fold_of], test, rng)
    trained = draw_equal(groups, [folds > 0 for folds in fold_of], train_size, rng)
    if not len(tested[0]) or not len(trained[0]):
        raise CurateError(
            f"sources: one has {fewest} different examples, too few to train and to test on; "
            "give more"
        )
    return trained, tested, fold_of


def _curve_sizes(sizes: Sequence[int] | None, train_size: int) -> list[int]:
    if sizes is None:
        sizes = [max(1, round(train_size / 2**k)) for k in range(5)]
    if not all(isinstance(size, int | np.integer) and size >= 1 for size in sizes):
        raise CurateError(f"sizes: {list(sizes)}; give numbers of examples, 1 or more")
    return sorted({min(int(size), train_size) for size in sizes})


def _null(
    names: Sequence[str],
    inputs: Inputs,
    groups: Sequence[np.ndarray],
    train_size: int,
    test_size: int,
    fit: Fit,
    seed: int,
    network: bool,
) -> NullControl:
    chosen = list(range(len(names)))
    if network:  # minutes each
        chosen = [max(chosen, key=lambda position: len(inputs[position]))]
    return null_control(
        [names[position] for position in chosen],
        [inputs[position] for position in chosen],
        [groups[position] for position in chosen],
        train_size,
        test_size,
        fit,
        seed,
    )


def _audit(sources: list[Source], seed: int) -> "Audit | None":
    if not all(source.has_images for source in sources):
        return None
    from curate.bias.audit.audit import nuisance_audit

    return nuisance_audit(sources, seed=seed)


def _check_widths(names: Sequence[str], inputs: Inputs) -> None:
    widths = {name: tuple(part.shape[1:]) for name, part in zip(names, inputs, strict=True)}
    if len(set(widths.values())) > 1:
        raise CurateError(f"features: of different lengths, {widths}; give all sources the same")


def _check(
    sources: list[Source],
    repeats: int,
    folds: int,
    permutations: int,
    train_size: int,
    test_size: int,
) -> None:
    if len(sources) < 2:
        raise CurateError(f"sources: {len(sources)}; give two or more to tell apart")
    least = {"repeats": 2, "folds": 2, "permutations": 1, "train_size": 1, "test_size": 1}
    for name, low in least.items():
        value = locals()[name]
        if value < low:
            raise CurateError(f"{name}: {value}; give {low} or more")
