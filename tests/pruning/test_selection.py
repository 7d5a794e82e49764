import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate.table
from curate import CurateError
from curate.pruning import Selection, prune
from tests.example_tables import example_table


def selection(rows=60, **options):
    table = curate.table.annotate(
        example_table(rows, **options), fingerprint="f00", class_names=["ant", "bee", "cat", "dog"]
    )
    return prune(table, 0.5, stratify="label", seed=3, unknown="drop")


@given(
    rows=st.integers(8, 40),
    strings=st.booleans(),
    never_presented=st.sampled_from([0.0, 0.2]),
    seed=st.integers(0, 9),
)
def test_saved_and_loaded_it_is_the_same(tmp_path_factory, **options):
    saved = selection(**options)
    path = tmp_path_factory.mktemp("selections") / "selection.parquet"
    saved.save(path)
    loaded = Selection.load(path)
    assert loaded.table.equals(saved.table)
    assert loaded.policy == saved.policy
    assert json.loads(json.dumps(loaded.policy)) == saved.policy
    assert str(loaded) == str(saved)
    assert len(loaded) == len(saved)
    assert loaded.kept_ids.equals(saved.kept_ids)
    assert curate.table.metadata(loaded.table)["fingerprint"] == "f00"
    loaded.save(path)  # over the old one
    assert Selection.load(path).policy == saved.policy


def test_table_has_the_rows_of_the_input_and_their_types():
    table = example_table(30)
    chosen = prune(table, 0.5).table
    assert chosen.column_names == ["example_id", "label", "kept", "score", "reason"]
    assert chosen["example_id"].equals(table["example_id"])
    assert chosen["label"].equals(table["label"])
    assert chosen.schema.types == [
        pa.int64(),
        pa.int64(),
        pa.bool_(),
        pa.float64(),
        pa.dictionary(pa.int8(), pa.string()),
    ]


def test_a_table_without_labels():
    chosen = prune(example_table(30).drop_columns(["label"]), 0.5)
    assert "label" not in chosen.table.column_names
    assert chosen.summary().to_pylist() == [
        {"label": None, "total": 30, "kept": 15, "fraction": 0.5}
    ]
    assert "(no label)" in str(chosen)


def test_printed_it_says_what_was_kept_and_why():
    shown = str(selection(never_presented=0.1))
    assert "30 of 60 examples kept (50.0%), by forgetting, strategy hardest, seed 3" in shown
    for text in ("0 ant", "3 dog", "kept: among the hardest", "removed: no score"):
        assert text in shown
    assert repr(selection()) == "Selection(kept 30 of 60, by='forgetting', strategy='hardest')"


def test_printing_many_classes_is_short_and_names_from_data_are_harmless():
    table = curate.table.annotate(
        example_table(500, classes=100), class_names=["\x1b[31mred\n" + "x" * 500] * 100
    )
    shown = str(prune(table, 0.5))
    assert len(shown.splitlines()) < 35
    assert "more classes" in shown
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) < 100


def change(path, name, edit):
    table = pq.read_table(path)
    place = table.column_names.index(name)
    values = table[name].to_pylist()
    column = pa.array(edit(values), table.schema.field(name).type)
    pq.write_table(table.set_column(place, table.schema.field(name), column), path)


def flip_first(values):
    return [not values[0], *values[1:]]


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("kept", flip_first),
        ("score", lambda values: [values[0] + 1, *values[1:]]),
        ("label", lambda values: [values[0] + 1, *values[1:]]),
        ("example_id", lambda values: [10_000, *values[1:]]),
    ],
)
def test_a_file_changed_since_is_refused(tmp_path, name, edit):
    path = tmp_path / "selection.parquet"
    selection().save(path)
    change(path, name, edit)
    with pytest.raises(CurateError, match=r"selection\.parquet' are not those it was saved with"):
        Selection.load(path)


def test_rows_in_another_order_are_the_same_selection(tmp_path):
    path = tmp_path / "selection.parquet"
    saved = selection()
    saved.save(path)
    table = pq.read_table(path)
    pq.write_table(table.take(list(reversed(range(len(table))))), path)
    assert Selection.load(path).policy == saved.policy
    pq.write_table(table.slice(1), path)
    with pytest.raises(CurateError, match="not those it was saved with"):
        Selection.load(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "examples.parquet"
    curate.table.write(example_table(10), path)
    with pytest.raises(CurateError, match=r"examples\.parquet' holds no selection"):
        Selection.load(path)
    with pytest.raises(CurateError, match=r"no file or folder .*nothing\.parquet"):
        Selection.load(tmp_path / "nothing.parquet")
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(CurateError, match="not a whole Parquet file"):
        Selection.load(path)
    chosen = selection()
    bare = curate.table.annotate(
        chosen.table.drop_columns(["kept"]), selection={"by": "forgetting"}
    )
    curate.table.write(bare, path)
    with pytest.raises(CurateError, match="lacks the column 'kept' of type bool"):
        Selection.load(path)


def test_checksums_tell_tables_and_selections_apart():
    table = example_table(50)
    one, other = prune(table, 0.5).policy, prune(table, 0.6).policy
    assert one["table_checksum"] == other["table_checksum"]
    assert one["kept_checksum"] != other["kept_checksum"]
    assert prune(example_table(50, seed=1), 0.5).policy["table_checksum"] != one["table_checksum"]


def test_zero_is_one_score_whatever_its_sign():
    policies = [
        prune(pa.table({"example_id": [1, 2], "grand": [zero, 1.0]}), 1, by="grand").policy
        for zero in (0.0, -0.0)
    ]
    assert policies[0] == policies[1]
