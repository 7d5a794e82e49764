"""Parts of a gap, each measured on both sets."""

import re

import numpy as np
import pytest

from curate import CurateError
from curate.retest import accuracy_gap, gap_parts
from tests.retest.worlds import predictions

SIZES = 3000, 1500


@pytest.fixture(scope="module")
def tables():
    return predictions([0.8, 0.9], SIZES[0], 1), predictions([0.7, 0.85], SIZES[1], 2)


def columns(table):
    return {name: np.array(table[name]) for name in table.column_names if name != "image"}


def test_leaving_images_out_is_the_gap_of_the_others(tables):
    rng = np.random.default_rng(0)
    masks = [rng.random(size) < 0.1 for size in SIZES]
    found = gap_parts(*tables, leave_out={"duplicates": masks}, resamples=200)
    rest = [table.filter(~mask) for table, mask in zip(tables, masks, strict=True)]
    (row,) = found.table.to_pylist()
    assert row["gap"] == pytest.approx(accuracy_gap(*tables, resamples=100).mean_gap[0])
    assert row["corrected"] == pytest.approx(accuracy_gap(*rest, resamples=100).mean_gap[0])
    assert (row["touched_original"], row["touched_new"]) == tuple(int(m.sum()) for m in masks)
    assert row["low"] < row["change"] < row["high"]
    assert len(found.models) == 2
    assert "measured on both sets" in str(found)


def test_relabelling_is_the_gap_by_the_other_labels(tables):
    sets = [columns(table) for table in tables]
    rng = np.random.default_rng(0)
    labels = []
    for one in sets:
        right = one["label"].copy()
        some = rng.random(len(right)) < 0.05
        right[some] = rng.integers(-1, 10, some.sum())
        labels.append(right)
    found = gap_parts(*tables, relabel={"label errors": labels}, resamples=100)
    cleaned = []
    for one, right in zip(sets, labels, strict=True):
        cleaned.append({k: v[right >= 0] for k, v in {**one, "label": right}.items()})
    expected = accuracy_gap(*cleaned, resamples=100).mean_gap[0]
    assert found.table["corrected"][0].as_py() == pytest.approx(expected)


def test_reweighting_by_class_is_one_class_mix():
    old = predictions([0.8, 0.9], 2000, 1)
    new = predictions([0.7, 0.85], 2000, 2)
    new = new.filter(np.array(new["label"]) + np.arange(2000) % 7 > 3)
    kinds = [np.array(table["label"]) for table in (old, new)]
    found = gap_parts(old, new, reweight={"classes": kinds}, resamples=100)
    expected = accuracy_gap(old, new, mix="original", resamples=100).mean_gap[0]
    assert found.table["corrected"][0].as_py() == pytest.approx(expected)


def test_a_harder_mix_of_human_agreement_is_the_whole_gap():
    """Models are right as often as people agree, and people agree less on the new images."""
    rng = np.random.default_rng(0)
    sets, agreement = [], []
    for shape in ((5, 1), (3, 1)):
        easy = rng.beta(*shape, 30_000)
        labels = np.zeros(30_000, int)
        sets.append({"label": labels, "a": (rng.random(30_000) > easy).astype(int)})
        agreement.append(easy)
    (row,) = gap_parts(*sets, reweight={"people": agreement}, resamples=100).table.to_pylist()
    assert row["gap"] > 0.07
    assert abs(row["corrected"]) < 0.02


def test_a_one_sided_correction_is_refused(tables):
    """Cleaning the old set only makes its accuracies higher, and so the gap larger."""
    mask = np.zeros(SIZES[0], bool)
    for pair in ((mask, None), (None, mask), mask, (mask,)):
        with pytest.raises(CurateError, match="label errors: it is measured on one set only"):
            gap_parts(*tables, leave_out={"label errors": pair})
    nothing = gap_parts(
        *tables, leave_out={"x": (mask, np.zeros(SIZES[1], bool))}, resamples=100
    ).table.to_pylist()[0]
    assert nothing["change"] == nothing["low"] == nothing["high"] == 0


BAD = [
    ({}, "leave_out: no part is named"),
    ({"leave_out": {"x": (np.zeros(5, bool), np.zeros(1500, bool))}}, "x: of original it has"),
    (
        {"leave_out": {"x": (np.zeros(3000, int), np.zeros(1500, bool))}},
        "x: of original it is int64",
    ),
    ({"leave_out": {"x": (np.zeros(3000, bool), np.ones(1500, bool))}}, "x: of new it is bool"),
    ({"relabel": {"x": (np.zeros(3000), np.zeros(1500, int))}}, "x: of original it is float64"),
    (
        {"reweight": {"x": (np.arange(3000) % 3, np.arange(1500) % 2)}},
        "x: new has no image of the kind",
    ),
    ({"reweight": {"x": (np.full(3000, np.nan), np.zeros(1500))}}, "x: some values are not finite"),
]


@pytest.mark.parametrize(("options", "said"), BAD, ids=[said for _, said in BAD])
def test_bad_input(tables, options, said):
    with pytest.raises(CurateError, match=re.escape(said)):
        gap_parts(*tables, **options)
