"""Tables of columns: matched by name, words as categories, and what is left out is named."""

import numpy as np
import pyarrow as pa
import pytest

from curate.bias import (
    as_sources,
    cross_dataset,
    kolmogorov_smirnov,
    mmd,
    name_that_dataset,
    nearest_neighbour,
    two_sample,
)
from curate.errors import CurateError

QUICK = {"train_size": 150, "test_size": 100, "repeats": 2, "permutations": 39, "controls": False}
N = 300


def table(seed, **columns):
    return pa.table({"n": np.random.default_rng(seed).normal(size=N), **columns})


def game(first, second, **options):
    return name_that_dataset({"a": first, "b": second}, **QUICK, **options)


def test_words_are_categories_and_are_named():
    found = game(table(0, city=["Oslo", "Rome"] * (N // 2)), table(1, city=["Oslo"] * N))
    assert found.accuracy > 0.68
    assert found.p_value < 0.05
    (warning,) = [each for each in found.warnings if each.cause == "column city"]
    assert "'city'" in warning.text
    assert "'city'" in str(found)
    assert "city" in found.conclusion
    best = found.single_columns.to_pylist()[0]
    assert (best["column"], best["named"]) == ("city", True)
    assert not any(row["named"] for row in found.single_columns.to_pylist()[1:])


def test_categories_are_those_of_a_slow_count():
    rng = np.random.default_rng(0)
    words = [rng.choice(["x", "y", "z", None], N).tolist() for _ in range(2)]
    flags = [rng.random(N) < 0.5 for _ in range(2)]
    sources = as_sources(
        {name: table(0, w=words[i], f=flags[i]) for i, name in enumerate(("a", "b"))}
    )
    for source, own, flag in zip(sources, words, flags, strict=True):
        assert source.columns == ("n", *["w"] * 4, *["f"] * 2)
        counts = sorted(source.features[:, 1:5].sum(0).tolist())
        assert counts == sorted(float(own.count(word)) for word in ("x", "y", "z", None))
        assert sorted(source.features[:, 5:].sum(0)) == sorted([flag.sum(), N - flag.sum()])
        for row in range(0, N, 37):  # rows of equal words are equal, of others not
            same = [own[other] == own[row] for other in range(N)]
            alike = (source.features[:, 1:5] == source.features[row, 1:5]).all(1)
            assert alike.tolist() == same
    again = as_sources(sources)
    assert all(
        (one.features == two.features).all() for one, two in zip(sources, again, strict=True)
    )


def test_many_categories_end_in_one_of_others():
    words = [f"w{min(row % 60, 55)}" for row in range(N)]
    a, _ = as_sources({"a": table(0, w=words), "b": table(1, w=words)})
    assert a.columns.count("w") == 31
    assert (a.features[:, 1:].sum(1) == 1).all()


def test_columns_are_matched_by_name_in_any_order():
    x = np.random.default_rng(0).normal(size=(N, 2))
    x[:, 1] += 5
    a, b = as_sources(
        {"a": pa.table({"p": x[:, 0], "q": x[:, 1]}), "b": pa.table({"q": x[:, 1], "p": x[:, 0]})}
    )
    assert a.columns == b.columns == ("p", "q")
    np.testing.assert_array_equal(a.features, b.features)


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (pa.array([None] * N, pa.float64()), "a column without a value"),
        (pa.array([f"text {row}" for row in range(N)]), "most rows have their own"),
        (pa.array([[row] for row in "ab" * (N // 2)]), "a column of type list"),
        (pa.array(range(N), pa.timestamp("s")), "a column of type timestamp"),
    ],
)
def test_what_holds_no_feature_is_left_out_by_name(extra, reason):
    found = game(table(0, more=extra), table(1, more=extra))
    rows = found.left_out.to_pylist()
    assert [(row["source"], row["name"]) for row in rows] == [("a", "more"), ("b", "more")]
    assert all(reason in row["reason"] for row in rows)
    assert sum("'more'" in note for note in found.notes) == 2
    assert "'more'" in str(found)


def test_columns_that_another_source_lacks_are_left_out_by_name():
    found = game(table(0, only=np.ones(N), kind=np.ones(N)), table(1, kind=["x"] * N, w=["y"] * N))
    reasons = {(row["source"], row["name"]): row["reason"] for row in found.left_out.to_pylist()}
    assert reasons == {
        ("a", "only"): "a column that 'b' lacks",
        ("a", "kind"): "numbers, and words in 'b'",
        ("b", "kind"): "words, and numbers in 'a'",
        ("b", "w"): "a column that 'a' lacks",
    }
    with pytest.raises(CurateError, match="no column in common"):
        as_sources({"a": table(0).rename_columns(["m"]), "b": table(1)})


def test_a_column_that_does_it_alone_is_named_and_null_tables_are_silent():
    """Of another spread only: a linear classifier sees nothing of it. Seeds 0 to 9."""
    alarms = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(size=(2, N, 6))
        null = [pa.table({f"c{i}": part[:, i] for i in range(6)}) for part in (a, b)]
        alarms += any("column" in each.cause for each in game(*null, sizes=()).warnings)
        wide = null[1].set_column(3, "c3", pa.array(b[:, 3] * 5))
        causes = [each.cause for each in game(null[0], wide, sizes=()).warnings]
        assert "column c3" in causes
    assert alarms <= 1


def test_labels_that_tell_sources_apart_are_named():
    rng = np.random.default_rng(0)
    found = game(
        table(0, label=rng.choice(["cat", "dog"], N, p=[0.9, 0.1]).tolist()),
        table(1, label=rng.choice(["cat", "dog"], N).tolist()),
    )
    assert "labels" in [each.cause for each in found.warnings]


def test_groups_by_the_name_of_a_column():
    """Five rows of each of 60 patients, alike but for a little noise: seeds 0 to 2."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        tables = {}
        for name in "ab":
            patients = np.repeat(rng.normal(size=(60, 8)), 5, axis=0) + 0.05 * rng.normal(
                size=(N, 8)
            )
            columns = {f"c{i}": patients[:, i] for i in range(8)}
            marks = [f"{name}{row // 5}" for row in range(N)]
            tables[name] = pa.table({**columns, "patient": marks})
        found = name_that_dataset(tables, groups="patient", **QUICK)
        assert "column patient" not in [each.cause for each in found.warnings]
        marks = found.overlap.marks
        for own in marks:
            assert (own.reshape(60, 5) == own[::5, None]).all()
        assert len(np.unique(np.concatenate(marks))) == 120
    with pytest.raises(CurateError, match="has no column 'film'"):
        name_that_dataset(tables, groups="film", **QUICK)
    arrays = {name: np.zeros((40, 3), np.float32) for name in "ab"}
    with pytest.raises(CurateError, match="'a' is no table"):
        name_that_dataset(arrays, groups="film", **QUICK)


def labelled(classes, seed):
    rng = np.random.default_rng(seed)
    labels = [classes[row % len(classes)] for row in range(N)]
    x = rng.normal(size=(N, 3)) + np.array([len(label.strip()) for label in labels])[:, None]
    return pa.table({**{f"c{i}": x[:, i] for i in range(3)}, "label": labels})


@pytest.mark.parametrize(
    ("other", "how"), [("cat ", "spaces"), ("Cat", "capitals"), ("pets/cat", "the folder")]
)
def test_classes_that_not_all_have_are_named(other, how):
    a, b = labelled(["cat", "tiger", "sparrow"], 0), labelled([other, "tiger", "sparrow"], 1)
    cross = cross_dataset({"a": a, "b": b}, seeds=1)
    assert cross.classes == ("sparrow", "tiger")
    said = " ".join(cross.left_out)
    assert (
        f"100 of the 300 examples of 'a' ('cat'), 100 of the 300 examples of 'b' ({other!r})"
        in said
    )
    assert f"differ only by {how}" in said
    assert said in " ".join(str(cross).splitlines())
    same = cross_dataset({"a": a, "b": labelled(["cat", "tiger", "sparrow"], 1)}, seeds=1)
    assert same.left_out == ()
    with pytest.raises(CurateError, match="0 classes in common .*'a' has 'cat'.*differ only by"):
        cross_dataset({"a": labelled(["cat", "dog"], 0), "b": labelled([other, "Dog"], 1)})


def test_groups_keep_to_their_examples_where_classes_are_left_out():
    a, b = labelled(["cat", "tiger", "sparrow"], 0), labelled(["lion", "tiger", "sparrow"], 1)
    groups = {"a": np.arange(N) // 3, "b": np.arange(N) // 3 + N}
    assert cross_dataset({"a": a, "b": b}, seeds=1, groups=groups).train_size > 0


@pytest.mark.parametrize("test", [kolmogorov_smirnov, mmd, nearest_neighbour, two_sample])
def test_tables_opened_one_by_one_are_compared_as_those_opened_together(test):
    rng = np.random.default_rng(0)
    one = pa.table({"n": rng.normal(size=60), "city": ["Oslo", "Rome"] * 30, "m": range(60)})
    other = pa.table({"m": range(60), "city": ["Oslo"] * 60, "n": rng.normal(size=60)})
    together = as_sources({"one": one, "other": other})
    apart = [*as_sources({"one": one}), *as_sources({"other": other})]
    assert str(test(*apart)) == str(test(*together))
    assert kolmogorov_smirnov(*apart).p_value < 1e-3  # the city tells, the numbers do not
