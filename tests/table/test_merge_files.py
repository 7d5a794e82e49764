"""Tables merged on disk are those merged in memory, whatever their order and their pieces."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import curate
from curate.table import _merge_files, merge_files
from tests.table.test_merge import run

PER_FILE = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(_merge_files, "_BLOCK", 5)
    monkeypatch.setattr(_merge_files, "_BUCKET", 9)


def written(tables, folder):
    paths = []
    for number, table in enumerate(tables):
        paths.append(folder / f"run{number}.parquet")
        curate.write(table, paths[-1])
        pq.write_table(pq.read_table(paths[-1]), paths[-1], row_group_size=1 + 3 * number)
    return paths


def check(tables, folder):
    expected, out = curate.merge(tables), folder / "merged.parquet"
    assert merge_files(written(tables, folder), out) == len(expected)
    with ThreadPoolExecutor(2) as pool:  # by which the buckets are pickled, as by any other
        merged = merge_files(written(tables, folder), folder / "pool.parquet", executor=pool)
    assert merged == len(expected)  # 0 of empty tables
    assert curate.read(folder / "pool.parquet").equals(curate.read(out), check_metadata=True)
    found = curate.read(out)
    assert found.equals(expected)
    assert curate.table.metadata(found) == curate.table.metadata(expected)
    assert found.schema.equals(expected.schema, check_metadata=True)
    (folder / "pool.parquet").unlink()
    left = {path.name for path in Path(folder).iterdir() if not path.name.startswith("run")}
    assert left == {"merged.parquet"}


@PER_FILE
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=4),
    st.sampled_from(["all", "forgetting"]),
    st.booleans(),
    st.sampled_from(["the same", "shuffled", "parts"]),
    st.integers(0, 99),
)
def test_the_same_as_in_memory(tmp_path, seeds, track, named, order, draw):
    ids = [f"é{number}" for number in range(23)] if named else None
    tables = [run(seed, n=23, track=track, ids=ids)[0] for seed in seeds]
    rng = np.random.default_rng(draw)
    if order != "the same":
        keep = [rng.permutation(23) for _ in tables]
        if order == "parts":
            keep = [rows[: rng.integers(0, 24)] for rows in keep]
        tables = [table.take(pa.array(rows)) for table, rows in zip(tables, keep, strict=True)]
    check(tables, tmp_path)


def test_merged_tables_merge_again(tmp_path):
    tables = [run(seed, n=23)[0] for seed in range(3)]
    check([curate.merge(tables[:2]), curate.merge(tables[2:])], tmp_path)


def test_a_folder_is_a_table(tmp_path):
    tables = [run(seed, n=23)[0] for seed in range(2)]
    for part in range(2):
        curate.write(tables[0].slice(12 * part, 12), tmp_path / f"folder/{part}.parquet")
    curate.write(tables[1], tmp_path / "other.parquet")
    merge_files([tmp_path / "folder", tmp_path / "other.parquet"], tmp_path / "merged.parquet")
    assert curate.read(tmp_path / "merged.parquet").equals(curate.merge(tables))


def test_metadata_that_all_share_stays_and_other_data_are_refused(tmp_path):
    tables = [curate.table.annotate(run(seed)[0], fingerprint="one") for seed in range(2)]
    check(tables, tmp_path)
    tables[1] = curate.table.annotate(tables[1], fingerprint="two")
    with pytest.raises(curate.CurateError, match="different data sets"):
        merge_files(written(tables, tmp_path), tmp_path / "new.parquet")
    assert not (tmp_path / "new.parquet").exists()


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_wrong_is_named_and_the_old_file_stays(tmp_path, order):
    one, other = run(0)[0], run(1)[0].take(pa.array(range(12)[::order]))
    wrong = other.set_column(1, "label", pc.add(other["label"], 1))
    out = tmp_path / "merged.parquet"
    out.write_text("old")
    with pytest.raises(curate.CurateError, match="has label"):
        merge_files(written([one, wrong], tmp_path), out)
    fewer = written([one, other.drop_columns(["loss_mean"])], tmp_path)
    with pytest.raises(curate.CurateError, match=r"run1.parquet' and .*run0.parquet' differ"):
        merge_files(fewer, out)
    lacking = written([one, other.drop_columns(["first_learned"])], tmp_path)
    with pytest.raises(curate.CurateError, match=r"run1.parquet' lacks \['first_learned'\]"):
        merge_files(lacking, out)
    with pytest.raises(curate.CurateError, match="paths: .*a list"):
        merge_files([], out)
    with pytest.raises(curate.CurateError, match="no file or folder"):
        merge_files([tmp_path / "none.parquet"], out)
    assert out.read_text() == "old"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
