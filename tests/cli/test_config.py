"""A run's options go into a file, and come from one."""

import json

import pytest

from curate.cli.app import main

QUICK = ["--keep", "0.5", "--model", "mlp", "--epochs", "1", "--seeds", "2"]


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["run", *arguments])
    return stopped.value.code


def test_a_run_is_repeated_from_its_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*QUICK, "--min-per-class", "7", "--json") in (0, None)
    first = json.loads(capsys.readouterr().out)
    assert run("--config", "runs/digits/config.json", "--out", "again", "--json") in (0, None)
    again = json.loads(capsys.readouterr().out)
    for summary in (first, again):
        for row in summary["accuracies"]:
            del row["seconds"]
    for name in ("settings", "policy", "accuracies", "verdicts"):
        assert first[name] == again[name], name
    assert json.loads((tmp_path / "again/config.json").read_text()) == json.loads(
        (tmp_path / "runs/digits/config.json").read_text()
    )
    assert first["policy"]["min_per_class"] == 7
    assert run("--config", "again/config.json", "--epochs", "2", "--json") in (0, None)
    assert json.loads(capsys.readouterr().out)["settings"]["epochs"] == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"keeep": 0.5}', "--config: 'keeep' in 'own.json' is no option; give keep"),
        ('{"epochs": "many"}', "--epochs"),
        ('{"epochs": [1]}', "--config: 'epochs' in 'own.json' is [1]"),
        ('{"out": "x"}', "--config: 'out' in 'own.json' is no option"),
        ("[1]", "--config: 'own.json' holds no options"),
        ("{", "--config: 'own.json' cannot be read as JSON"),
        (None, "--config: 'own.json' cannot be read as JSON"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path, monkeypatch, capsys, content, message):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "own.json").write_text(content)
    assert run("--config", "own.json") == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "runs").exists()
