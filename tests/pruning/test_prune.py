"""prune against a slow selection, and what must not change it."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import curate.table
from curate import CurateError
from curate.pruning import STRATEGIES, prune
from curate.scores import SCORES, score
from tests.example_tables import example_table
from tests.pruning import reference

COLUMNS = set(example_table(1).column_names)
IN_TABLE = [name for name, entry in SCORES.items() if set(entry.columns) <= COLUMNS]

POLICIES = st.fixed_dictionaries(
    {
        "keep": st.sampled_from([0.1, 0.29, 0.5, 0.7, 1.0, 1, 7]),
        "by": st.sampled_from(IN_TABLE),
        "strategy": st.sampled_from(sorted(STRATEGIES)),
        "stratify": st.sampled_from([None, "label"]),
        "never_learned": st.sampled_from(["keep", "drop"]),
        "seed": st.integers(0, 3),
    }
)
TABLES = st.builds(
    example_table,
    rows=st.integers(7, 60),
    seed=st.integers(0, 100),
    classes=st.sampled_from([1, 3, 12]),
    strings=st.booleans(),
    runs=st.sampled_from([1, 2]),
    never_learned=st.sampled_from([0.0, 0.3, 0.9]),
)


def kept(table, **policy):
    return set(prune(table, **policy).kept_ids.to_pylist())


def by_id(table, column):
    return dict(zip(table["example_id"].to_pylist(), table[column].to_pylist(), strict=True))


@given(table=TABLES, policy=POLICIES)
def test_selection_is_the_slow_one(table, policy):
    scores = score(table, policy["by"], seed=policy["seed"]).tolist()
    expected = reference.prune(table.to_pylist(), scores, **policy)
    if expected is None:
        with pytest.raises(CurateError, match=r"change keep|lower"):
            prune(table, **policy)
    else:
        assert kept(table, **policy) == expected


@given(table=TABLES, policy=POLICIES, data=st.data())
def test_the_order_of_rows_does_not_matter(table, policy, data):
    order = data.draw(st.permutations(range(len(table))))
    cut = data.draw(st.integers(0, len(table)))
    shuffled = table.take(pa.array(order))
    chunked = pa.concat_tables([shuffled.slice(0, cut), shuffled.slice(cut)])
    try:
        first = prune(table, **policy)
    except CurateError:
        assume(False)
    again = prune(chunked, **policy)
    assert set(again.kept_ids.to_pylist()) == set(first.kept_ids.to_pylist())
    assert again.policy == first.policy
    assert again.table["example_id"].to_pylist() == shuffled["example_id"].to_pylist()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_exact_count_and_fate_of_every_row(strategy):
    table = example_table(5000, never_learned=0.05)
    selection = prune(table, 0.7, strategy=strategy)
    assert len(selection) == 3500
    assert len(selection.removed_ids) == 1500
    ids = selection.kept_ids.to_pylist() + selection.removed_ids.to_pylist()
    assert sorted(ids) == sorted(table["example_id"].to_pylist())
    reasons = selection.table["reason"].to_pylist()
    for is_kept, reason in zip(selection.table["kept"].to_pylist(), reasons, strict=True):
        assert reason.startswith("kept: " if is_kept else "removed: ")


def test_each_class_gets_its_share_however_small():
    sizes = {0: 1000, 1: 7, 2: 1, 3: 333}
    labels = np.repeat(list(sizes), list(sizes.values()))
    table = example_table(len(labels)).drop_columns(["label"]).append_column("label", [labels])
    summary = prune(table, 0.7, stratify="label").summary().to_pydict()
    assert summary["label"] == [0, 1, 2, 3]
    assert summary["total"] == [1000, 7, 1, 333]
    assert summary["kept"] == [700, 5, 1, 233]
    assert summary["fraction"] == [0.7, 5 / 7, 1.0, 233 / 333]
    hardest = prune(table, 0.7, stratify="label")
    mine = table.filter(pc.equal(table["label"], 3))
    assert set(prune(mine, 233).kept_ids.to_pylist()) == set(
        hardest.table.filter(pc.and_(hardest.table["kept"], pc.equal(hardest.table["label"], 3)))[
            "example_id"
        ].to_pylist()
    )


def test_seeds_break_ties_and_nothing_else():
    table = example_table(400, never_learned=0)
    events = dict(
        zip(*(table[c].to_pylist() for c in ("example_id", "forgetting_events")), strict=True)
    )
    one, two = kept(table, keep=0.5, seed=1), kept(table, keep=0.5, seed=2)
    assert one != two
    assert sorted(events[i] for i in one) == sorted(events[i] for i in two)
    assert kept(table, keep=0.5, seed=1) == one


def test_random_baseline_and_tie_break_are_drawn_apart():
    """With all scores tied, 'hardest' is a random draw too: they must not be the same one."""
    table = example_table(2000, never_learned=1.0)
    assert len(set(score(table, "forgetting"))) == 1
    both = kept(table, keep=0.5) & kept(table, keep=0.5, strategy="random")
    assert 400 < len(both) < 600


def test_never_learned_are_removed_first_and_said_so():
    table = example_table(100, never_learned=0.2)
    never = [row["example_id"] for row in table.to_pylist() if row["first_learned"] is None]
    selection = prune(table, 0.5, never_learned="drop")
    assert len(selection) == 50  # of the whole table
    assert not set(never) & set(selection.kept_ids.to_pylist())
    reasons = dict(
        zip(*(selection.table[c].to_pylist() for c in ("example_id", "reason")), strict=True)
    )
    assert all(reasons[i] == "removed: never learned" for i in never)
    assert set(never) <= set(prune(table, 0.5).kept_ids.to_pylist())


def test_too_few_left_says_how_many_can_be_kept():
    table = example_table(100, never_learned=0.5)
    learned = 100 - table["first_learned"].null_count
    with pytest.raises(CurateError, match=f"90 rows of the table .*'drop'.* at most {learned};"):
        prune(table, 0.9, never_learned="drop")
    assert len(prune(table, learned, never_learned="drop")) == learned
    with pytest.raises(CurateError, match="of class 0 are asked for"):
        prune(table, 0.9, never_learned="drop", stratify="label")


class TestExamplesWithoutAScore:
    @pytest.fixture(autouse=True)
    def some_are_absent(self):
        self.table = example_table(200, never_presented=0.1)
        events = by_id(self.table, "forgetting_events")
        self.absent = {i for i, count in events.items() if count is None}

    def test_ask_for_a_decision(self):
        message = f"unknown: {len(self.absent)} of 200 rows have no forgetting score .*'drop'"
        with pytest.raises(CurateError, match=message):
            prune(self.table)

    def test_are_dropped_first(self):
        selection = prune(self.table, 0.7, unknown="drop")
        assert len(selection) == 140
        assert not self.absent & set(selection.kept_ids.to_pylist())
        assert selection.table["score"].null_count == len(self.absent)
        assert "removed: no score" in selection.table["reason"].to_pylist()

    def test_are_kept_first(self):
        selection = prune(self.table, 0.7, unknown="keep")
        assert len(selection) == 140
        assert self.absent <= set(selection.kept_ids.to_pylist())
        assert "kept: no score" in selection.table["reason"].to_pylist()

    def test_are_more_than_may_be_kept(self):
        with pytest.raises(CurateError, match=f"at least {len(self.absent)}"):
            prune(self.table, 3, unknown="keep")

    def test_do_not_matter_to_a_random_draw(self):
        assert len(prune(self.table, 0.7, strategy="random")) == 140

    @pytest.mark.parametrize("unknown", ["keep", "drop"])
    def test_have_no_class_either(self, unknown):
        selection = prune(self.table, 0.5, stratify="label", unknown=unknown)
        assert len(selection) == 100
        summary = selection.summary().to_pylist()
        assert summary[-1]["label"] is None
        assert summary[-1]["kept"] == (len(self.absent) if unknown == "keep" else 0)
        share = (100 - summary[-1]["kept"]) / (200 - len(self.absent))
        for row in summary[:-1]:
            assert abs(row["kept"] - share * row["total"]) < 1


def test_a_label_is_needed_to_stratify():
    table = example_table(10).set_column(1, "label", pa.array([None] + [0] * 9, pa.int64()))
    with pytest.raises(CurateError, match="stratify: 1 rows have no label"):
        prune(table, stratify="label")
    with pytest.raises(CurateError, match="no column 'label'"):
        prune(table.drop_columns(["label"]), stratify="label")


def test_a_window_says_what_was_cut():
    selection = prune(example_table(100, never_learned=0), 0.5, by="aum", strategy="window")
    counted = selection.table["reason"].value_counts().to_pylist()
    assert {entry["values"]: entry["counts"] for entry in counted} == {
        "kept: in the window": 50,
        "removed: among the hardest 10 %": 10,
        "removed: easier than the window": 40,
    }
    hardest = prune(example_table(100, never_learned=0), 10, by="aum")
    cut = selection.table.filter(
        pc.equal(selection.table["reason"].cast(pa.string()), "removed: among the hardest 10 %")
    )
    assert cut["example_id"].to_pylist() == hardest.kept_ids.to_pylist()


def test_a_path_reads_what_it_needs(tmp_path):
    table = example_table(50)
    curate.table.write(table, tmp_path / "examples.parquet")
    first, again = prune(table, 0.5), prune(tmp_path / "examples.parquet", 0.5)
    assert again.table.equals(first.table)
    assert again.policy == first.policy


def test_a_column_from_a_model_is_pruned_by():
    table = example_table(20).append_column("grand", pa.array(np.arange(20.0)))
    assert prune(table, 3, by="grand").kept_ids.to_pylist() == table["example_id"].to_pylist()[17:]


@pytest.mark.parametrize("strings", [False, True])
def test_ids_that_occur_twice_are_named(strings):
    table = example_table(20, strings=strings)
    again = table["example_id"][7].as_py()
    with pytest.raises(CurateError, match=rf"{again!r} occurs more than once.*curate\.merge"):
        prune(pa.concat_tables([table, table.slice(7, 1)]))
    prune(table.sort_by("example_id"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "hardness"}, "by: 'hardness' is no score"),
        ({"strategy": "best"}, "strategy: 'best' is no strategy"),
        ({"strategy": None}, "strategy: None is no strategy"),
        ({"by": None}, "by: the array holds values of a kind that is no array"),
        ({"by": {"a": 1}}, "by: the array holds values of a kind that is no array"),
        ({"stratify": "class"}, "stratify: 'class' is not a choice; give None or 'label'"),
        ({"never_learned": "ignore"}, "never_learned: 'ignore' is not a choice"),
        ({"unknown": None}, "unknown: None is not a choice"),
        ({"seed": 1.5}, r"seed: 1\.5 is not an integer"),
        ({"keep": 2.0}, r"keep: 2\.0 is no fraction"),
        ({"drop_hardest": 0.1}, "drop_hardest: the strategy 'hardest' does not take it"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(CurateError, match=message):
        prune(example_table(10), **arguments)


def test_wrong_tables_are_refused():
    with pytest.raises(CurateError, match="table: it has no rows"):
        prune(example_table(10).slice(0, 0))
    with pytest.raises(CurateError, match=r"table: a dict; give a pyarrow\.Table or the path"):
        prune({"example_id": [1]})
    named = example_table(10).set_column(1, "label", pa.array(["cat"] * 10))
    with pytest.raises(CurateError, match="'label' is of type string; labels are class indices"):
        prune(named)
    with pytest.raises(CurateError, match="no column 'example_id'"):
        prune(example_table(10).drop_columns(["example_id"]))


def test_the_arguments_are_in_the_policy():
    policy = prune(
        example_table(100), 0.25, "aum", "ccs", stratify="label", seed=9, strata=10
    ).policy
    expected = {
        "by": "aum",
        "strategy": "ccs",
        "hard_cutoff": 0.1,
        "strata": 10,
        "keep": 0.25,
        "stratify": "label",
        "never_learned": "keep",
        "unknown": "error",
        "seed": 9,
        "total": 100,
        "kept": 25,
    }
    assert {name: policy[name] for name in expected} == expected
    assert set(policy) - set(expected) == {"table_checksum", "kept_checksum"}
