import json
import os

import pytest

from curate.data import load
from curate.errors import CurateError
from curate.exporting import export
from curate.exporting.replacing import export_folder
from tests.exporting.selections import selection


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


FORMAT_NAMES = ("huggingface", "parquet", "imagefolder", "webdataset", "indices")


def export_digits(place, **options):
    data = load("digits", "test")
    chosen = selection(data.ids, range(20), data.labels)
    return export(data, chosen, place, **options)


@pytest.mark.parametrize("format", FORMAT_NAMES)
def test_an_export_is_replaced_by_one_of_any_format(tmp_path, format):
    place = export_digits(tmp_path / "out", format=format)
    for other in FORMAT_NAMES:
        export_digits(place, format=other, overwrite=True)
        export_digits(place, format=format, overwrite=True)


@pytest.mark.parametrize("format", FORMAT_NAMES)
@pytest.mark.parametrize("name", ["mine.txt", "data/mine.txt", "3/mine.png", "new/deep/x", ".note"])
def test_a_file_of_the_users_own_is_never_deleted_at_any_depth(tmp_path, format, name):
    place = export_digits(tmp_path / "out", format=format)
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_text("mine")
    before = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    with pytest.raises(CurateError, match=f"holds '{name}', which no export wrote"):
        export_digits(place, format=format, overwrite=True)
    assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == before
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("format", FORMAT_NAMES)
def test_an_edited_card_is_never_deleted(tmp_path, format):
    place = export_digits(tmp_path / "out", format=format)
    text = (place / "README.md").read_text()
    for edited in (text + "The licence is mine.", text.replace("curate", "Curate")):
        (place / "README.md").write_text(edited)
        with pytest.raises(CurateError, match=r"'README.md' in .* was changed since"):
            export_digits(place, format=format, overwrite=True)
        assert (place / "README.md").read_text() == edited
    (place / "README.md").write_text(text)
    export_digits(place, format=format, overwrite=True)


def test_a_file_that_was_put_in_the_place_of_ours_is_never_deleted(tmp_path):
    place = export_digits(tmp_path / "out", format="indices")
    (place / "kept.parquet").write_text("mine")
    with pytest.raises(CurateError, match=r"'kept.parquet' in .* was changed since"):
        export_digits(place, format="indices", overwrite=True)


def test_a_link_is_a_file_of_the_users_own(tmp_path):
    place = export_digits(tmp_path / "out")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("mine")
    (place / "data" / "thesis").symlink_to(tmp_path / "thesis", target_is_directory=True)
    with pytest.raises(CurateError, match="holds 'data/thesis', which no export wrote"):
        export_digits(place, overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "mine"


@pytest.mark.parametrize("format", FORMAT_NAMES)
def test_exports_that_list_their_folders_only_are_replaced_too(tmp_path, format):
    """As they were written before every file was listed."""
    place = export_digits(tmp_path / "out", format=format)
    told = json.loads((place / "provenance.json").read_text())
    told["contents"] = sorted(os.listdir(place))
    (place / "provenance.json").write_text(json.dumps(told))
    mine = place / ("data" if format == "huggingface" else "3") / "mine.txt"
    if mine.parent.is_dir():
        mine.write_text("mine")
        with pytest.raises(CurateError, match=r"mine.txt', which no export wrote"):
            export_digits(place, format=format, overwrite=True)
        mine.unlink()
    export_digits(place, format=format, overwrite=True)
