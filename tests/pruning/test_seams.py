"""``by=`` a column, an array or a function, and ``strategy=`` a function: what users bring."""

import functools
import json
import math

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import curate.scores
import curate.table
from curate import CurateError, prune
from curate.pruning import STRATEGIES, Selection, prune_file
from curate.scores import score
from tests.example_tables import example_table
from tests.pruning import reference

VALUES = st.one_of(
    st.integers(-2, 2).map(float),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([math.inf, -0.0, None, math.nan]),
)
POLICIES = st.fixed_dictionaries(
    {
        "keep": st.sampled_from([0.29, 0.5, 0.7, 1]),
        "strategy": st.sampled_from(sorted(STRATEGIES)),
        "stratify": st.sampled_from([None, "label"]),
        "unknown": st.sampled_from(["keep", "drop"]),
        "seed": st.integers(0, 3),
    }
)


def named(table):
    return table["pull"]


def outcome(table, by, **policy):
    """Kept ids and policy, or the error, whatever the policy calls the score."""
    try:
        chosen = prune(table, by=by, **policy)
    except CurateError as error:
        return str(error)
    settings = {key: value for key, value in chosen.policy.items() if key != "by"}
    return chosen.table.to_pydict(), settings


@given(values=st.lists(VALUES, min_size=8, max_size=40), policy=POLICIES, data=st.data())
def test_column_array_and_function_are_one_selection(values, policy, data):
    column = pa.array(values, pa.float64())
    table = example_table(len(values)).append_column("pull", column)
    array = np.array([math.nan if value is None else value for value in values])
    expected = outcome(table, "pull", **policy)
    for by in (array, values, column, table["pull"], torch.tensor(array), named):
        assert outcome(table, by, **policy) == expected
    slow = reference.prune(table.to_pylist(), array.tolist(), by="pull", **policy)
    if slow is None:
        assert isinstance(expected, str)
    else:
        rows = expected[0]
        assert slow == {i for i, kept in zip(rows["example_id"], rows["kept"], strict=True) if kept}
    order = data.draw(st.permutations(range(len(values))))
    shuffled = prune_ids(table.take(pa.array(order)), array[order], **policy)
    assert shuffled == (None if slow is None else slow)


def prune_ids(table, by, **policy):
    try:
        return set(prune(table, by=by, **policy).kept_ids.to_pylist())
    except CurateError:
        return None


@pytest.mark.parametrize("type_", [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.int64()])
def test_every_type_of_number_ranks(type_):
    values = np.arange(20).astype(type_.to_pandas_dtype())
    table = example_table(20).append_column("pull", pa.array(values, type_))
    last = table["example_id"].to_pylist()[17:]
    for by in ("pull", values, pa.array(values, type_)):
        assert prune(table, 3, by).kept_ids.to_pylist() == last
    assert prune(table, 3, torch.arange(20, dtype=torch.bfloat16)).kept_ids.to_pylist() == last
    assert prune(table, 3, torch.arange(20.0, requires_grad=True)).kept_ids.to_pylist() == last
    masked = np.ma.MaskedArray(np.arange(20), np.arange(20) < 2)
    assert prune(table, 3, masked, unknown="drop").kept_ids.to_pylist() == last
    assert np.isnan(score(table, masked)).sum() == 2


def test_the_policy_has_names_and_a_selection_is_saved_and_loaded(tmp_path):
    table = example_table(30).append_column("pull", pa.array(np.arange(30.0)))
    for by, name in (
        ("pull", "pull"),
        (named, "tests.pruning.test_seams.named"),
        (functools.partial(named), "functools.partial"),
        (np.arange(30), "array"),
        (curate.scores.aum, "aum"),
        (curate.scores.random, "random"),
    ):
        chosen = prune(table, 0.5, by)
        assert chosen.policy["by"] == name
        assert json.loads(json.dumps(chosen.policy)) == chosen.policy
        assert len(repr(chosen)) < 100
        chosen.save(tmp_path / "s.parquet")
        assert Selection.load(tmp_path / "s.parquet").policy == chosen.policy
    assert prune(table, 0.5, curate.scores.aum).policy == prune(table, 0.5, "aum").policy


def test_a_score_goes_before_a_column_of_its_name():
    table = example_table(20).append_column("aum", pa.array(np.arange(20.0)))
    assert score(table, "aum").tolist() == (-table["margin_mean"].to_numpy()).tolist()


def test_what_other_packages_write_is_pruned_by(tmp_path):
    table = example_table(20)
    for name in ("influence", "self_influence", "source_margin", "p_imagenet"):
        table = table.append_column(name, pa.array(np.arange(20.0)))
        assert prune(table, 3, name).kept_ids.to_pylist() == table["example_id"].to_pylist()[17:]
        curate.write(table, tmp_path / "t.parquet")
        assert prune(tmp_path / "t.parquet", 3, name).policy == prune(table, 3, name).policy
        assert prune_file(tmp_path / "t.parquet", tmp_path / name, 3, name) == (
            prune(table, 3, name).policy
        )
    by_function = prune(tmp_path / "t.parquet", 3, lambda read: read["influence"])
    assert by_function.kept_ids == prune(table, 3, "influence").kept_ids
    by_label = prune(tmp_path / "t.parquet", 3, "label")
    assert by_label.policy == prune_file(tmp_path / "t.parquet", tmp_path / "label", 3, "label")


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("beauty", "by: 'beauty' is no score and no column of the table; choose one of forgetting"),
        ("name", "'name' is of type string; a score needs numbers"),
        (np.zeros(9), r"by: the array has the shape \(9,\) for a table of 10 rows; give one"),
        (np.zeros((10, 1)), r"by: the array has the shape \(10, 1\) for a table of 10 rows"),
        ([1.0] * 11, r"the shape \(11,\)"),
        (torch.zeros(10, 2), r"the shape \(10, 2\)"),
        (np.zeros(10, bool), "by: the array holds values of type bool; give a score's name"),
        (torch.zeros(10, dtype=torch.bool), "values of type bool"),
        (np.zeros(10, complex), "values of type complex128"),
        (["a"] * 10, "values of type string"),
        ([[1]] * 10, "values of type list"),
        ([object()] * 10, "a kind that is no array"),
        (pa.array([True] * 10), "values of type bool"),
        (np.full(10, "1"), "values of type <U1"),
        (3, "a kind that is no array"),
        (lambda table: None, "by: what tests.*<lambda> returned holds values of a kind"),
        (lambda table: np.zeros(3), r"by: what .*<lambda> returned has the shape \(3,\)"),
        ([math.nan] * 10, r"10 of 10 rows have no array score \(null or NaN\); give unknown="),
        ([None] * 10, "10 of 10 rows have no array score"),
    ],
)
def test_what_cannot_be_ranked_by_is_named(by, message):
    table = example_table(10).append_column("name", pa.array(["x"] * 10))
    with pytest.raises(CurateError, match=message) as caught:
        prune(table, 0.5, by)
    assert "\n" not in str(caught.value)


def test_what_may_need_all_rows_is_no_reason_to_stream(tmp_path):
    curate.write(example_table(10), tmp_path / "t.parquet")
    for by in (named, np.zeros(10)):
        with pytest.raises(CurateError, match=r"by: an? (function|array) may need all rows .*name"):
            prune_file(tmp_path / "t.parquet", tmp_path / "out", 0.5, by)
    with pytest.raises(CurateError, match=r"every_other' is not one of hardest"):
        prune_file(tmp_path / "t.parquet", tmp_path / "out", 0.5, strategy=every_other)
    with pytest.raises(CurateError, match="by: 'beauty' is no score and no column"):
        prune_file(tmp_path / "t.parquet", tmp_path / "out", 0.5, "beauty")
    hardest = prune_file(
        tmp_path / "t.parquet", tmp_path / "out", 0.5, strategy=curate.pruning.hardest
    )
    assert hardest["strategy"] == "hardest"


def every_other(scores, keep, ties, start=0):
    """Of the ranking, every other row; the rest from the top."""
    order = np.lexsort((ties(np.arange(len(scores))), -scores))
    chosen = [*order[start::2], *order[1 - start :: 2]][:keep]
    scores[:] = 0  # a copy: the selection keeps its scores
    mask = np.zeros(len(scores), bool)
    mask[chosen] = True
    return mask


@given(
    rows=st.integers(4, 40),
    stratify=st.sampled_from([None, "label"]),
    start=st.sampled_from([0, 1]),
    data=st.data(),
)
def test_a_function_is_a_strategy(rows, stratify, start, data):
    table = example_table(rows)
    policy = {"by": "aum", "strategy": every_other, "stratify": stratify, "start": start}
    chosen = prune(table, 0.5, **policy)
    assert len(chosen) == reference.half_up(rows / 2)
    assert chosen.table["score"].to_pylist() == score(table, "aum").tolist()
    assert chosen.policy["strategy"] == "tests.pruning.test_seams.every_other"
    assert chosen.policy["start"] == start
    words = {row["reason"] for row in chosen.table.to_pylist()}
    assert words <= {f"{fate}: by {chosen.policy['strategy']}" for fate in ("kept", "removed")}
    order = pa.array(data.draw(st.permutations(range(rows))))
    again = prune(table.take(order), 0.5, **policy)
    assert again.policy == chosen.policy
    assert set(again.kept_ids.to_pylist()) == set(chosen.kept_ids.to_pylist())


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_registered_function_is_its_name(name):
    table = example_table(50)
    function = STRATEGIES[name].function
    by_function = prune(table, 0.5, "aum", function)
    assert by_function.policy == prune(table, 0.5, "aum", name).policy
    assert by_function.table.equals(prune(table, 0.5, "aum", name).table)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones(10, bool), "strategy: .* keeps 10 of 10 rows; return a mask that keeps exactly 5"),
        (np.ones(4, bool), r"returned bool of shape \(4,\); return bool of shape \(10,\)"),
        (np.arange(5), r"returned int64 of shape \(5,\)"),
        (None, r"returned object of shape \(\)"),
    ],
)
def test_a_wrong_mask_is_named(mask, message):
    with pytest.raises(CurateError, match=message):
        prune(example_table(10), 0.5, strategy=lambda scores, keep, ties: mask)


@pytest.mark.parametrize("options", [{"weights": np.ones(3)}, {"power": math.nan}, {"total": 3}])
def test_options_that_a_policy_cannot_hold_are_refused(options):
    (name,) = options
    with pytest.raises(CurateError, match=f"{name}: .*(partial|rename)"):
        prune(example_table(10), 0.5, strategy=lambda s, k, t, **_: s > 0, **options)


def test_scores_without_a_middle_are_refused_and_the_widest_range_is_cut():
    table = example_table(10)
    endless = np.repeat([-np.inf, np.inf], 5)
    with pytest.raises(CurateError, match="by: half of the scores are -inf and half"):
        prune(table, 0.5, endless, "moderate")
    assert prune(table, 5, endless).table["kept"].to_pylist() == [False] * 5 + [True] * 5
    widest = np.linspace(-1, 1, 10) * np.finfo(float).max
    for strategy in STRATEGIES:
        assert len(prune(table, 5, widest, strategy)) == 5
