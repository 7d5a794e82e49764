"""What trains a model for an experiment: the library's own trainer, or a function from outside."""

import hashlib
import inspect
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from curate.data import ExampleSet
from curate.data.ids import take_ids
from curate.errors import CurateError
from curate.record import Recorder
from curate.threads import threads_for
from curate.train import Settings, Trained, logits_of, save_model, settings_for, train


class TrainFunction(Protocol):
    """Trains one model and says which examples of another set it gets right."""

    def __call__(
        self,
        rows: np.ndarray,
        seed: int,
        recorder: Recorder | None,
        *,
        on: ExampleSet,
        steps: int | None = None,
    ) -> np.ndarray:
        """Train on some rows of the data set, and answer for ``on``.

        Args:
            rows: (N,) int64 positions in the data set, those to train on.
            seed: of everything that is drawn.
            recorder: its ``update`` is to be called at every training step, and ``end_epoch``
                after every pass; None where nothing is recorded.
            on: what to test on.
            steps: how many steps to train for; None for as many as the trainer sees fit.

        Returns:
            (len(on),) bool, which examples of ``on`` the model gets right.
        """


class ReferenceTrainer:
    """The trainer of :mod:`curate.train` on one data set, as a :class:`TrainFunction`.

    Args:
        train_set: the data set that ``rows`` index.
        settings: how to train.
    """

    def __init__(self, train_set: ExampleSet, settings: Settings) -> None:
        self.train_set = train_set
        self.settings = settings

    def __call__(
        self,
        rows: np.ndarray,
        seed: int,
        recorder: Recorder | None,
        *,
        on: ExampleSet,
        steps: int | None = None,
    ) -> np.ndarray:
        """See :class:`TrainFunction`."""
        right, _ = self.test(self.fit(rows, seed, recorder, steps=steps), on)
        return right

    def fit(
        self,
        rows: np.ndarray | None,
        seed: int,
        recorder: Recorder | None,
        *,
        steps: int | None = None,
        checkpoint: Path | None = None,
        on_epoch: Callable[[int], None] | None = None,
    ) -> Trained:
        """Train on these rows, all where None; see :func:`curate.train.train`."""
        values, labels = self.train_set.arrays()
        ids = self.train_set.ids
        if rows is not None:
            values, labels = values[torch.from_numpy(rows)], labels[torch.from_numpy(rows)]
            ids = take_ids(ids, rows)
        with threads_for(self.settings.batch_size, values[0].numel()):
            return train(
                values,
                labels,
                classes_of(self.train_set),
                self.settings if steps is None else replace(self.settings, steps=steps),
                seed,
                ids=torch.as_tensor(ids) if isinstance(ids, np.ndarray) else ids,
                recorder=recorder,
                checkpoint=checkpoint,
                on_epoch=on_epoch,
            )

    def test(self, trained: Trained, on: ExampleSet) -> tuple[np.ndarray, int]:
        """Which examples the model gets right, and how many had logits that are not finite."""
        values, labels = on.arrays()
        with threads_for(512, values[0].numel()):
            logits = logits_of(trained, values)
        finite = logits.isfinite().all(1)
        right = (logits.argmax(1) == labels) & finite
        return right.numpy(), int((~finite).sum())

    def save(self, trained: Trained, path: Path) -> None:
        """Write the weights; see :func:`curate.train.save_model`."""
        values, _ = self.train_set.arrays()
        classes = classes_of(self.train_set)
        save_model(path, trained, self.settings, values.shape[1:], classes)

    @property
    def identity(self) -> str:
        """What its results depend on besides data and seed."""
        return repr(sorted(self.settings.to_dict().items()))


def default_settings(dataset: ExampleSet) -> Settings:
    """The settings that suit a data set, see :func:`curate.train.settings_for`."""
    values, _ = dataset.arrays()
    text = dataset.texts is not None
    return settings_for(values.shape[1:], text=text, examples=len(dataset.ids))


def classes_of(dataset: ExampleSet) -> int:
    """The number of classes: that of the names, or one more than the largest label."""
    if dataset.class_names is not None:
        return len(dataset.class_names)
    return int(dataset.labels.max()) + 1


def identity_of(train_function: TrainFunction) -> str:
    """A hash of a function's code and of what it carries, so that changed code trains again.

    Everything in the file that defines the function counts, and all that is bound to it; not
    what that file imports.
    """
    import joblib

    if isinstance(train_function, ReferenceTrainer):
        return train_function.identity
    function: Any = train_function
    bound: list[Any] = []
    while hasattr(function, "func"):  # functools.partial
        bound += [function.args, sorted(function.keywords.items())]
        function = function.func
    bound.append(getattr(function, "__self__", None))
    code = function if inspect.isroutine(function) else type(function)
    if not inspect.isroutine(function):
        bound.append(getattr(function, "__dict__", None))
    cells = getattr(function, "__closure__", None) or ()
    bound += [cell.cell_contents for cell in cells if not callable(cell.cell_contents)]
    digest = hashlib.sha256(f"{code.__module__}.{code.__qualname__}".encode())
    digest.update(_source(code))
    try:
        digest.update(joblib.hash(bound).encode())
    except Exception as error:
        raise CurateError(
            f"train: {code.__qualname__} carries something that cannot be hashed ({error}); define "
            "it as a function that opens what it needs itself, or run without folder="
        ) from error
    return digest.hexdigest()


def _source(code: Any) -> bytes:
    file = inspect.getsourcefile(code)
    if file is not None and os.path.isfile(file):
        return Path(file).read_bytes()
    try:
        return inspect.getsource(code).encode()
    except OSError:
        inner = getattr(code, "__code__", None)
        return b"" if inner is None else inner.co_code + repr(inner.co_consts).encode()
