"""Engstrom's estimators: beside slow references, and in worlds where the true gap is known."""

import itertools
import re
from collections import defaultdict

import numpy as np
import pytest

from curate import CurateError
from curate.retest import selection_corrected_gap
from curate.retest.selection.binned import binned_accuracy, jackknifed_accuracy
from curate.retest.selection.mixture import fit_mixture
from curate.retest.selection.votes import gather

TRUE = 0.036


def world(seed, images=10_000, annotators=40):
    """ImageNet-v2 as Engstrom et al. (2020) describe it: a gap of 12 points, 3.6 of them true.

    The pool holds many images that few annotators would select. The new set is drawn from it so
    that votes of ten annotators are as frequent as on the original set; votes of 40 come later.
    """
    rng = np.random.default_rng(seed)
    old, pool = rng.beta(2, 0.75, images), rng.beta(0.45, 1.8, 90 * images)
    first_votes, pool_votes = rng.binomial(10, old), rng.binomial(10, pool)
    new = np.concatenate(
        [pool[np.flatnonzero(pool_votes == k)[: (first_votes == k).sum()]] for k in range(11)]
    )
    tables, votes = [], []
    for s, drop in ((old, 0.0), (new, TRUE)):
        labels = rng.integers(0, 10, len(s))
        models = {}
        for name, low, high in (("a", 0.04, 0.95), ("b", 0.06, 0.9)):
            right = rng.random(len(s)) < low + (high - low) * s**0.8 - drop
            models[name] = np.where(right, labels, (labels + 1) % 10)
        tables.append({"label": labels, **models})
        votes.append(rng.binomial(annotators, s))
    return tables, votes


def test_the_published_gap_and_what_is_left_of_it_are_recovered():
    """Five worlds of 10,000 images: means have standard errors of about 0.4 points."""
    rows = []
    for seed in range(5):
        tables, votes = world(seed)
        found = selection_corrected_gap(*tables, selected=votes, shown=(40, 40), resamples=100)
        rows.append(found.mean.to_pylist()[0])

    def mean(name):
        return np.mean([row[name] for row in rows])

    assert mean("gap") == pytest.approx(0.117, abs=0.01)
    assert mean("mixture") == pytest.approx(TRUE, abs=0.008)
    assert mean("jackknife") == pytest.approx(TRUE, abs=0.012)
    widths = [row["mixture_high"] - row["mixture_low"] for row in rows]
    assert np.mean(widths) < 0.06  # the published one is ± 1.5 points


def test_intervals_cover_the_true_gap():
    """30 worlds of 2,000 images: 95 % has a standard error of 4 points, 12 are tolerated."""
    covered = defaultdict(list)
    for seed in range(30):
        tables, votes = world(seed, 2000, 20)
        row = selection_corrected_gap(
            *tables, selected=votes, shown=(20, 20), resamples=100, seed=seed
        ).mean.to_pylist()[0]
        for name in ("gap", "jackknife", "mixture"):
            covered[name].append(row[f"{name}_low"] <= TRUE <= row[f"{name}_high"])
    assert np.mean(covered["mixture"]) >= 0.83
    assert np.mean(covered["jackknife"]) >= 0.83
    assert np.mean(covered["gap"]) < 0.1


def test_nothing_is_corrected_where_both_sets_are_selected_alike():
    rng = np.random.default_rng(0)
    tables, votes = [], []
    for drop in (0.0, 0.05):
        s = rng.beta(2, 0.75, 8000)
        labels = np.zeros(8000, int)
        tables.append(
            {"label": labels, "a": np.where(rng.random(8000) < 0.1 + 0.8 * s - drop, 0, 1)}
        )
        votes.append(rng.binomial(15, s))
    found = selection_corrected_gap(*tables, selected=votes, shown=(15, 15))
    row = found.mean.to_pylist()[0]
    for name in ("naive", "jackknife", "mixture"):
        assert row[name] == pytest.approx(row["gap"], abs=0.012)
    assert len(repr(found)) < 100
    assert "jackknife" in str(found)


def small():
    rng = np.random.default_rng(3)
    selected = [rng.binomial(4, rng.beta(2, 1, 60)), rng.binomial(4, rng.beta(2, 2, 60))]
    correct = [rng.random((2, 60)) < 0.7 for _ in range(2)]
    return selected, correct


def gathered(selected, correct):
    return [
        gather(k, np.full(60, 4), right, np.ones((1, 60)))
        for k, right in zip(selected, correct, strict=True)
    ]


def test_binning_and_thinning_are_what_leaving_out_annotators_one_by_one_gives():
    selected, correct = small()
    ours = binned_accuracy(*gathered(selected, correct), 3)[0]
    sums = [np.zeros((3, 4)), np.zeros((3, 4))]  # of two models, and of images
    for side in range(2):
        for image, k in enumerate(selected[side]):
            votes = [1] * k + [0] * (4 - k)
            for left in itertools.combinations(votes, 3):
                sums[side][2, sum(left)] += 1
                sums[side][:2, sum(left)] += correct[side][:, image]
    share = sums[0][2] / sums[0][2].sum()
    expected = [(share * sums[1][model] / sums[1][2]).sum() for model in range(2)]
    assert ours == pytest.approx(expected)
    whole = binned_accuracy(*gathered(selected, correct), 4)[0]
    assert jackknifed_accuracy(*gathered(selected, correct))[0] == pytest.approx(
        4 * whole - 3 * ours
    )


def test_a_count_that_no_new_image_has_lies_between_its_neighbours():
    selected = [np.array([0, 1, 2]), np.array([0, 2, 2])]
    correct = [np.ones((1, 3), bool), np.array([[False, True, True]])]
    votes = [
        gather(k, np.full(3, 2), right, np.ones((1, 3)))
        for k, right in zip(selected, correct, strict=True)
    ]
    assert binned_accuracy(*votes, 2)[0] == pytest.approx([(0 + 0.5 + 1) / 3])


def test_the_mixture_is_at_the_maximum_of_its_likelihood():
    """Nearly: no other mixture of the components is more than a little likelier."""
    from scipy.stats import betabinom

    rng = np.random.default_rng(0)
    selected = rng.binomial(20, rng.beta(3, 1, 2000))
    votes = gather(selected, np.full(2000, 20), np.ones((1, 2000), bool), np.ones((1, 2000)))
    weights = fit_mixture(votes)[0]
    assert weights.sum() == pytest.approx(1)
    a = np.arange(1, 31)
    pmf = betabinom.pmf(selected[:, None], 20, a, 31 - a)
    best = np.log(pmf @ weights).sum()
    for other in rng.dirichlet(np.ones(30), 200):
        mixed = 0.9 * weights + 0.1 * other
        assert np.log(pmf @ mixed).sum() < best + 0.5
    truth = rng.beta(3, 1, 10**6).mean()
    assert (weights @ (a / 31)) == pytest.approx(truth, abs=0.01)


def test_different_numbers_of_annotators_will_do():
    tables, votes = world(1, 2000, 20)
    rng = np.random.default_rng(0)
    shown = [rng.integers(20, 30, len(k)) for k in votes]
    found = selection_corrected_gap(*tables, selected=votes, shown=shown, resamples=100)
    assert np.isfinite(found.mean["mixture_high"][0].as_py())


TABLES = [{"label": np.arange(40) % 3, "a": (np.arange(40) * k) % 3} for k in (1, 2)]
VOTES = [np.full(40, 3), np.full(40, 2)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"selected": (VOTES[0], None)}, "selected: give those of the original and of the new set"),
        ({"shown": 5}, "shown: give those of the original and of the new set"),
        ({"selected": (VOTES[0], VOTES[1][:5])}, "selected: of new it is int64 of shape (5,)"),
        ({"selected": (VOTES[0] + 0.5, VOTES[1])}, "selected: of original it is float64"),
        ({"selected": (VOTES[0] + 9, VOTES[1])}, "image 0 of original was selected by 12 of 5"),
        ({"shown": (1, 5)}, "shown: an image of original was shown to 1"),
        ({"resamples": 1}, "resamples: 1"),
    ],
)
def test_bad_input(options, said):
    with pytest.raises(CurateError, match=re.escape(said)):
        selection_corrected_gap(*TABLES, **{"selected": VOTES, "shown": (5, 5), **options})
