import json
import os

import pytest

from curate.errors import CurateError
from curate.exporting.replacing import export_folder


def fill(place, overwrite=False, text="new", names=("data.txt",)):
    with export_folder(place, overwrite) as folder:
        for name in names:
            (folder / name).write_text(text)
        contents = [*names, "provenance.json"]
        told = {"written_by": "curate.export", "contents": contents}
        (folder / "provenance.json").write_text(json.dumps(told))


def test_the_folder_appears_when_all_is_written(tmp_path):
    target = tmp_path / "deep" / "down"
    with export_folder(target, overwrite=False) as folder:
        (folder / "a").mkdir()
        (folder / "a" / "b").write_text("b")
        assert not target.exists()
        assert folder.parent == target.parent  # one file system: the rename is atomic
    assert (target / "a" / "b").read_text() == "b"
    assert os.listdir(target.parent) == ["down"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
@pytest.mark.parametrize("before", [None, "empty", "export"])
def test_an_error_leaves_what_was_there(tmp_path, error, before):
    target = tmp_path / "out"
    if before == "empty":
        target.mkdir()
    if before == "export":
        fill(target, text="old")

    def fail():
        with export_folder(target, overwrite=True) as folder:
            (folder / "half").write_text("half")
            raise error(5, "went wrong")

    with pytest.raises(error):
        fail()
    assert os.listdir(tmp_path) == ([] if before is None else ["out"])
    if before == "export":
        assert (target / "data.txt").read_text() == "old"
    if before == "empty":
        assert os.listdir(target) == []


def test_a_failing_rename_brings_the_old_export_back(tmp_path, monkeypatch):
    target = tmp_path / "out"
    fill(target, text="old")
    replace = os.replace

    def failing(source, destination):
        if str(source).endswith(".tmp"):
            raise OSError(28, "No space left on device")
        replace(source, destination)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match=r"no export to .*out.*untouched.*No space left"):
        fill(target, overwrite=True)
    monkeypatch.undo()
    assert (target / "data.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_overwrite_replaces_an_earlier_export_only(tmp_path):
    target = tmp_path / "out"
    fill(target, text="old", names=("data.txt", "more.txt"))
    with pytest.raises(CurateError, match=r"path: .*is not empty; give another, or overwrite"):
        fill(target)
    fill(target, overwrite=True)
    assert sorted(os.listdir(target)) == ["data.txt", "provenance.json"]
    assert (target / "data.txt").read_text() == "new"
    (target / "thesis.txt").write_text("mine")
    with pytest.raises(CurateError, match=r"'thesis.txt', which no export wrote"):
        fill(target, overwrite=True)
    assert (target / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("told", [None, "no json", "[]", '{"written_by": "someone"}', "{}"])
def test_a_foreign_folder_is_never_deleted(tmp_path, told):
    target = tmp_path / "out"
    target.mkdir()
    (target / "precious.txt").write_text("precious")
    if told is not None:
        (target / "provenance.json").write_text(told)
    with pytest.raises(CurateError, match="replaces earlier exports only"):
        fill(target, overwrite=True)
    assert (target / "precious.txt").read_text() == "precious"


def test_a_file_is_not_replaced_and_an_empty_folder_is(tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(CurateError, match="is a file"):
        fill(tmp_path / "file", overwrite=True)
    (tmp_path / "empty").mkdir()
    fill(tmp_path / "empty")
    assert (tmp_path / "empty" / "data.txt").exists()


def test_a_folder_that_came_to_be_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "out"

    def race():
        with export_folder(target, overwrite=False) as folder:
            (folder / "mine").write_text("mine")
            target.mkdir()
            (target / "theirs").write_text("theirs")

    with pytest.raises(CurateError, match="is not empty"):
        race()
    assert os.listdir(target) == ["theirs"]
    assert os.listdir(tmp_path) == ["out"]


def test_through_a_link_its_target_is_replaced(tmp_path):
    fill(tmp_path / "real", text="old")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    fill(tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "data.txt").read_text() == "new"
