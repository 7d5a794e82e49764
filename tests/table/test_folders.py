"""A folder of tables is read by all of its files, not by the first alone."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate
from curate.errors import CurateError
from curate.pruning import prune_file
from curate.report import inspect
from curate.table import annotate, metadata, open_stream
from tests.example_tables import example_table


def small(**columns):
    return pa.table({"example_id": [1, 2], **columns})


def stream(path):
    return list(open_stream(path))


READERS = [curate.read, stream, inspect, curate.prune]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_file_of_a_newer_version_is_named_wherever_it_is(tmp_path, read, place):
    for number in range(3):
        curate.write(small(), tmp_path / f"{number}.parquet")
    newer = small().replace_schema_metadata({b"curate": b'{"schema_version": 99}'})
    pq.write_table(newer, tmp_path / f"{place}.parquet")
    with pytest.raises(CurateError, match="schema version 99.*upgrade curate"):
        read(tmp_path)


@pytest.mark.parametrize("read", READERS)
def test_tables_of_different_data_sets_are_not_mixed(tmp_path, read):
    for seed, content in ((0, "a"), (1, "a"), (2, None), (3, "b")):
        table = annotate(small(), fingerprint=content)
        curate.write(table, tmp_path / f"seed={seed}" / "examples.parquet")
    with pytest.raises(CurateError, match=r"different data sets: .*seed=0.* a, .*seed=3.* of b;"):
        read(tmp_path)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("damage", ["foreign", "torn", "text"])
def test_one_wrong_file_is_named(tmp_path, read, damage):
    curate.write(small(), tmp_path / "0.parquet")
    curate.write(small(), tmp_path / "wrong.parquet")
    if damage == "foreign":
        pq.write_table(pa.table({"x": [1]}), tmp_path / "wrong.parquet")
    elif damage == "torn":
        (tmp_path / "wrong.parquet").write_bytes((tmp_path / "0.parquet").read_bytes()[:-9])
    else:
        pq.write_table(small(presentations=["many", "few"]), tmp_path / "wrong.parquet")
    with pytest.raises(CurateError, match=r"wrong.parquet' is not"):
        read(tmp_path)


def test_a_column_that_some_files_lack_is_not_known_there(tmp_path):
    curate.write(small(first=[1, 2], both=[1, 1]), tmp_path / "0.parquet")
    curate.write(small(both=[2, 2], second=["a", "b"]), tmp_path / "1.parquet")
    table = curate.read(tmp_path)
    assert table["first"].to_pylist() == [1, 2, None, None]
    assert table["second"].to_pylist() == [None, None, "a", "b"]
    assert table["both"].to_pylist() == [1, 1, 2, 2]
    streamed = pa.Table.from_batches(stream(tmp_path))
    assert streamed.select(table.column_names).equals(table)


def test_types_of_other_libraries_are_read_as_one(tmp_path):
    table = example_table(6, seed=1, strings=True)
    curate.write(table, tmp_path / "0.parquet")
    other = pa.Table.from_pandas(table.to_pandas(), preserve_index=False)
    ids = pa.array([f"other {n}" for n in range(6)], pa.large_string())
    pq.write_table(other.set_column(0, "example_id", ids), tmp_path / "1.parquet")
    both = curate.read(tmp_path)
    assert both["example_id"].type == pa.string()
    assert both["label"].to_pylist() == table["label"].to_pylist() * 2
    assert len(curate.prune(tmp_path, 0.5)) == 6


def test_types_with_nothing_in_common_are_refused(tmp_path):
    curate.write(small(extra=[1, 2]), tmp_path / "0.parquet")
    curate.write(small(extra=["a", "b"]), tmp_path / "1.parquet")
    with pytest.raises(CurateError, match=r"do not agree on their columns .*extra"):
        curate.read(tmp_path)


def test_the_metadata_is_that_of_the_first_file(tmp_path):
    first = annotate(small(), class_names=["a"], fingerprint="f")
    curate.write(first, tmp_path / "0.parquet")
    curate.write(small(more=[1, 2]), tmp_path / "1.parquet")
    assert metadata(curate.read(tmp_path))["class_names"] == ["a"]


def test_pruning_from_disk_takes_types_of_other_libraries(tmp_path):
    table = example_table(60, seed=1, strings=True)
    other = pa.Table.from_pandas(table.to_pandas(), preserve_index=False)
    pq.write_table(other, tmp_path / "t.parquet")
    policy = prune_file(tmp_path / "t.parquet", tmp_path / "out", 0.5)
    assert policy["kept_checksum"] == curate.prune(table, 0.5).policy["kept_checksum"]
