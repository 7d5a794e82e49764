"""The options of ``curate prune`` and ``curate export`` come from the registries."""

import importlib
import json
import re
from pathlib import Path

import pytest
import typer

import curate
from curate.cli.app import app, main
from curate.exporting import FORMATS
from curate.pruning import STRATEGIES, Selection
from curate.scores import SCORES
from tests.example_tables import example_table

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return caught.value.code or 0, printed.out, printed.err


def options_of(name):
    command = typer.main.get_command(app).commands[name]
    return {parameter.name: parameter for parameter in command.params}


def listed(option):
    """What the row of an option in the docs lists, as code."""
    row = next(line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{option}`"))
    return row.split("|")[2].strip(), re.findall("`([^`]+)`", row.split("|")[2])


def test_help_and_docs_name_what_is_registered():
    options = options_of("prune")
    for name in SCORES:
        assert re.search(rf"\b{name}\b", options["by"].help)
    for name, entry in STRATEGIES.items():
        assert f"{name} ({entry.help})" in options["strategy"].help
        for key, option in entry.options.items():
            assert options[key].help == f"{name}: {option.help}."
            assert listed(f"--{key.replace('_', '-')}")[0] == f"`{name}`: {option.help}"
    for name in FORMATS:
        assert re.search(rf"\b{name}\b", options_of("export")["format"].help)
    assert listed("--by")[1] == [*SCORES, "influence"]
    assert listed("--strategy")[1] == list(STRATEGIES)
    (formats,) = re.findall(r"`--format` is one of (.*)\.", PAGE.read_text())
    assert formats == ", ".join(f"`{name}`" for name in FORMATS)


@pytest.mark.parametrize(
    ("strategy", "given"),
    [("window", {"drop_hardest": 0.2}), ("ccs", {"hard_cutoff": 0.3, "strata": 7}), ("ccs", {})],
)
def test_options_reach_the_strategy(strategy, given, tmp_path, capsys):
    table = example_table(60)
    curate.write(table, tmp_path / "t.parquet")
    flags = [
        word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)
    ]
    code, out, _ = call(
        capsys, "prune", tmp_path / "t.parquet", "--by", "last_loss", "--strategy", strategy,
        *flags, "--keep", "0.5", "--out", tmp_path / "s.parquet", "--json",
    )  # fmt: skip
    assert code == 0
    policy = json.loads(out)
    assert policy.pop("selection") == str(tmp_path / "s.parquet")
    assert policy == curate.prune(table, 0.5, "last_loss", strategy, **given).policy
    code, _, err = call(
        capsys, "prune", tmp_path / "t.parquet", "--strata", 3, "--out", tmp_path / "s.parquet"
    )
    assert (code, err) == (
        2,
        "curate: strata: the strategy 'hardest' does not take it; it takes no options\n",
    )


@pytest.mark.parametrize(
    ("flags", "streamed"),
    [
        (["--strategy", "window", "--drop-hardest", "0.2"], True),
        (["--by", "last_loss"], True),
        (["--strategy", "moderate"], False),
        (["--stratify", "label"], False),
        (["--ties", "margin"], False),
        (["--min-per-class", "2"], False),
    ],
)
def test_a_large_table_is_streamed_where_that_can_be(
    flags, streamed, tmp_path, capsys, monkeypatch
):
    curate.write(example_table(60), tmp_path / "t.parquet")
    small, large = tmp_path / "small.parquet", tmp_path / "large.parquet"
    code, _, _ = call(capsys, "prune", tmp_path / "t.parquet", *flags, "--out", small)
    assert code == 0
    monkeypatch.setattr(importlib.import_module("curate.pruning.on_disk.prune_file"), "LARGE", 59)
    code, out, _ = call(capsys, "prune", tmp_path / "t.parquet", *flags, "--out", large)
    assert code == 0
    assert large.is_dir() == streamed == ("streamed from disk" in out)
    assert "42 of 60 examples kept" in out
    first, second = Selection.load(small), Selection.load(large)
    assert second.policy == first.policy
    assert second.table.equals(first.table)


def test_a_column_that_is_not_there_is_named(tmp_path, capsys):
    curate.write(example_table(9), tmp_path / "t.parquet")
    code, _, err = call(
        capsys, "prune", tmp_path / "t.parquet", "--by", "beauty", "--out", tmp_path / "s.parquet"
    )
    assert code == 2
    assert "by: 'beauty' is no score and no column of the table" in err
