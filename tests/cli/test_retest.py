"""``curate retest`` from Parquet files to JSON, tables, the picture and the report."""

import json

import pyarrow.parquet as pq
import pytest

from curate.retest import accuracy_gap
from tests.cli.test_cli import call
from tests.retest.worlds import predictions


@pytest.fixture
def files(tmp_path):
    old, new = (
        predictions([0.7, 0.8, 0.9, 0.93], 800, 1),
        predictions([0.6, 0.7, 0.85, 0.9], 400, 2),
    )
    pq.write_table(old, tmp_path / "old.parquet")
    pq.write_table(new, tmp_path / "new.parquet")
    return tmp_path / "old.parquet", tmp_path / "new.parquet"


def test_json_is_what_python_finds(files, tmp_path, capsys):
    out = tmp_path / "out"
    code, text, err = call(
        capsys, "retest", *files, "--resamples", 200, "--out", out, "--mix", "equal", "--json"
    )
    assert (code, err) == (0, "")
    found = json.loads(text)
    gap = accuracy_gap(*files, resamples=200, mix="equal")
    assert found["table"] == gap.table.to_pylist()
    assert found["fits"] == gap.fits.to_pylist()
    assert found["verdicts"] == list(gap.verdicts)
    assert (found["models"], found["images"]) == (4, [800, 400])
    assert json.loads((out / "summary.json").read_text())["mean_gap"]["gap"] == gap.mean_gap[0]
    for name in ("table", "accuracies", "pairs", "fits", "robustness"):
        assert pq.read_table(out / f"{name}.parquet").equals(getattr(gap, name))
    page = (out / "report.html").read_text()
    assert "model_03" in page
    assert page.count("<svg") == 2
    assert (out / "accuracies.svg").read_text().startswith("<svg")


def test_it_says_in_words_what_it_found(files, tmp_path, capsys):
    code, text, err = call(capsys, "retest", *files, "--resamples", 200, "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert "points lower on average over 4 models" in text
    assert "report.html" in text


def test_two_models_have_a_report_without_a_line(files, tmp_path, capsys):
    for place in files:
        pq.write_table(pq.read_table(place, columns=["label", "model_00", "model_01"]), place)
    code, _, err = call(capsys, "retest", *files, "--resamples", 200, "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert "Do gains carry over" not in (tmp_path / "out" / "report.html").read_text()


def test_a_name_is_mapped_and_what_is_left_out_is_said(files, tmp_path, capsys):
    new = pq.read_table(files[1])
    renamed = [name if name != "model_01" else "other" for name in new.column_names]
    pq.write_table(new.rename_columns(renamed), files[1])
    options = ("--resamples", 200, "--out", tmp_path / "out", "--json")
    code, text, err = call(capsys, "retest", *files, "--rename", "other=model_01", *options)
    assert (code, err, json.loads(text)["models"]) == (0, "", 4)
    code, text, err = call(capsys, "retest", *files, *options)
    assert (code, json.loads(text)["models"]) == (0, 3)
    assert "'model_01' of original, 'other' of new" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rename", "x"), "--rename: 'x'"),
        (("--classes", "0,a"), "--classes: '0,a'"),
        (("--classes", "few"), "classes: 'few'"),
        (("--mix", "few"), "mix: 'few'"),
        (("--resamples", 3), "--resamples: 3"),
        (("--out", ""), "--out: ''"),
    ],
)
def test_bad_options_end_in_one_sentence(files, options, said, capsys):
    code, text, err = call(capsys, "retest", *files, *options)
    assert (code, text) == (2, "")
    assert err.count("\n") == 1
    assert said in err


def test_the_same_file_twice(files, capsys):
    code, _, err = call(capsys, "retest", files[0], files[0])
    assert code == 2
    assert "the same images as original" in err
