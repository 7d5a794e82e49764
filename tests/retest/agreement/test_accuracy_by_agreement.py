"""Accuracy without labels: beside a slow reference, on made worlds, and on real sets."""

import itertools
import re

import numpy as np
import pytest
import scipy.stats

from curate import CurateError
from curate.retest import accuracy_by_agreement
from curate.retest.agreement.on_the_line import robust_line
from tests.retest.worlds import predictions

OLD = np.linspace(0.6, 0.95, 10)


def moved(accuracies, shift):
    """What a shift on the probit scale makes of them."""
    return scipy.stats.norm.cdf(scipy.stats.norm.ppf(accuracies) - shift)


@pytest.fixture(scope="module")
def tables():
    return predictions(OLD, 4000, 1), predictions(moved(OLD, 0.3), 3000, 2)


@pytest.fixture(scope="module")
def found(tables):
    return accuracy_by_agreement(*tables)


def truth(table):
    labels = np.array(table["label"])
    return np.array([(np.array(table[f"model_{k:02}"]) == labels).mean() for k in range(10)])


def test_agreements_are_counted_pair_by_pair(found, tables):
    for name, table in zip(("original", "new"), tables, strict=True):
        for row in found.pairs.to_pylist():
            answers = [table[row[model]].to_pylist() for model in ("model_a", "model_b")]
            share = np.mean([x == y for x, y in zip(*answers, strict=True)])
            assert row[f"agreement_{name}"] == pytest.approx(share)


def test_estimates_solve_the_papers_equations(found, tables):
    """Baek et al. (2022), ALine-D, as one large system: weighted least squares over pairs."""
    pairs = found.pairs.to_pydict()
    probit = scipy.stats.norm.ppf
    x, y = probit(pairs["agreement_original"]), probit(pairs["agreement_new"])
    slope, intercept, weights = robust_line(x, y)
    assert (found.slope, found.intercept) == (slope, intercept)
    labels = np.array(tables[0]["label"])
    models = found.table["model"].to_pylist()
    known = {m: probit((np.array(tables[0][m]) == labels).mean()) for m in models}
    rows, sides = [], []
    for (i, j), old, new in zip(itertools.combinations(range(10), 2), x, y, strict=True):
        row = np.zeros(10)
        row[[i, j]] = 0.5
        rows.append(row)
        sides.append(new + slope * (0.5 * (known[models[i]] + known[models[j]]) - old))
    root = np.sqrt(weights)
    solved = np.linalg.lstsq(np.array(rows) * root[:, None], np.array(sides) * root, rcond=None)[0]
    assert found.table["accuracy"].to_pylist() == pytest.approx(scipy.stats.norm.cdf(solved))


def test_robust_line_is_the_root_of_its_equations():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = 1.3 * x - 0.4 + 0.05 * rng.normal(size=200)
    y[:20] += 4 * x[:20] + 3  # broken
    slope, intercept, weights = robust_line(x, y)
    assert (slope, intercept) == (pytest.approx(1.3, abs=0.03), pytest.approx(-0.4, abs=0.02))
    rest = y - slope * x - intercept
    scaled = np.abs(rest) / (4.685 * 1.4826 * np.median(np.abs(rest)))
    expected = np.where(scaled < 1, (1 - scaled**2) ** 2, 0)
    assert np.allclose(weights, expected, atol=1e-6)
    assert abs(weights @ rest) < 1e-6
    assert abs(weights @ (rest * x)) < 1e-6
    plain = scipy.stats.linregress(x, y)
    assert abs(plain.slope - 1.3) > 0.2


def test_it_finds_the_accuracies_of_a_made_shift(found, tables):
    error = np.array(found.table["accuracy"]) - truth(tables[1])
    assert np.abs(error).mean() < 0.02
    assert np.abs(error).mean() < np.abs(truth(tables[0]) - truth(tables[1])).mean() / 4


def test_labels_of_the_new_set_are_not_looked_at(found, tables):
    old, new = tables
    rng = np.random.default_rng(0)
    without = accuracy_by_agreement(old, new.drop_columns(["label"]))
    other = new.set_column(1, "label", [rng.integers(0, 10, len(new))])
    assert without.table.equals(found.table)
    assert accuracy_by_agreement(old, other).table.equals(found.table)


def test_intervals_cover():
    """Ten models in 30 seeded worlds; those of a world err together: 90 % is asked of 95 %."""
    inside = []
    for seed in range(30):
        old = predictions(OLD, 2000, 2 * seed)
        new = predictions(moved(OLD, 0.25), 1000, 2 * seed + 1)
        table = accuracy_by_agreement(old, new).table
        real = truth(new)
        inside.append((np.array(table["low"]) <= real) & (real <= np.array(table["high"])))
    assert np.mean(inside) >= 0.9


def test_three_models_will_do_and_two_will_not(tables):
    keep = ["label", "model_00", "model_05", "model_09"]
    old, new = (table.select(keep) for table in tables)
    assert accuracy_by_agreement(old, new).table.num_rows == 3
    with pytest.raises(CurateError, match="2 models in both sets"):
        accuracy_by_agreement(*(table.select(keep[:3]) for table in tables))


@pytest.mark.filterwarnings("ignore::curate.errors.CurateWarning")
def test_bad_input(tables):
    old, new = tables
    for given, options, said in (
        ((old.drop_columns(["label"]), new), {}, "original: it has no column 'label'"),
        ((old, old), {}, "new_predictions: the same images as original"),
        ((old, old.drop_columns(["label"])), {}, "new_predictions: the same images as original"),
        ((old, new.slice(0, 1)), {}, "new_predictions: one image"),
        ((old, new.select(["label", "model_01"])), {}, "one model in both sets"),
        ((old, new), {"level": 1}, "level: 1"),
        ((old, new), {"rename": {"a": "b"}}, "rename: 'a' and 'b'"),
    ):
        with pytest.raises(CurateError, match=re.escape(said)):
            accuracy_by_agreement(*given, **options)


def test_models_that_answer_alike_leave_numbers_finite():
    labels = np.arange(100) % 4
    wrong = np.where(np.arange(100) < 10, (labels + 1) % 4, labels)
    old = {"label": labels, **dict.fromkeys("abc", wrong)}
    new = dict.fromkeys("abc", wrong[:60])
    table = accuracy_by_agreement(old, new).table
    assert np.isfinite(np.array([table[name].to_pylist() for name in ("accuracy", "low")])).all()


def test_it_prints_in_one_line_and_readably(found):
    assert len(repr(found)) < 100
    assert found.table.column_names == ["model", "accuracy", "low", "high"]
    assert "Estimated without labels" in str(found)
    assert "<pre>" in found._repr_html_()


def test_real_sets(real_data):
    """The goals of 67 ImageNet models, and how much better than 'nothing changes' on both."""
    place = real_data / "imagenetv2-predictions"
    names = "imagenet_val_top1_predictions.parquet", "imagenet_t07_top1_predictions.parquet"
    rename = {"fv_64k_model": "fv_64k"}
    errors, real, covered = compare([place / name for name in names], rename)
    assert np.median(errors) <= 0.005
    assert errors[real >= 0.4].mean() <= 0.005
    assert covered.mean() >= 0.95
    place = real_data / "cifar10.1-predictions"
    names = "original_test_predictions.parquet", "cifar10.1_v4_predictions.parquet"
    errors, _, covered = compare([place / name for name in names], None)
    assert errors.mean() <= 0.013  # where the accuracies themselves have a standard error of 0.007
    assert covered.mean() >= 0.9


def compare(files, rename):
    from curate.retest import accuracy_gap

    table = accuracy_by_agreement(*files, rename=rename).table
    rows = accuracy_gap(*files, rename=rename, resamples=100).table.to_pylist()
    by_name = {row["model"]: row["accuracy_new"] for row in rows}
    real = np.array([by_name[model] for model in table["model"].to_pylist()])
    covered = (np.array(table["low"]) <= real) & (real <= np.array(table["high"]))
    return np.abs(np.array(table["accuracy"]) - real), real, covered
