import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import curate
from curate.cli.app import main


def suspects(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["suspects", *arguments])
    return stopped.value.code


def test_pictures_in_the_wrong_folder_are_listed(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 200, 32)
    pictures = {"across": np.tile(ramp, (32, 1)), "down": np.tile(ramp[:, None], (1, 32))}
    wrong = set()
    for row in range(400):
        kind = ("across", "down")[row % 2]
        folder = kind
        if row % 9 == 0:
            folder = ("down", "across")[row % 2]
            wrong.add(f"{folder}/{row}.png")
        pixels = pictures[kind] + rng.integers(0, 40, (32, 32))
        (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "set" / folder / f"{row}.png")
    assert suspects("set", "--json", "--out", "found") in (0, None)
    summary = json.loads(capsys.readouterr().out)
    table = curate.read("found/suspects.parquet")
    listed = {str(name) for name in table["example_id"].to_pylist()}
    assert summary["suspects"] == len(table) > 0
    assert len(wrong & listed) >= 0.6 * len(wrong)
    assert len(wrong & listed) >= 0.7 * len(listed)
    every = curate.read("found/examples.parquet")
    assert len(every) == 400
    assert np.argmin(curate.score(every, "mislabel")) == every["example_id"].to_pylist().index(
        table["example_id"][0].as_py()
    )
    assert suspects("set") in (0, None)
    assert "the 20 most doubtful labels" in capsys.readouterr().out
    assert (tmp_path / "runs/set-suspects/suspects.parquet").exists()


def test_a_recorded_table_is_ranked_without_an_estimate(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    margins = [1.0, -2.0, None, 3.0, -1.0]
    table = pa.table({"example_id": [f"[red]{i}" for i in range(5)], "margin_mean": margins})
    curate.write(table, "examples.parquet")
    assert suspects("examples.parquet", "--json") in (0, None)
    summary = json.loads(capsys.readouterr().out)
    assert (summary["by"], summary["suspects"], summary["precision"]) == ("aum", 2, None)
    assert summary["examples"] == 4
    assert suspects("examples.parquet") in (0, None)
    assert "[red]1" in capsys.readouterr().out


def test_bad_arguments_are_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert suspects("digits", "--precision", "1") == 2
    assert suspects("digits", "--features", "nose") == 2
    assert suspects("nowhere") == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1].strip() for line in said] == [
        "--precision", "--features", "name_or_path",
    ]  # fmt: skip
