"""Cross-dataset generalisation against a loop over scikit-learn's own measures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, balanced_accuracy_score

from curate.bias import cross_dataset
from curate.bias.market.performance import average_precision, balanced_accuracy
from curate.bias.market.splitting import interleave_classes, split_train_test
from curate.bias.sources.shared_classes import shared_classes
from curate.errors import CurateError
from tests.bias.worlds import world


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.booleans())
def test_average_precision_is_scikit_learns(seed, count, tied):
    rng = np.random.default_rng(seed)
    positive = rng.random(count) < 0.4
    scores = rng.normal(size=count)
    scores = np.round(scores) if tied else scores
    found = average_precision(scores, positive)
    if not positive.any():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(average_precision_score(positive, scores))


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_balanced_accuracy_is_scikit_learns(seed, count):
    rng = np.random.default_rng(seed)
    scores, y = rng.normal(size=(count, 3)), rng.integers(0, 3, count)
    recalls = [(scores[y == c].argmax(1) == c).mean() for c in np.unique(y)]
    found = balanced_accuracy(torch.from_numpy(scores), torch.from_numpy(y))
    assert found == pytest.approx(np.mean(recalls))
    if len(set(y)) > 1 and set(scores.argmax(1)) <= set(y):  # else scikit-learn warns
        assert found == pytest.approx(balanced_accuracy_score(y, scores.argmax(1)))


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_every_beginning_has_its_classes_in_turn(seed, labels):
    labels = np.array(labels)
    order = interleave_classes(labels, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(labels)))
    totals = np.bincount(labels)
    for size in range(1, len(labels) + 1):
        counts = np.bincount(labels[order[:size]], minlength=len(totals))
        unfinished = counts[(totals > 0) & (counts < totals)]
        assert counts.max() - unfinished.min(initial=counts.max()) <= 1


@given(st.integers(0, 2**32 - 1), st.integers(4, 60))
def test_no_example_is_in_both_parts(seed, count):
    labels = np.random.default_rng(seed).integers(0, 3, count)
    train, test = split_train_test(labels, np.random.default_rng(seed))
    assert sorted([*train, *test]) == list(range(count))


def test_alike_sources_lose_nothing_and_a_moved_one_does():
    sources = [world("a", 400, seed=1), world("b", 400, seed=2), world("far", 400, seed=3, shift=6)]
    result = cross_dataset(sources, seeds=4)
    rows = {row["source"]: row for row in result.table.to_pylist()}
    cells = {(row["train"], row["test"]): row for row in result.cells.to_pylist()}
    assert cells["a", "b"]["performance"] == pytest.approx(cells["b", "b"]["performance"], abs=0.05)
    assert cells["a", "far"]["performance"] < cells["far", "far"]["performance"] - 0.2
    for name, place in zip("ab", (0, 1), strict=True):
        own = cells[name, name]["performance"]
        others = np.mean([cells[name, o]["performance"] for o in result.names if o != name])
        assert rows[name]["self"] == pytest.approx(own)
        assert rows[name]["mean_others"] == pytest.approx(others)
        per_seed = result.scores[:, place]
        drop = [100 * (s[place] - np.delete(s, place).mean()) / s[place] for s in per_seed]
        assert rows[name]["percent_drop"] == pytest.approx(np.mean(drop))
        assert rows[name]["percent_drop_low"] < np.mean(drop) < rows[name]["percent_drop_high"]
    assert "far" in str(result)


def test_the_same_seed_gives_the_same_numbers():
    sources = [world("a", 100, seed=1), world("b", 100, seed=2)]
    one, two = cross_dataset(sources, seeds=2), cross_dataset(sources, seeds=2)
    assert (one.scores == two.scores).all()
    assert (one.scores != cross_dataset(sources, seeds=2, seed=9).scores).any()


def test_one_against_the_rest():
    sources = [world("a", 200, seed=1), world("b", 200, seed=2)]
    result = cross_dataset(sources, task="one-vs-rest", seeds=2)
    assert result.scores.min() > 0.4  # a quarter by chance
    assert result.chance is None


def test_classes_are_matched_by_name():
    a, b = world("a", 200, seed=1), world("b", 200, seed=2)
    order = np.array([2, 0, 3, 1])
    names = tuple(b.class_names[i] for i in np.argsort(order))
    other = replace(b, labels=order[b.labels], class_names=names)
    found = cross_dataset([a, other], seeds=2)
    assert (found.scores == cross_dataset([a, b], seeds=2).scores).all()
    three = replace(a, name="c", class_names=("class 0", "class 1", "elsewhere", "class 3"))
    classes, taken = shared_classes([b, three])
    assert classes == ["class 0", "class 1", "class 3"]
    assert len(taken[1]) == int((a.labels != 2).sum())


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"labels": None}, {}, "no labels"),
        ({"class_names": None}, {}, "no class names"),
        ({"class_names": ("w", "x", "y", "z")}, {}, "0 classes in common"),
        ({}, {"task": "detect"}, "task: 'detect'"),
        ({}, {"train_size": 5000}, "train_size: 5000; give 4"),
        ({}, {"seeds": 0}, "seeds: 0"),
    ],
)
def test_bad_input(change, options, words):
    sources = [world("a", 60), replace(world("b", 60), **change)]
    with pytest.raises(CurateError, match=words):
        cross_dataset(sources, **options)


def test_one_source_is_refused():
    with pytest.raises(CurateError, match="at least two"):
        cross_dataset([world("a", 60)])
