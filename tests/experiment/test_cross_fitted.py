"""Cross-fitted scores: by models that did not train on the example, and by nothing else."""

import sys

import joblib
import numpy as np
import pytest
import torch

import curate
from curate.data import ExampleSet
from curate.experiment import cross_fitted_table
from curate.scores import SCORES
from curate.train import settings_for
from curate.train._train import Trained
from tests.record.reference import outcome

MODULE = sys.modules["curate.experiment.cross_fitted"]
CLASSES = 3


def drawn(n=60, strings=False, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.choice(CLASSES, n, p=[0.6, 0.3, 0.1])
    values = torch.from_numpy(rng.normal(size=(n, 4)).astype(np.float32))
    ids = [f"e{i}" for i in range(n)] if strings else np.arange(n) * 7
    return ExampleSet(ids, labels, ["a", "b", "c"], shape=(4,), values=values)


class Watched:
    """In place of the trainer: a model made of what it was trained on, so that it can be told."""

    def __init__(self):
        self.seen = []

    def __call__(self, values, labels, classes, settings, seed, *, on_epoch=None):
        self.seen.append({tuple(row) for row in values.tolist()})
        means = torch.stack([values[labels == c].sum(0) for c in range(classes)]) + seed
        model = torch.nn.Linear(values.shape[1], classes)
        model.weight.data, model.bias.data = means, torch.zeros(classes)
        if on_epoch is not None:
            on_epoch(settings.epochs)
        return Trained(model, lambda batch: batch, torch.device("cpu"))


@pytest.fixture
def watched(monkeypatch):
    watched = Watched()
    monkeypatch.setattr(MODULE, "train", watched)
    return watched


@pytest.mark.parametrize("strings", [False, True])
def test_equals_the_slow_one_and_no_model_saw_its_examples(watched, strings):
    dataset, folds, seeds = drawn(strings=strings), 4, 2
    table = cross_fitted_table(dataset, folds=folds, seeds=seeds)
    assert table["example_id"].to_pylist() == list(dataset.ids)
    assert len(watched.seen) == folds * seeds
    for row, values in enumerate(dataset.values.tolist()):
        strangers = [i for i, seen in enumerate(watched.seen) if tuple(values) not in seen]
        assert len(strangers) == seeds  # one fold of each seed
        label, found = int(dataset.labels[row]), []
        for i in strangers:
            weight = [[0.0] * 4 for _ in range(CLASSES)]
            for other, c in zip(dataset.values.tolist(), dataset.labels.tolist(), strict=True):
                if tuple(other) in watched.seen[i]:
                    weight[c] = [a + b for a, b in zip(weight[c], other, strict=True)]
            logits = [
                sum((w + i // folds) * x for w, x in zip(weight[c], values, strict=True))
                for c in range(CLASSES)
            ]
            found.append(outcome(logits, label))
        for name in ("margin", "confidence", "el2n", "correct"):
            expected = np.mean([each[name] for each in found])
            assert table[f"cross_fitted_{name}"][row].as_py() == pytest.approx(expected, abs=1e-4)


def test_folds_have_their_share_of_each_class_whatever_the_order(watched):
    dataset, folds = drawn(200), 5
    first = cross_fitted_table(dataset, folds=folds)
    by_value = dict(zip(map(tuple, dataset.values.tolist()), dataset.labels, strict=True))
    for seen in watched.seen:
        assert len(seen) == 160
        for c in range(CLASSES):
            size = int((dataset.labels == c).sum())
            kept = sum(by_value[values] == c for values in seen)
            assert abs(kept - 0.8 * size) <= 1
    order = np.random.default_rng(1).permutation(200)
    shuffled = ExampleSet(
        dataset.ids[order], dataset.labels[order], dataset.class_names, shape=(4,),
        values=dataset.values[torch.from_numpy(order)],
    )  # fmt: skip
    again = cross_fitted_table(shuffled, folds=folds).sort_by("example_id")
    for name in ("cross_fitted_margin", "cross_fitted_correct"):
        assert again[name].to_numpy() == pytest.approx(first[name].to_numpy(), abs=1e-4)
    assert {frozenset(seen) for seen in watched.seen[:5]} == {
        frozenset(seen) for seen in watched.seen[5:]
    }


def test_progress_counts_trainings(watched):
    told = []
    cross_fitted_table(
        drawn(), folds=2, seeds=2, on_progress=lambda *arguments: told.append(arguments)
    )
    assert told == [
        ("fold 0, seed 0", 1.0, 4),
        ("fold 1, seed 0", 2.0, 4),
        ("fold 0, seed 1", 3.0, 4),
        ("fold 1, seed 1", 4.0, 4),
    ]


def test_wrong_labels_are_the_hardest_of_the_digits():
    """One label in twenty moved on: models that did not see it say so, and the scores rank it."""
    digits = curate.data.load("digits")
    rng = np.random.default_rng(0)
    wrong = rng.random(len(digits)) < 0.05
    labels = np.where(wrong, (digits.labels + 1) % 10, digits.labels)
    noisy = ExampleSet(
        digits.ids, labels, digits.class_names, shape=digits.shape, values=digits.arrays()[0]
    )
    settings = settings_for(digits.shape, model="mlp", epochs=8)
    table = cross_fitted_table(noisy, settings=settings, folds=3)
    right = table["cross_fitted_correct"].to_numpy()
    assert right[~wrong].mean() > 0.9
    assert right[wrong].mean() < 0.1
    for name in ("cross_fitted_margin", "cross_fitted_confidence", "cross_fitted_el2n"):
        hardness = curate.score(table, name)
        above = (hardness[wrong][:, None] > hardness[~wrong]).mean()  # area under the ROC curve
        assert above > 0.97, name
        assert name in SCORES
    assert curate.table.metadata(table)["fingerprint"] == curate.data.fingerprint(noisy)
    joined = curate.join(curate.Recorder(digits.ids).table(), table)
    by_margin = curate.prune(joined, int(wrong.sum()), "cross_fitted_margin")
    assert len(set(by_margin.kept_ids.to_pylist()) & set(digits.ids[wrong])) > 0.8 * wrong.sum()
    bytes_again = cross_fitted_table(noisy, settings=settings, folds=3)
    assert bytes_again.equals(table)  # the same call, the same table


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 1}, "folds: 1; give a number of folds, at least 2"),
        ({"folds": 2.0}, "folds: 2.0"),
        ({"folds": 31}, "folds: 31 of 60 examples; give at most half"),
        ({"seeds": 0}, "seeds: 0; give a number of times"),
    ],
)
def test_wrong_arguments_are_named(options, words):
    with pytest.raises(curate.CurateError, match=words):
        cross_fitted_table(drawn(), **options)


def test_a_table_without_says_how_to_have_it():
    with pytest.raises(curate.CurateError, match=r"join what curate.experiment.cross_fitted_table"):
        curate.score(curate.Recorder(3).table(), "cross_fitted_margin")


def test_processes_say_the_same_bit_for_bit():
    digits = curate.data.load("digits", "test")
    options = {"settings": settings_for(digits.shape, model="mlp", epochs=1), "folds": 2}
    here = cross_fitted_table(digits, **options)
    done = []
    with joblib.parallel_config("loky", n_jobs=2):
        there = cross_fitted_table(digits, **options, on_progress=lambda *at: done.append(at))
    assert there.equals(here)
    assert sorted(what for what, _, _ in done) == ["fold 0, seed 0", "fold 1, seed 0"]
    assert [at[1:] for at in done] == [(1, 2), (2, 2)]


def test_what_was_asked_is_kept_and_other_data_or_settings_ask_again(watched, tmp_path):
    dataset, options = drawn(), {"folds": 3, "seeds": 2, "folder": tmp_path}
    table = cross_fitted_table(dataset, **options)
    assert table.equals(cross_fitted_table(dataset, folds=3, seeds=2))
    assert len(watched.seen) == 12
    assert cross_fitted_table(dataset, **options).equals(table)
    assert len(watched.seen) == 12
    (tmp_path / "folds/seed=1/fold=2.parquet").unlink()  # as if it had been stopped there
    assert cross_fitted_table(dataset, **options).equals(table)
    assert len(watched.seen) == 13
    cross_fitted_table(drawn(seed=1), **options)
    assert len(watched.seen) == 19
    settings = settings_for(dataset.shape, epochs=2)
    cross_fitted_table(drawn(seed=1), **options, settings=settings)
    assert len(watched.seen) == 25
    more = drawn(seed=1)
    more.class_names.append("d")  # a model with one more output
    cross_fitted_table(more, **options, settings=settings)
    assert len(watched.seen) == 31
