import pyarrow as pa
import pytest

import curate
from curate.errors import CurateError


def table():
    return pa.table(
        {
            "example_id": list(range(10)),
            "influence": [float(value) for value in range(10)],
            "duplicate_of": pa.array([None] * 8 + [0, 1], pa.int64()),
            "nearest_test": pa.array([None] * 7 + [3, None, 5], pa.int64()),
        }
    )


def test_copies_are_removed_first():
    chosen = curate.prune(table(), 0.4, by="influence", duplicates="drop")
    assert chosen.kept_ids.to_pylist() == [3, 4, 5, 6]
    reasons = chosen.table["reason"].to_pylist()
    assert reasons[7:] == ["removed: a copy of another example"] * 3
    assert chosen.policy["duplicates"] == "drop"
    assert "duplicates" not in curate.prune(table(), 0.4, by="influence").policy


def test_a_selection_without_copies_is_saved_and_loaded(tmp_path):
    chosen = curate.prune(table(), 0.4, by="influence", duplicates="drop")
    chosen.save(tmp_path / "kept.parquet")
    loaded = curate.Selection.load(tmp_path / "kept.parquet")
    assert loaded.kept_ids.equals(chosen.kept_ids)


def test_a_table_that_does_not_know_its_copies_is_refused():
    bare = table().drop_columns(["duplicate_of", "nearest_test"])
    with pytest.raises(CurateError, match=r"duplicates: 'drop' needs the column 'duplicate_of'"):
        curate.prune(bare, 0.4, by="influence", duplicates="drop")
    with pytest.raises(CurateError, match="duplicates: 'maybe' is not a choice"):
        curate.prune(bare, 0.4, by="influence", duplicates="maybe")
