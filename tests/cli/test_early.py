"""Whatever is wrong with a run is said before anything is trained."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate
from curate.cli.app import main
from curate.errors import CurateError
from curate.exporting import FORMATS, check_export
from tests.data.pictures import write_folder


@pytest.fixture
def no_training(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("it was trained")

    monkeypatch.setattr("curate.experiment.run_experiment", refuse)
    monkeypatch.setattr("curate.experiment.smallest_set", refuse)


def run(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(["run", "--keep", "0.5", *map(str, arguments)])
    return caught.value.code


@pytest.fixture
def features(tmp_path):
    table = pa.table({"features": [[float(n), 1.0] for n in range(40)], "label": [0, 1] * 20})
    pq.write_table(table, tmp_path / "f.parquet")
    return tmp_path / "f.parquet"


@pytest.fixture
def texts(tmp_path):
    table = pa.table({"text": [f"word {n}" for n in range(40)], "label": [0, 1] * 20})
    pq.write_table(table, tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


@pytest.mark.parametrize("kind", ["features", "texts"])
def test_a_format_that_cannot_hold_the_examples(request, no_training, capsys, tmp_path, kind):
    path = request.getfixturevalue(kind)
    command = ("--dataset", path, "--format", "imagefolder", "--out", tmp_path / "out")
    assert run(*command) == 2
    assert "holds no image" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_place_that_may_not_be_replaced(features, no_training, capsys, tmp_path):
    (tmp_path / "out" / "pruned").mkdir(parents=True)
    (tmp_path / "out" / "pruned" / "thesis.txt").write_text("mine")
    assert run("--dataset", features, "--out", tmp_path / "out") == 2
    assert "'thesis.txt', which no export wrote" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out", "FILE"], "is a file; give a folder"),
        (["--out", "FILE/deep/er"], "is a file; give a folder"),
        (["--out", ""], "--out: '' is no name"),
        (["--seeds", "1" + "0" * 23], "--seeds: 1"),
        (["--epochs", "1" + "0" * 23], "--epochs: 1"),
        (["--device", ""], "--device: it is empty"),
        (["--model", ""], "--model: it is empty"),
        (["--errors", "ignore"], "errors: 'ignore'; give 'raise' or 'skip'"),
    ],
)
def test_options_that_no_run_can_have(features, no_training, capsys, options, words):
    options = [option.replace("FILE", str(features)) for option in options]
    assert run("--dataset", features, *options) == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_the_check_is_silent_where_the_export_works(tmp_path, format):
    names = [f"{label}/{n}.png" for label in ("cat", "dog") for n in range(3)]
    write_folder(tmp_path / "set", names)
    data = curate.data.folder(tmp_path / "set")
    check_export(data, tmp_path / "out", format)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["", "a\0b", "s3://bucket/x"])
def test_places_that_are_no_folder_here(features, path):
    data = curate.data.parquet(features)
    with pytest.raises(CurateError, match="path: "):
        check_export(data, path)
    with pytest.raises(CurateError, match="path: .* is a file; give a folder in a folder"):
        check_export(data, features / "deep")
