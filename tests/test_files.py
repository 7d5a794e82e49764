"""Files and folders appear whole or not at all."""

import errno

import pytest

from curate.errors import CurateError
from curate.files import atomic_folder, atomic_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def allow(target):
    """Any folder may be replaced."""


def half_a_file(file, error):
    with atomic_path(file) as path:
        path.write_text("half")
        raise error


def half_a_folder(folder, error):
    with atomic_folder(folder, allow) as path:
        (path / "b").write_text("half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError(errno.ENOSPC, "full")])
@pytest.mark.parametrize("old", [None, "old"])
def test_an_error_leaves_what_was_there(error, old, tmp_path):
    file, folder = tmp_path / "file", tmp_path / "folder"
    if old is not None:
        file.write_text(old)
        folder.mkdir()
        (folder / "a").write_text(old)
    before = names(tmp_path)
    kind = type(error) if isinstance(error, OSError) else error
    with pytest.raises(kind):
        half_a_file(file, error)
    with pytest.raises(kind):
        half_a_folder(folder, error)
    assert names(tmp_path) == before
    if old is not None:
        assert file.read_text() == old
        assert names(folder) == ["a"]


def test_success_replaces_the_whole(tmp_path):
    file, folder = tmp_path / "deep" / "file", tmp_path / "deep" / "folder"
    for text in ("one", "two"):
        with atomic_path(file) as path:
            path.write_text(text)
        with atomic_folder(folder, allow) as path:
            (path / text).write_text(text)
    assert file.read_text() == "two"
    assert names(folder) == ["two"]
    assert names(tmp_path / "deep") == ["file", "folder"]


def test_a_folder_that_may_not_be_replaced_is_refused_before_and_after(tmp_path):
    calls = []

    def refuse(target):
        calls.append(target.exists())
        if target.exists():
            raise CurateError("path: it is there")

    def another_is_faster():
        with atomic_folder(target, refuse) as path:
            (path / "mine").write_text("mine")
            target.mkdir()
            (target / "theirs").write_text("theirs")

    target = tmp_path / "folder"
    with pytest.raises(CurateError, match="it is there"):
        another_is_faster()
    assert calls == [False, True]
    assert names(target) == ["theirs"]
    assert names(tmp_path) == ["folder"]


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(CurateError, match="is a folder"), atomic_path(tmp_path):
        pass


@pytest.mark.parametrize("name", ["語" * 80, "é" * 120, "x" * 250, "a" * 99 + "é" * 20])
def test_long_names_of_many_bytes(name, tmp_path):
    with atomic_path(tmp_path / name) as path:
        path.write_text("x")
    assert names(tmp_path) == [name]
