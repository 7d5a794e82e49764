"""Tar shards are read as the ``webdataset`` package writes them, where they lie."""

import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

import curate
from curate.bias import as_sources
from curate.cli.options import opened
from curate.data import folder, load, webdataset
from curate.errors import CurateError
from curate.features import extract
from curate.table import remote
from tests.data.pictures import encoded, pixels, write_folder
from tests.exporting.selections import selection


def write_shard(path, members, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def example(key, seed, label=b"1", **facts):
    members = [(f"{key}.png", encoded(pixels(seed)))]
    if label is not None:
        members.append((f"{key}.cls", label))
    return members + ([(f"{key}.json", json.dumps(facts).encode())] if facts else [])


@pytest.fixture
def shards(tmp_path):
    place = tmp_path / "shards"
    place.mkdir()
    for number in range(3):
        keys = range(4 * number, 4 * number + 4)
        members = [one for key in keys for one in example(f"a/{key:03d}", key, b"%d" % (key % 2))]
        write_shard(place / f"part-{number}.tar", members)
    return place


def test_images_classes_and_names(shards):
    data = webdataset(shards)
    assert data.ids == [f"a/{key:03d}" for key in range(12)]
    assert data.labels.tolist() == [0, 1] * 6
    assert data.class_names is None
    for row in range(12):
        assert data.encoded[row] == encoded(pixels(row))
        np.testing.assert_array_equal(data.image(row), pixels(row))
    one = webdataset(shards / "part-1.tar")
    assert one.ids == data.ids[4:8]
    assert extract(one, "colour").shape == (4, 3072)


def test_every_door_takes_them(shards):
    assert load(str(shards)).ids + load(str(shards), "test").ids != webdataset(shards).ids
    parts = load(str(shards)), load(str(shards), "test")
    assert sorted(parts[0].ids + parts[1].ids) == webdataset(shards).ids
    assert len(as_sources({"a": str(shards), "b": "digits"})[0]) == 12
    assert opened(str(shards), "train", None).ids == webdataset(shards).ids


def test_shards_at_a_uri(shards, tmp_path, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fsspec.filesystem("memory").put(str(shards), "/shards-of-a-test", recursive=True)
    for uri in ("memory://shards-of-a-test", shards.as_uri()):
        data = pickle.loads(pickle.dumps(webdataset(uri)))
        assert data.ids == webdataset(shards).ids
        for row in (11, 0, 5, 4):
            assert data.encoded[row] == encoded(pixels(row))
        assert webdataset(f"{uri}/part-1.tar").ids == data.ids[4:8]
    assert not (tmp_path / "cache").exists()  # they are read where they lie
    assert load(uri).shape == data.shape
    assert (tmp_path / "cache").exists()
    fsspec.filesystem("memory").mkdir("/shards-of-a-test/none")
    with pytest.raises(CurateError, match=r"'memory://shards-of-a-test/none' holds no .tar file"):
        webdataset("memory://shards-of-a-test/none")
    for path, message in ((Path("s3://b/x.tar"), "pathlib drops a slash"), (None, "path: None is")):
        with pytest.raises(CurateError, match=message):
            webdataset(path)
    with pytest.raises(CurateError, match="there is no file or folder 'memory://nowhere.tar'"):
        webdataset("memory://nowhere.tar")


def test_of_a_shard_at_a_uri_only_what_is_asked_for_is_fetched(tmp_path, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    members = [(f"{row}.png", encoded(pixels(row, 300, 300))) for row in range(40)]
    members = [one for row, member in enumerate(members) for one in (member, (f"{row}.cls", b"0"))]
    write_shard(tmp_path / "one.tar", members)
    memory.put(str(tmp_path / "one.tar"), "/one-of-a-test.tar")
    data = webdataset("memory://one-of-a-test.tar")
    fetched = []

    class Counted(io.BytesIO):
        def read(self, size=-1):
            found = super().read(size)
            fetched.append(len(found))
            return found

    content = memory.cat_file("/one-of-a-test.tar")
    monkeypatch.setattr(type(memory), "_open", lambda self, path, *a, **k: Counted(content))
    remote._held.key = None
    assert data.encoded[20] == members[40][1]
    assert sum(fetched) < len(content) / 4
    fetched.clear()
    assert data.encoded[21] == members[42][1]  # lies beside it
    assert not fetched or sum(fetched) < len(content) / 4


def test_a_shard_at_a_uri_that_is_gone_is_named(shards):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.put(str(shards / "part-1.tar"), "/gone-in-a-test.tar")
    data = webdataset("memory://gone-in-a-test.tar")
    memory.rm("/gone-in-a-test.tar")
    remote._held.key = None
    with pytest.raises(CurateError, match="'memory://gone-in-a-test.tar' cannot be reached"):
        data.encoded[0]


def test_what_we_export_comes_back(tmp_path):
    pytest.importorskip("webdataset")
    names = [f"{label}/{number}.png" for label in ("cat", "dog", "eel") for number in range(3)]
    contents = write_folder(tmp_path / "source", names)
    data = folder(tmp_path / "source")
    place = curate.export(data, selection(data.ids, [0, 1, 4, 6]), tmp_path / "out", "webdataset")
    again = webdataset(place)
    assert again.ids == [data.ids[row] for row in (0, 1, 4, 6)]
    assert again.labels.tolist() == data.labels[[0, 1, 4, 6]].tolist()
    assert again.class_names == ["cat", "dog", "eel"]
    assert [again.encoded[row] for row in range(4)] == [contents[name] for name in again.ids]


def test_shards_named_for_splits(shards):
    for name, seed in (("train-000.tar", 20), ("test-000.tar", 30)):
        keys = [seed, seed + 1]
        members = [one for key in keys for one in example(f"{key}", key, b"cat")]
        write_shard(shards / name, members)
    for part in shards.glob("part-*"):
        part.unlink()
    assert webdataset(shards, split="train").ids == ["20", "21"]
    assert webdataset(shards, split="test").ids == ["30", "31"]
    assert webdataset(shards, split="test").class_names == ["cat"]
    with pytest.raises(CurateError, match="give 'train' or 'test'"):
        webdataset(shards)


def test_ids_and_names_of_the_json(tmp_path):
    members = [*example("x.y", 0, None, example_id=7, class_name="b")]
    members += example("z", 1, None, example_id=3, class_name="a")
    write_shard(tmp_path / "one.tar", [("x.seg.png", encoded(pixels(9))), *members])
    data = webdataset(tmp_path)
    assert data.ids.tolist() == [7, 3]
    assert data.labels.tolist() == [1, 0]
    assert data.class_names == ["a", "b"]
    assert data.encoded[1] == encoded(pixels(1))


def test_broken_images_can_be_left_out(shards):
    write_shard(shards / "part-9.tar", [("bad.png", b"no image"), ("bad.cls", b"0")])
    with pytest.warns(curate.errors.CurateWarning, match="1 left out"):
        data = webdataset(shards, errors="skip")
    assert len(data) == 12
    assert list(data.left_out) == ["bad"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.cls", b"1")], "'a' in .* has no image"),
        ([("a.png", b"x")], "'a' in .* has no class"),
        (
            [*example("a", 0), *example("b", 1), *example("a", 2)],
            "occurs at position 0 and again",
        ),
        ([*example("a", 0), *example("b", 1, b"cat")], "some classes are numbers"),
        ([*example("a", 0), ("a.json", b"{")], "cannot be read"),
        ([], "holds no examples"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path, members, message):
    write_shard(tmp_path / "one.tar", members)
    with pytest.raises(CurateError, match=message) as caught:
        webdataset(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_compressed_and_torn_shards_are_named(tmp_path, shards):
    write_shard(tmp_path / "packed.tar", example("a", 0), "w:gz")
    with pytest.raises(CurateError, match=r"packed.tar.* without compression"):
        webdataset(tmp_path / "packed.tar")
    data = webdataset(shards)
    part = shards / "part-2.tar"
    part.write_bytes(part.read_bytes()[:1000])
    with pytest.raises(CurateError, match="ends too early"):
        data.image(11)
    with pytest.raises(CurateError, match=r"part-2.tar"):
        webdataset(shards)


def test_a_folder_of_classes_beside_a_tar_stays_one(tmp_path):
    write_folder(tmp_path, ["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"])
    write_shard(tmp_path / "backup.tar", example("a", 0))
    assert load(str(tmp_path)).class_names == ["cat", "dog"]
