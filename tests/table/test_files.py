import errno
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate
from curate.files import atomic_path
from curate.table import annotate, metadata, open_stream, open_writer


def small(n=4, **columns):
    return pa.table({"example_id": pa.array(range(n), pa.int64()), **columns})


def test_what_is_written_is_read(tmp_path):
    table = annotate(
        small(forgetting_events=pa.array([0, None, 2, 1], pa.int32()), extra=["a", "b", None, ""]),
        fingerprint="abc",
        class_names=["cat", "dog"],
    )
    curate.write(table, tmp_path / "a" / "t.parquet")
    back = curate.read(tmp_path / "a" / "t.parquet")
    assert back.equals(table)
    assert metadata(back)["fingerprint"] == "abc"
    assert metadata(back)["schema_version"] == curate.table.SCHEMA_VERSION
    field = back.schema.field("forgetting_events")
    assert field.metadata[b"unit"] == b"events"
    only = curate.read(tmp_path / "a" / "t.parquet", ["extra", "example_id"])
    assert only.column_names == ["extra", "example_id"]


def test_partitions_become_columns_and_every_reader_can_read_them(tmp_path):
    for seed in (0, 1):
        curate.write(small(), tmp_path / f"seed={seed}" / "examples.parquet")
    table = curate.read(tmp_path)
    assert table["seed"].to_pylist() == [0] * 4 + [1] * 4
    assert pq.read_table(tmp_path).num_rows == 8
    batches = list(open_stream(tmp_path, ["example_id"]))
    assert pa.Table.from_batches(batches)["example_id"].to_pylist() == [*range(4), *range(4)]


def test_a_stream_is_the_table_in_order_and_in_pieces(tmp_path):
    n = 300_000
    curate.write(small(n), tmp_path / "t.parquet")
    batches = list(open_stream(tmp_path / "t.parquet"))
    assert len(batches) > 1
    assert pa.Table.from_batches(batches)["example_id"].to_pylist() == list(range(n))


@pytest.mark.parametrize("keep", [0, 10, -10])
def test_a_torn_or_foreign_file_is_named(tmp_path, keep):
    path = tmp_path / "t.parquet"
    curate.write(small(1000), path)
    content = path.read_bytes()
    path.write_bytes(content[:keep] if keep else b"not parquet at all")
    with pytest.raises(curate.CurateError, match=r"t\.parquet' is not a whole Parquet file"):
        curate.read(path)
    with pytest.raises(curate.CurateError, match=r"t\.parquet' is not a whole Parquet file"):
        list(open_stream(path))


def test_damage_inside_the_data_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    curate.write(small(50_000), path)
    content = bytearray(path.read_bytes())
    content[100:400] = bytes(300)
    path.write_bytes(content)
    with pytest.raises(curate.CurateError, match=r"t\.parquet' is not a whole Parquet file"):
        curate.read(path)


def test_other_tables_are_told_apart(tmp_path):
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    with pytest.raises(curate.CurateError, match="no 'example_id' column"):
        curate.read(tmp_path / "x.parquet")
    pq.write_table(small(1, presentations=["many"]), tmp_path / "y.parquet")
    with pytest.raises(curate.CurateError, match="'presentations' is of type string"):
        curate.read(tmp_path / "y.parquet")
    newer = annotate(small())
    newer = newer.replace_schema_metadata({b"curate": b'{"schema_version": 99}'})
    pq.write_table(newer, tmp_path / "z.parquet")
    with pytest.raises(curate.CurateError, match="schema version 99.*upgrade curate"):
        curate.read(tmp_path / "z.parquet")
    with pytest.raises(curate.CurateError, match="no file or folder"):
        curate.read(tmp_path / "none.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(curate.CurateError, match=r"holds no \.parquet file"):
        curate.read(tmp_path / "empty")
    curate.write(small(), tmp_path / "t.parquet")
    with pytest.raises(curate.CurateError, match="columns: 'nope' is not in"):
        curate.read(tmp_path / "t.parquet", ["nope"])
    with pytest.raises(curate.CurateError, match="no 'example_id'"):
        curate.write(pa.table({"x": [1]}), tmp_path / "x.parquet")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "t.parquet"
    curate.write(small(), path)

    def fail():
        with open_writer(path, small().schema) as writer:
            writer.write_table(small())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert curate.read(path).num_rows == 4
    assert os.listdir(tmp_path) == ["t.parquet"]
    with pytest.raises(curate.CurateError, match="is a folder"), atomic_path(tmp_path):
        pass


def test_a_full_disk_is_named(tmp_path):
    def fail():
        with atomic_path(tmp_path / "t.parquet") as path:
            path.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"could not write '.*t\.parquet'.*: No space") as caught:
        fail()
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == []
