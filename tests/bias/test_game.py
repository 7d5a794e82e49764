"""Name That Dataset on sources whose answer is known. Seeds are stated where they matter."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from curate.bias import Source, margin_vs_forgetting, name_that_dataset
from curate.bias.classifiers.linear import fit_linear
from curate.bias.identification.null_control import halves
from curate.bias.identification.splits import draw_equal, duplicate_groups, split_folds
from curate.errors import CurateError
from curate.stats.exact import clopper_pearson
from curate.table import join

QUICK = {"train_size": 60, "test_size": 40, "repeats": 2, "permutations": 39}


def gaussians(apart, counts=(150, 150, 150), d=6, seed=0):
    """Sources of features whose means differ by ``apart`` standard deviations each way."""
    rng = np.random.default_rng(seed)
    return {
        f"s{k}": (rng.normal(size=(n, d)) + apart * np.eye(len(counts), d)[k]).astype(np.float32)
        for k, n in enumerate(counts)
    }


def fit(x, y, classes):
    return fit_linear(x, y, classes).scores


@pytest.fixture(scope="module")
def found():
    return name_that_dataset(gaussians(2.0, (200, 170, 400)), seed=3, **QUICK)


def test_everything_fits_together(found):
    assert found.names == ("s0", "s1", "s2")
    assert found.chance == pytest.approx(1 / 3)
    assert (found.train_size, found.test_size) == (60, 40)
    confusion = found.confusion["count"].to_numpy().reshape(3, 3)
    assert confusion.sum(1).tolist() == [40, 40, 40]
    right = int(np.trace(confusion))
    assert found.accuracy == right / 120
    assert found.interval == clopper_pearson(right, 120)
    recall = found.per_source["recall"].to_numpy()
    assert recall.mean() == pytest.approx(found.accuracy)
    assert recall.tolist() == (np.diag(confusion) / 40).tolist()
    assert found.per_source["examples"].to_pylist() == [200, 170, 400]
    for row in found.confusion.to_pylist():
        assert (row["low"], row["high"]) == clopper_pearson(row["count"], 40)
    assert found.curve["size"].to_pylist() == [4, 8, 15, 30, 60]
    assert found.p_value == 1 / 40
    assert found.warnings == ()
    assert "3 sources are told apart" in str(found)


def test_sources_far_apart_are_told_apart_as_the_best_rule_does(found):
    """The best rule for these means is right with probability 0.863 (by simulation)."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100_000, 3)) + 2.0 * np.eye(3)[0]
    best = (x.argmax(1) == 0).mean()
    low, high = found.interval
    assert low <= best <= high
    curve = found.curve["mean"].to_numpy()
    assert curve[0] < curve[-1] + 0.05
    assert abs(curve[-1] - best) < 0.07


def test_every_example_has_a_probability_and_a_margin(found):
    table = found.probabilities
    assert len(table) == 770
    assert table.column_names == ["source", "example_id", "p_s0", "p_s1", "p_s2", "source_margin"]
    p = np.stack([table[f"p_{name}"].to_numpy() for name in found.names], 1)
    np.testing.assert_allclose(p.sum(1), 1)
    source = np.array([found.names.index(name) for name in table["source"].to_pylist()])
    own = p[np.arange(len(p)), source]
    other = np.where(np.arange(3) == source[:, None], -1, p).max(1)
    np.testing.assert_allclose(table["source_margin"].to_numpy(), np.log(own / other), atol=1e-5)
    assert (table["source_margin"].to_numpy() > 0).mean() == pytest.approx(0.863, abs=0.05)


def test_probabilities_are_calibrated():
    """Reliability over 6,000 examples, seed 0: in each tenth, said and true agree within 0.06."""
    found = name_that_dataset(
        gaussians(1.0, (2000, 2000, 2000)), controls=False, sizes=(), permutations=1,
        train_size=300, test_size=100,
    )  # fmt: skip
    table = found.probabilities
    for name in found.names:
        said = table[f"p_{name}"].to_numpy()
        true = np.array([each == name for each in table["source"].to_pylist()])
        for low in np.arange(0, 1, 0.1):
            inside = (said >= low) & (said < low + 0.1)
            if inside.sum() >= 200:
                assert abs(true[inside].mean() - said[inside].mean()) < 0.06


def test_columns_join_the_example_table(found):
    ids = np.arange(170)[::-1].copy()
    example_table = pa.table({"example_id": ids, "label": np.zeros(170, np.int64)})
    joined = join(example_table, found.columns("s1"))
    assert joined["source_margin"].null_count == 0
    own = found.probabilities.to_pylist()[200 : 200 + 170]
    assert joined["p_s1"].to_pylist() == [row["p_s1"] for row in own][::-1]
    with pytest.raises(CurateError, match="'other'"):
        found.columns("other")


def test_ids_keep_their_kind_in_the_columns_of_a_source():
    parts = gaussians(1.0, (100, 100))
    sources = [
        Source("numbers", np.arange(100) + 5, features=parts["s0"]),
        Source("words", [f"w{row}" for row in range(100)], features=parts["s1"]),
    ]
    found = name_that_dataset(sources, controls=False, sizes=(), **QUICK)
    assert found.columns("numbers")["example_id"].to_pylist() == list(range(5, 105))
    assert found.columns("words")["example_id"][3].as_py() == "w3"
    assert found.probabilities["example_id"][0].as_py() == "5"


def test_the_same_seed_gives_the_same_result(found):
    again = name_that_dataset(gaussians(2.0, (200, 170, 400)), seed=3, **QUICK)
    assert again.probabilities.equals(found.probabilities)
    assert again.curve.equals(found.curve)
    other = name_that_dataset(gaussians(2.0, (200, 170, 400)), seed=4, **QUICK)
    assert not other.probabilities.equals(found.probabilities)


def test_a_small_source_limits_all_and_a_warning_says_so():
    found = name_that_dataset(
        gaussians(2.0, (200, 50, 200)), controls=False, sizes=(5, 60), **QUICK
    )
    assert (found.train_size, found.test_size) == (30, 20)
    assert found.curve["size"].to_pylist() == [5, 30]
    (warning,) = found.warnings
    assert (warning.cause, warning.sources) == ("few examples", ("s1",))
    assert "30 to train on and 20" in warning.text


def test_order_of_examples_tells_nothing():
    """Sorted sources without any difference: only position could give them away."""
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(300, 4)).astype(np.float32) for _ in "ab"]
    sources = {name: x[x[:, 0].argsort()] for name, x in zip("ab", parts, strict=True)}
    found = name_that_dataset(sources, sizes=(), **QUICK)
    low, high = found.interval
    assert low < 0.5 < high
    assert found.p_value > 0.05


def test_halves_of_one_source_are_told_apart_in_one_split_of_twenty():
    """The exact interval misses chance in 2 to 8 % of 300 splits of a real-sized set (seed 0)."""
    part = np.random.default_rng(0).normal(size=(400, 20)).astype(np.float32)
    alarms = 0
    for split in range(300):
        rng = np.random.default_rng([0, split])
        right, tested, trained = halves(part, np.arange(400), 100, 100, fit, rng)
        assert (tested, trained) == (200, 200)
        low, high = clopper_pearson(right, tested)
        alarms += not low <= 0.5 <= high
    assert 0.02 * 300 <= alarms <= 0.08 * 300


def test_permutation_p_values_are_uniform_without_a_difference():
    """200 games between equal sources, seeds 0 to 199: p <= 0.1 in 10 ± 4.5 %."""
    small = 0
    for seed in range(200):
        found = name_that_dataset(
            gaussians(0.0, (30, 30), d=3, seed=seed), controls=False, sizes=(), folds=2,
            train_size=15, test_size=15, permutations=19, seed=seed,
        )  # fmt: skip
        small += found.p_value <= 0.1
    assert 0.055 * 200 <= small <= 0.145 * 200


def test_the_null_control_cries_out_where_halves_do_differ():
    """A classifier that goes by the order of the test examples, which the halves take in turn."""
    sources = gaussians(1.0, (200, 200), seed=1)

    def cheat(x_train, y_train, x_test):
        return np.eye(2)[np.arange(len(x_test)) % 2]

    found = name_that_dataset(sources, classifier=cheat, sizes=(), **QUICK)
    assert found.null_control.alarms == ("s0", "s1")
    assert {warning.cause for warning in found.warnings} == {"null control"}
    assert "NOT at chance" in str(found)


def test_a_function_as_classifier_is_used_as_given():
    from sklearn.naive_bayes import GaussianNB

    def bayes(x_train, y_train, x_test):
        return GaussianNB().fit(x_train, y_train).predict_log_proba(x_test)

    found = name_that_dataset(gaussians(2.0), classifier=bayes, **QUICK)
    assert found.accuracy > 0.75
    with pytest.raises(CurateError, match=r"shape \(40, 1\)|shape \(\d+, 1\)"):
        name_that_dataset(gaussians(2.0), classifier=lambda a, b, c: np.zeros((len(c), 1)), **QUICK)


def images(n, seed, bright=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 200, (n, 3, 16, 16), np.uint8) + np.uint8(bright))


def test_images_are_audited_and_a_shortcut_is_named():
    """Blurred noise without a difference, one half saved as JPEG of quality 30, one as PNG."""
    import io

    from PIL import Image, ImageFilter

    rng = np.random.default_rng(0)
    sources = []
    for name, options in (("png", {"format": "PNG"}), ("jpeg", {"format": "JPEG", "quality": 30})):
        files = []
        for _ in range(120):
            image = Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8))
            stream = io.BytesIO()
            image.filter(ImageFilter.GaussianBlur(1)).save(stream, **options)
            files.append(stream.getvalue())
        sources.append(Source(name, np.arange(120), encoded=files))
    found = name_that_dataset(sources, sizes=(), **QUICK)
    assert found.audit is not None
    assert found.audit.warnings
    assert found.warnings[-len(found.audit.warnings) :] == found.audit.warnings
    for warning in found.warnings:
        assert warning.text in str(found)


def test_equal_images_are_in_one_fold_and_drawn_once():
    first, second = images(40, 0), images(40, 1)
    second[10:20] = first[:10]  # in both sources
    first[30:] = first[20:30]  # twice in one
    sources = [
        Source(name, np.arange(40), pixels=pixels) for name, pixels in (("a", first), ("b", second))
    ]
    marks = duplicate_groups(sources)
    assert marks[1][10:20].tolist() == marks[0][:10].tolist()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        folds = split_folds(marks, 8, 3, rng)
        fold_of = {}
        for own, fold in zip(np.concatenate(marks), np.concatenate(folds), strict=True):
            assert fold_of.setdefault(own, fold) == fold
        assert all(set(fold.tolist()) == {0, 1, 2} for fold in folds)
        rows = draw_equal(marks, [fold > 0 for fold in folds], 15, rng)
        assert len(rows[0]) == len(rows[1])
        assert len(set(marks[0][rows[0]])) == len(rows[0])
        assert all(folds[0][rows[0]] > 0)


def test_copies_across_a_split_would_be_remembered():
    """Two sources without a difference, each image five times: still at chance (seed 0)."""
    sources = {
        name: Source(name, np.arange(250), pixels=images(50, seed).repeat_interleave(5, 0))
        for seed, name in enumerate("ab")
    }
    found = name_that_dataset(
        sources, features=lambda pixels: pixels.flatten(1).float(), controls=False, sizes=(),
        train_size=35, test_size=15, permutations=99,
    )  # fmt: skip
    assert found.train_size + found.test_size <= 50
    low, high = found.interval
    assert low < 0.5 < high
    assert found.p_value > 0.05


def test_given_away_finds_a_planted_correlation(found):
    margin = found.columns("s2")["source_margin"].to_numpy()
    events = np.clip(np.round(8 - margin), 0, None).astype(np.int32)
    table = pa.table(
        {
            "example_id": np.arange(400),
            "forgetting_events": events,
            "first_learned": pa.array([None if row % 7 == 0 else 1 for row in range(400)]),
        }
    )
    joined = margin_vs_forgetting(found, "s2", table)
    from scipy.stats import rankdata

    ranks = rankdata(margin), rankdata(np.where(np.arange(400) % 7 == 0, 99, events))
    assert joined.correlation == pytest.approx(np.corrcoef(*ranks)[0, 1])
    low, high = joined.interval
    assert low < joined.correlation < high < 0
    assert joined.p_value < 1e-6
    mean = joined.table["forgetting_events"].to_numpy()
    assert (np.diff(mean) < 0).all()
    assert joined.table["examples"].to_pylist() == [100] * 4
    assert "least telling" in str(joined)


def test_given_away_without_a_relation_is_in_the_interval(found):
    rng = np.random.default_rng(0)
    misses = 0
    for _ in range(100):  # 95 % intervals; 10 misses of 100 have a probability of 2.8 %
        table = pa.table(
            {
                "example_id": np.arange(170),
                "forgetting_events": rng.poisson(2, 170).astype(np.int32),
                "first_learned": np.ones(170, np.int64),
            }
        )
        low, high = margin_vs_forgetting(found, "s1", table).interval
        misses += not low <= 0 <= high
    assert misses < 10


def test_given_away_needs_examples_in_common(found):
    table = pa.table(
        {"example_id": [9999], "forgetting_events": pa.array([1], pa.int32()), "first_learned": [1]}
    )
    with pytest.raises(CurateError, match="example_table: 0"):
        margin_vs_forgetting(found, "s0", table)


@pytest.mark.parametrize(
    ("sources", "options", "said"),
    [
        ({"a": np.zeros((9, 2), np.float32)}, {}, "sources: 1"),
        (gaussians(0.0), {"repeats": 1}, "repeats: 1"),
        (gaussians(0.0), {"folds": 1}, "folds: 1"),
        (gaussians(0.0), {"sizes": [0]}, "sizes"),
        (gaussians(0.0), {"classifier": "forest"}, "classifier: 'forest'"),
        (gaussians(0.0, (1, 40)), {}, "too few"),
        ({"a": np.zeros((9, 2), np.float32), "b": np.zeros((9, 3), np.float32)}, {}, "lengths"),
    ],
)
def test_what_it_refuses(sources, options, said):
    with pytest.raises(CurateError, match=said):
        name_that_dataset(sources, **options)


def test_progress_ends_at_its_number():
    seen = []
    name_that_dataset(
        gaussians(1.0), on_progress=lambda done, total: seen.append((done, total)), **QUICK
    )
    assert seen == [(step, seen[-1][1]) for step in range(1, seen[-1][1] + 1)]
