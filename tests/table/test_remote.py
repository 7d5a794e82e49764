"""Tables and data sets that are not on this machine, through pyarrow's and fsspec's systems."""

import uuid
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.fs as pafs
import pytest

import curate
from curate.bias import as_sources
from curate.data import folder, load, parquet
from curate.errors import CurateError
from curate.report import inspect
from curate.table.remote import is_remote, local_copy, open_place
from tests.data.pictures import write_folder
from tests.example_tables import example_table
from tests.exporting.selections import selection

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("fsspec.implementations.memory")


class Bucket(fsspec.implementations.memory.MemoryFileSystem):
    """Like an object store: nothing is renamed, appended to or locked, folders are but names."""

    protocol = "bucket"
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("bucket://", "memory://", 1))

    def _open(self, path, mode="rb", **options):
        if mode not in ("rb", "wb"):
            raise NotImplementedError(f"a bucket opens nothing with {mode}")
        return super()._open(path, mode, **options)

    def _refuse(self, *arguments, **options):
        raise NotImplementedError("a bucket cannot do this")

    mv = move = rename = cp_file = touch = modified = created = _refuse


fsspec.register_implementation("bucket", Bucket)


@pytest.fixture(params=["memory", "file", "bucket"])
def place(request, tmp_path, monkeypatch):
    """A folder elsewhere: of fsspec (as s3fs would be), or of pyarrow itself."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if request.param != "file":
        return f"{request.param}://{uuid.uuid4().hex}"
    return f"file://{tmp_path / 'elsewhere'}"


def copy_there(source, uri):
    system, path = open_place(uri)
    for file in sorted(Path(source).rglob("*")):
        if file.is_file():
            target = f"{path}/{file.relative_to(source).as_posix()}"
            system.create_dir(target.rpartition("/")[0], recursive=True)
            with system.open_output_stream(target) as stream:
                stream.write(file.read_bytes())


def test_a_table_is_written_read_pruned_and_inspected_there(place):
    table = example_table(50, seed=1, strings=True)
    curate.write(table, f"{place}/deep/examples.parquet")
    for path in (f"{place}/deep/examples.parquet", f"{place}/deep"):
        assert curate.read(path)["example_id"].equals(table["example_id"])
        assert curate.read(path, ["label"]).column_names == ["label"]
        assert curate.prune(path, 0.5).kept_ids.equals(curate.prune(table, 0.5).kept_ids)
        assert inspect(path).counts == inspect(table).counts
    chosen = curate.prune(table, 0.5)
    chosen.save(f"{place}/selection.parquet")
    assert curate.Selection.load(f"{place}/selection.parquet").policy == chosen.policy


def test_partitions_there(place):
    for seed in (0, 1):
        curate.write(example_table(5, seed=seed), f"{place}/seeds/seed={seed}/examples.parquet")
    assert curate.read(f"{place}/seeds")["seed"].to_pylist() == [0] * 5 + [1] * 5


def test_what_is_not_there_is_named(place):
    for call in (curate.read, parquet, folder, load, inspect, curate.prune):
        with pytest.raises(
            CurateError, match=r"there is no file or folder '(memory|file|bucket)://"
        ):
            call(f"{place}/nowhere.parquet")


def test_an_unknown_scheme_and_a_path_that_lost_a_slash_are_named():
    with pytest.raises(CurateError, match=r"'nonsense://x' cannot be reached"):
        curate.read("nonsense://x")
    with pytest.raises(CurateError, match="pathlib drops a slash"):
        curate.read(Path("s3://bucket/examples.parquet"))
    assert not is_remote("C:\\examples.parquet")
    assert not is_remote(Path("examples.parquet"))


def test_an_image_folder_there_is_loaded_from_a_copy(place, tmp_path):
    names = [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(5)]
    write_folder(tmp_path / "set", names)
    copy_there(tmp_path / "set", f"{place}/set")
    data = folder(f"{place}/set")
    assert data.ids == names
    assert data.arrays()[0].shape == (10, 3, 8, 8)
    assert len(load(f"{place}/set")) + len(load(f"{place}/set", "test")) == 10
    [source, _] = as_sources({"one": f"{place}/set", "two": f"{place}/set"})
    assert source.ids == names
    first = local_copy(f"{place}/set")
    assert local_copy(f"{place}/set") == first
    write_folder(tmp_path / "more", ["cat/9.png"])
    copy_there(tmp_path / "more", f"{place}/set")
    assert len(folder(f"{place}/set")) == 11
    with pytest.raises(CurateError, match="is not on this machine; export to a folder here"):
        curate.export(data, selection(data.ids, [0]), f"{place}/out")


def test_a_table_of_features_there_is_loaded(place):
    table = pa.table({"example_id": range(6), "features": [[1.0, 2.0]] * 6, "label": [0, 1] * 3})
    curate.write(table, f"{place}/t.parquet")
    assert parquet(f"{place}/t.parquet").labels.tolist() == [0, 1] * 3


@pytest.mark.parametrize("uri", ["gs://bucket/x", "abfs://container@account/x"])
def test_object_stores_are_those_of_pyarrow(uri):
    try:
        system, _ = open_place(uri)
    except CurateError:
        pytest.skip("this pyarrow is built without it")
    assert isinstance(system, pafs.FileSystem)


@pytest.mark.parametrize("path", ["", None, 3, "a\0b", "x" * 300])
def test_what_is_no_name_of_a_file_is_named(path):
    with pytest.raises(CurateError, match="path: "):
        curate.read(path)
