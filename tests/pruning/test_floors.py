"""``min_per_class``: no class falls below it, and the count stays exact."""

import warnings

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import CurateError
from curate.pruning import STRATEGIES, Selection, prune
from curate.scores import score
from tests.example_tables import example_table
from tests.pruning import reference


def labelled(labels, **options):
    table = example_table(len(labels), **options)
    place = table.column_names.index("label")
    return table.set_column(place, "label", pa.array(labels, pa.int64()))


LABELS = st.lists(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 1, 2, 7]), min_size=10, max_size=60)


def kept_by_class(chosen):
    return {row["label"]: (row["kept"], row["total"]) for row in chosen.summary().to_pylist()}


@given(
    labels=LABELS,
    least=st.integers(1, 4),
    keep=st.sampled_from([0.1, 0.3, 0.6, 1.0]),
    strategy=st.sampled_from(["hardest", "easiest", "random", "moderate"]),
    stratify=st.sampled_from([None, "label"]),
)
def test_no_class_falls_below_and_the_count_is_exact(labels, least, keep, strategy, stratify):
    table = labelled(labels, never_learned=0)
    policy = {"by": "aum", "strategy": strategy, "stratify": stratify}
    floors = {label: min(least, labels.count(label)) for label in set(labels)}
    if sum(floors.values()) > reference.half_up(keep * len(labels)):
        with pytest.raises(CurateError, match="min_per_class: .* more than the .* to keep; lower"):
            prune(table, keep, min_per_class=least, **policy)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen = prune(table, keep, min_per_class=least, **policy)
    assert len(chosen) == reference.half_up(keep * len(labels))
    found = kept_by_class(chosen)
    assert all(found[label][0] >= floor for label, floor in floors.items())
    assert chosen.policy["min_per_class"] == least
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = prune(table, keep, **policy)
    if all(kept >= floors[label] for label, (kept, _) in kept_by_class(plain).items()):
        assert chosen.table.equals(plain.table)  # where no floor is touched nothing changes


@given(labels=LABELS, least=st.integers(1, 4), keep=st.sampled_from([0.3, 0.6]))
def test_the_hardest_of_each_class_come_first_then_the_hardest_of_all(labels, least, keep):
    """The slow one: hand out the floors class by class, then what is left from the top."""
    table = labelled(labels, never_learned=0)
    ids = table["example_id"].to_pylist()
    order = np.argsort(-score(table, "aum")).tolist()  # normal draws: no ties
    first = {i for label in set(labels) for i in [j for j in order if labels[j] == label][:least]}
    total = reference.half_up(keep * len(labels))
    if len(first) > total:
        return
    rest = [i for i in order if i not in first]
    expected = first | set(rest[: total - len(first)])
    chosen = prune(table, keep, "aum", min_per_class=least)
    assert set(chosen.kept_ids.to_pylist()) == {ids[i] for i in expected}


@pytest.mark.parametrize("stratify", [None, "label"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_reaches_the_floor(strategy, stratify):
    labels = [0] * 300 + [1] * 90 + [2] * 30 + [3] * 2
    table = labelled(np.random.default_rng(0).permutation(labels).tolist(), never_learned=0)
    chosen = prune(table, 0.2, "el2n", strategy, stratify=stratify, min_per_class=12)
    found = kept_by_class(chosen)
    assert len(chosen) == 84
    assert found[2][0] >= 12
    assert found[3][0] == 2
    again = prune(
        table.take(np.random.default_rng(1).permutation(len(table))), 0.2, "el2n", strategy,
        stratify=stratify, min_per_class=12,
    )  # fmt: skip
    assert again.policy == chosen.policy  # whatever the order of the rows


@pytest.mark.parametrize("stratify", [None, "label"])
@pytest.mark.parametrize("unknown", ["keep", "drop"])
def test_rows_decided_before_count_and_rows_removed_before_do_not(unknown, stratify):
    """What is kept first fills the floor; what is removed first cannot."""
    labels = [0] * 80 + [1] * 15 + [2] * 5
    table = labelled(labels, never_learned=0)
    place = table.column_names.index("margin_mean")
    absent = np.array([i >= 98 for i in range(100)])  # two of class 2
    column = pa.array(table["margin_mean"].to_numpy(), mask=absent)
    table = table.set_column(place, "margin_mean", column)
    policy = {"stratify": stratify, "unknown": unknown, "min_per_class": 4}
    chosen = prune(table, 0.2, "aum", **policy)
    assert len(chosen) == 20
    assert kept_by_class(chosen)[2][0] == (4 if unknown == "keep" else 3)
    kept = set(chosen.kept_ids.to_pylist())
    for i in (98, 99):
        assert (table["example_id"][i].as_py() in kept) == (unknown == "keep")


def test_rows_without_a_label_have_no_floor():
    labels = [None] * 50 + [0] * 40 + [1] * 10
    table = labelled([label or 0 for label in labels], never_learned=0)
    place = table.column_names.index("label")
    table = table.set_column(place, "label", pa.array(labels, pa.int64()))
    found = kept_by_class(prune(table, 0.3, "aum", min_per_class=8))
    assert found[1][0] >= 8
    assert sum(kept for kept, _ in found.values()) == 30


def test_a_class_is_not_emptied_without_a_word(tmp_path):
    """Fifty classes of one example beside two large ones (case X of the field)."""
    labels = [0] * 500 + [1] * 450 + list(range(2, 52))
    table = labelled(labels)
    with pytest.warns(
        UserWarning, match=r"35 of 52 classes have no example left .*min_per_class=1"
    ):
        chosen = prune(table, 0.3, stratify="label")
    assert "35 of 52 classes have no example left" in str(chosen)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen = prune(table, 0.3, stratify="label", min_per_class=1)
    assert "no example left" not in str(chosen)
    kept = chosen.summary()["kept"].to_pylist()
    assert kept[2:] == [1] * 50
    assert kept[:2] == [132, 118]
    chosen.save(tmp_path / "selection.parquet")
    assert Selection.load(tmp_path / "selection.parquet").policy["min_per_class"] == 1


@pytest.mark.parametrize("least", [0, -1, 1.5, True, "2"])
def test_a_floor_that_is_no_count_is_refused(least):
    with pytest.raises(CurateError, match="min_per_class: .*; give a number of examples, at least"):
        prune(example_table(20), min_per_class=least)


def test_floors_need_labels():
    with pytest.raises(CurateError, match="no column 'label'"):
        prune(example_table(20).drop_columns(["label"]), min_per_class=1)
