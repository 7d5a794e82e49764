"""``curate run`` without a number: the smallest set that does."""

import json

import pytest

import curate
from curate.cli.app import main


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code or 0, captured.out, captured.err


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The folder of a search on the digits, with few short trainings."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    with pytest.raises(SystemExit) as caught:
        main(["run", "--epochs", "3", "--seeds", "2", "--model", "mlp", "--margin", "0.2",
              "--out", str(folder)])  # fmt: skip
    assert not caught.value.code
    return folder


def test_the_first_command_answers_the_question(searched):
    summary = json.loads((searched / "summary.json").read_text())
    assert any("You need" in said or "Nothing smaller" in said for said in summary["verdicts"])
    assert {row["arm"] for row in summary["curve"]} >= {"all", "random"}
    assert summary["search"]
    assert summary["look"] == 1
    certified = [row["size"] for row in summary["claims"] if row["claimed"]]
    assert (searched / "pruned").exists() == (summary["policy"] is not None)
    if summary["policy"] is not None:
        kept = curate.Selection.load(searched / "selection.parquet")
        assert len(kept) in certified
        assert f"{len(kept):,} of 1,297" in summary["verdicts"][0]
    assert (searched / "report.html").exists()


def test_sizes_can_be_listed(tmp_path, capsys):
    code, out, _ = call(
        capsys, "run", "--keep", "0.8,0.5", "--by", "el2n", "--epochs", 1, "--seeds", 2, "--model",
        "mlp", "--protocol", "steps", "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert code == 0
    found = json.loads(out)
    assert {row["size"] for row in found["curve"]} == {1297, 1038, 649}
    assert len({row["steps"] for row in found["runs"]}) == 1
    assert found["search"] == []  # there was nothing to choose


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--keep", "0.7", "--budget", "20m"], "--budget: it is for --keep auto"),
        (["--keep", "0.7", "--protocol", "steps"], "--protocol: it is for --keep auto"),
        (["--keep", "0.7,x"], "--keep: 'x' is not a number"),
        (["--keep", "0.7,1.0"], "sizes: [0.7, 1.0]"),
        (["--budget", "soon"], "budget: 'soon'"),
        (["--seeds", "1"], "seeds: 1; give at least 2"),
        (["--strategy", "ccs"], "--by: it is searched"),
    ],
)
def test_wrong_input_is_one_sentence_before_any_training(options, words, capsys, tmp_path):
    code, out, err = call(capsys, "run", *options, "--out", tmp_path / "run")
    assert code == 2
    assert out == ""
    assert err.startswith("curate: ")
    assert len(err.splitlines()) == 1
    assert words in err
    assert not (tmp_path / "run").exists()
