"""The help: commands in groups, and an example of each that can be typed."""

import shlex

import pyarrow as pa
import pytest
import typer

import curate
from curate.cli.app import ABOUT, app, main
from tests.example_tables import example_table

COMMANDS = typer.main.get_command(app).commands


def said(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert not caught.value.code
    return capsys.readouterr().out


def test_every_command_is_in_a_group(capsys):
    assert set(ABOUT) == set(COMMANDS)
    out = said(capsys, "--help")
    place = -1
    for group in dict.fromkeys(about.group for about in ABOUT.values()):
        assert out.index(f"\n{group}:\n") > place
        place = out.index(f"\n{group}:\n")
        names = [name for name, about in ABOUT.items() if about.group == group]
        section = out[place:].split("\n\n")[0]
        assert [line.split()[0] for line in section.splitlines()[2:]] == names


@pytest.mark.parametrize("name", ABOUT)
def test_the_help_ends_in_an_example_that_parses(name, capsys):
    example = ABOUT[name].example
    assert said(capsys, name, "--help").rstrip().endswith(f"Example:\n    {example}")
    program, command, *arguments = shlex.split(example)
    assert (program, command) == ("curate", name)
    COMMANDS[name].make_context(name, arguments)  # raises where an option or argument is wrong


def test_the_examples_follow_each_other(tmp_path, monkeypatch, capsys):
    """Those on training sets that take no training: merge, prune, export; and inspect."""
    monkeypatch.chdir(tmp_path)
    digits = curate.data.load("digits")
    for seed, name in enumerate("ab"):
        table = example_table(len(digits), seed).drop_columns(["example_id", "label"])
        table = table.append_column("example_id", pa.array(digits.ids))
        table = table.append_column("label", pa.array(digits.labels))
        curate.write(table, f"{name}.parquet")
    for name in ("merge", "prune", "export", "inspect"):
        said(capsys, *shlex.split(ABOUT[name].example)[1:])
    kept = curate.Selection.load("selection.parquet")
    assert kept.policy["stratify"] == "label"
    assert (tmp_path / "pruned" / "README.md").is_file()


@pytest.mark.parametrize("given", [[], ["--stratify", "none"], ["--stratify", "label"]])
def test_stratify_says_the_same_in_run_and_prune(given, tmp_path, capsys):
    helps = {
        parameter.help
        for name in ("run", "prune")
        for parameter in COMMANDS[name].params
        if parameter.name == "stratify"
    }
    assert len(helps) == 1
    curate.write(example_table(60), tmp_path / "t.parquet")
    said(capsys, "prune", str(tmp_path / "t.parquet"), *given, "--out", str(tmp_path / "s.parquet"))
    policy = curate.Selection.load(tmp_path / "s.parquet").policy
    assert policy["stratify"] == ("label" if "label" in given else None)
