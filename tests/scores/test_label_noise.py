"""Finding wrong labels without clean ones, and how precise the list of suspects is."""

import math

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

import curate
from curate.scores import Suspects, _label_noise, label_noise_table, score, suspects
from curate.scores._label_noise import (
    _linear,
    _linear_views,
    _margins,
    _relabelled,
    _spectrum,
    _votes,
    _wrong_labels,
)


def relabelled_digits(share=0.05, seed=0):
    features, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(labels)) < share
    labels = np.where(wrong, (labels + rng.integers(1, 10, len(labels))) % 10, labels)
    return features, labels, wrong


@pytest.fixture(scope="module")
def digits():
    features, labels, wrong = relabelled_digits()
    return label_noise_table(features, labels), wrong


def test_relabelled_digits_come_first(digits):
    table, wrong = digits
    scores = score(table, "mislabel")
    assert average_precision_score(wrong, -scores) > 0.95
    suspects = np.argsort(scores)[: wrong.sum()]
    assert wrong[suspects].mean() > 0.9
    kept = curate.prune(table, 0.9, "mislabel").table["kept"].to_numpy()  # high = keep
    assert wrong[~kept].sum() > 0.9 * wrong.sum()


def test_the_list_of_suspects_is_about_as_precise_as_it_says(digits):
    table, wrong = digits
    found = suspects(table, precision=0.8)
    ids = found.table["example_id"].to_numpy()
    assert found.precision >= 0.8
    # uniform errors are less plausible than the injected ones, and 90 of them are few
    assert wrong[ids].mean() >= 0.65
    assert len(ids) > 0.7 * wrong.sum()
    listed = found.table["mislabel"].to_numpy()
    assert (np.diff(listed) >= 0).all()  # the most doubtful first
    assert listed.max() <= found.threshold
    assert (score(table, "mislabel") <= found.threshold).sum() == len(ids)
    assert len(repr(found)) < 100
    assert found.noise < 1.2 * wrong.mean()
    assert found != 5


def test_the_order_of_the_rows_does_not_matter():
    features, labels, _ = relabelled_digits()
    rows = np.random.default_rng(1).permutation(len(labels))
    ids = [f"digit-{i}" for i in range(len(labels))]
    first = label_noise_table(features, labels, ids=ids)
    moved = [ids[i] for i in rows]
    second = label_noise_table(features[rows], labels[rows], ids=moved)
    assert second["example_id"].to_pylist() == moved
    there = first.take(rows)
    np.testing.assert_allclose(
        there["label_margin"].to_numpy(), second["label_margin"].to_numpy(), atol=0.1
    )
    drawn = [table["injected_margin"].is_null().to_numpy() for table in (there, second)]
    assert (drawn[0] == drawn[1]).mean() > 0.99


def test_votes_are_those_of_the_nearest_others():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 4)).astype(np.float32)
    values[:30] = values[0]  # more copies than neighbours: nobody votes for itself
    codes = rng.integers(0, 3, 60)
    votes = _votes(values, codes, 3)
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    for row in range(30, 60):
        near = sorted(range(60), key=lambda other: -float(unit[row] @ unit[other]))
        near = [other for other in near if other != row][:20]
        if any(other < 30 for other in near):
            continue  # which of the copies is nearest is open
        counts = np.bincount(codes[near], minlength=3)
        np.testing.assert_allclose(votes[row], np.log((counts + 0.5) / 21.5), rtol=1e-6)
    assert np.isfinite(votes).all()
    np.testing.assert_allclose(np.exp(votes).sum(1), 1)


def test_injected_labels_are_wrong_and_drawn_by_their_plausibility():
    probabilities = np.array([0.5, 0.32, 0.16, 0.02])
    n = 20_000
    logs = np.tile(np.log(probabilities), (n, 1))
    codes = np.zeros(n, np.int64)
    wrong, is_drawn = _wrong_labels(logs, codes, np.arange(n, dtype=np.uint64))
    found = np.where(is_drawn, _margins(logs, wrong), np.nan)
    odds = 0.5 / 0.32
    assert is_drawn.mean() == pytest.approx((odds - 1) / (odds + 1), abs=0.02)
    law = probabilities[1:] ** 0.7
    expected = dict(zip(np.log(probabilities[1:] / 0.5).round(6), law / law.sum(), strict=True))
    values, counts = np.unique(found[np.isfinite(found)].round(6), return_counts=True)
    assert len(values) == 3
    for value, count in zip(values, counts, strict=True):
        assert count / counts.sum() == pytest.approx(expected[value], abs=0.02)


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("strength", [0.003, 0.03])
@pytest.mark.parametrize("shape", ["tall", "wide", "wide, leading directions only"])
def test_models_without_an_example_or_with_a_wrong_label_of_it(
    classes, strength, shape, monkeypatch
):
    features, labels, _ = relabelled_digits()
    values, codes = features[labels < classes], labels[labels < classes]
    rng = np.random.default_rng(0)
    if shape != "tall":  # more columns than rows
        values, codes = values[:200], codes[:200]
        values = np.hstack([values, rng.normal(0, 3, (len(values), 300))])
    values = ((values - values.mean(0)) / np.maximum(values.std(0), 1e-6)).astype(np.float32)
    wrong = (codes + rng.integers(1, classes, len(codes))) % classes
    if shape == "wide, leading directions only":
        monkeypatch.setattr(_label_noise, "_DECOMPOSED", 100)
        monkeypatch.setattr(_label_noise, "_LEADING", 40)
    fitted, leverage, others = _linear_views(values, _spectrum(values), codes, strength)
    relabelled = _margins(_relabelled(fitted, leverage, codes, wrong), wrong)
    rows, without, changed = rng.choice(len(codes), 25, replace=False), [], []
    for row in rows:
        one, rest = values[row : row + 1], np.arange(len(codes)) != row
        logits = _linear(values[rest], codes[rest], strength).predict_log_proba(one)
        without.append(_margins(logits, codes[[row]])[0])
        other = np.where(rest, codes, wrong)
        changed.append(
            _margins(_linear(values, other, strength).predict_log_proba(one), wrong[[row]])[0]
        )
    pairs = [
        (_margins(fitted, codes), _margins(others, codes), without),
        (_margins(fitted, wrong), relabelled, changed),
    ]
    for before, told, true in pairs:
        moved = np.array(true) - before[rows]
        errors = told[rows] - true
        size = np.sqrt((errors**2).mean())
        assert size < 0.25
        assert size < 0.4 * np.sqrt((moved**2).mean())


@pytest.mark.parametrize("noise", [0.05, 0.2, 0.4])
@pytest.mark.parametrize("precision", [0.9, 0.7])
def test_precision_is_right_where_people_err_as_the_injected_labels(noise, precision):
    rng = np.random.default_rng(3)
    wrong = rng.random(40_000) < noise
    margins = np.where(wrong, rng.normal(-2, 2, len(wrong)), rng.normal(4, 2, len(wrong)))
    injected = np.where(wrong, np.nan, rng.normal(-2, 2, len(wrong)))
    table = pa.table(
        {
            "example_id": np.arange(len(wrong)),
            "label_margin": margins,
            "injected_margin": pa.array(injected, mask=np.isnan(injected)),
        }
    )
    found = suspects(table, precision=precision)
    assert found.noise == pytest.approx(noise, abs=0.02)
    assert found.precision == pytest.approx(precision, abs=0.01)
    true = wrong[found.table["example_id"].to_numpy()].mean()
    assert true == pytest.approx(precision, abs=0.06)
    assert found.table.column_names == ["example_id", "mislabel"]
    unknown = table.append_column("x", pa.array(wrong)).set_column(
        1, "label_margin", pa.array(margins, mask=np.arange(len(margins)) % 2 == 0)
    )
    assert suspects(unknown, precision=precision).examples == 20_000


def test_no_list_is_an_answer_too():
    margins = np.linspace(1, 5, 200)
    table = pa.table(
        {
            "example_id": np.arange(200),
            "label_margin": margins,
            "injected_margin": pa.array(-margins),
        }
    )
    found = suspects(table, precision=0.9)
    assert isinstance(found, Suspects)
    assert (found.threshold, found.precision, len(found.table)) == (-math.inf, None, 0)
    assert "no list" in str(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.zeros((5, 2))}, "features: float64 of shape"),
        ({"features": np.full((40, 2), np.nan)}, "features: some are not finite"),
        ({"labels": np.zeros(40)}, "labels: float64"),
        ({"labels": np.zeros(40, int)}, "labels: 1 classes"),
        ({"labels": np.arange(40) // 39}, "labels: 2 classes, the smallest of 1"),
        ({"ids": [1, 2]}, "ids: 2 for 40 labels"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(change, message):
    options = {"features": np.random.default_rng(0).normal(size=(40, 2))}
    options |= {"labels": np.arange(40) % 2, **change}
    with pytest.raises(curate.CurateError, match=message):
        label_noise_table(options.pop("features"), options.pop("labels"), **options)


@pytest.mark.parametrize("precision", [0, 1, 1.5, float("nan")])
def test_a_precision_is_a_share(precision):
    with pytest.raises(curate.CurateError, match="precision: "):
        suspects(pa.table({"label_margin": [1.0], "injected_margin": [1.0]}), precision=precision)


def test_a_table_without_the_columns_says_what_is_missing():
    with pytest.raises(curate.CurateError, match="label_margin"):
        score(pa.table({"example_id": [1]}), "mislabel")


def test_a_recorder_s_table_lists_what_training_contradicted():
    features, labels, wrong = relabelled_digits(0.04, seed=2)
    inputs, targets = torch.from_numpy(features).float() / 16, torch.from_numpy(labels)
    torch.manual_seed(0)
    model = torch.nn.Linear(64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    recorder = curate.Recorder(len(labels))
    for _ in range(8):
        for batch in torch.randperm(len(labels)).split(64):
            logits = model(inputs[batch])
            recorder.update(batch, logits, targets[batch])
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits, targets[batch]).backward()
            optimizer.step()
        recorder.end_epoch()
    table = recorder.table()
    found = curate.suspects(table)
    means = table["margin_mean"].to_numpy()
    expected = sorted((i for i in range(len(means)) if means[i] < 0), key=lambda i: means[i])
    assert found.table["example_id"].to_pylist() == expected
    assert found.table["aum"].to_pylist() == [means[i] for i in expected]
    assert (found.by, found.precision, found.noise) == ("aum", None, None)
    assert "not known" in str(found)
    assert len(repr(found)) < 100
    assert wrong[expected].sum() >= 0.95 * wrong.sum()
    assert wrong[expected[: int(wrong.sum())]].mean() > 0.8
    better = curate.suspects(table, features)
    assert better.by == "mislabel"
    assert better.precision == pytest.approx(0.8, abs=0.05)
    assert wrong[better.table["example_id"].to_numpy()].sum() >= 0.95 * wrong.sum()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_few_examples_of_two_classes_are_enough(share):
    labels = np.arange(400) % 2
    noises, sizes, expected = [], [], []
    for seed in range(8):  # one draw tells the noise to 0.05 (a standard deviation)
        rng = np.random.default_rng(seed)
        features = rng.normal(0, 1, (400, 6))
        features[:, 0] += np.where(labels, 3, -3)
        wrong = rng.random(400) < share
        found = curate.suspects(label_noise_table(features, labels ^ wrong), precision=0.7)
        noises.append(found.noise)
        sizes.append(len(found))
        expected.append(wrong.sum() / 0.7)
    assert np.mean(sizes) == pytest.approx(np.mean(expected), rel=0.2)
    assert np.mean(noises) == pytest.approx(share, abs=0.06)


def test_features_are_those_of_the_rows_of_the_table():
    features, labels, wrong = relabelled_digits(0.1, seed=5)
    order = np.random.default_rng(0).permutation(len(labels))
    table = pa.table({"example_id": [f"x{i}" for i in range(len(labels))], "label": labels})
    found = curate.suspects(table.take(order), features[order])
    listed = [int(name[1:]) for name in found.table["example_id"].to_pylist()]
    assert wrong[listed[:100]].all()
    assert found.table["label"].to_pylist() == labels[listed].tolist()
    with pytest.raises(curate.CurateError, match="features: .* for 1797 labels"):
        curate.suspects(table, features[:5])
    unlabelled = table.set_column(1, "label", pa.nulls(len(labels), pa.int64()))
    with pytest.raises(curate.CurateError, match="label: 1797 are not known"):
        curate.suspects(unlabelled, features)
    with pytest.raises(curate.CurateError, match="neither 'label_margin' nor 'margin_mean'"):
        curate.suspects(table)
