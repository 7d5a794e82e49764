"""What stops a command, from outside or by a wrong option, ends in one sentence."""

import json
import os
import signal
import warnings

import pytest

import curate
from curate.cli.app import main
from curate.errors import CurateWarning
from tests.data.pictures import write_folder
from tests.example_tables import example_table


def run(*arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code


@pytest.fixture(autouse=True)
def ctrl_c_counts():
    """A shell that runs the tests in the background has Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def table(tmp_path):
    curate.write(example_table(20), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGINT, 130, "interrupted; what was finished is kept"),
        (signal.SIGTERM, 143, "stopped by SIGTERM; what was finished is kept"),
    ],
)
def test_a_signal_ends_in_one_sentence_and_leaves_nothing(
    table, monkeypatch, capsys, number, code, words
):
    from curate.files import sync

    def stopped(path):
        if path.is_file():
            os.kill(os.getpid(), number)
        sync(path)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("curate.files.sync", stopped)
    assert run("prune", table, "--out", table.parent / "out.parquet") == code
    assert capsys.readouterr().err == f"curate: {words}\n"
    assert os.listdir(table.parent) == ["t.parquet"]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--seed", "-1"], "--seed: -1; give a whole number from 0"),
        (["--seed", "1" + "0" * 23], "; give a whole number from"),
        (["--repeats", "1" + "0" * 23], "; give a whole number from"),
        (["--repeats", "0"], "; give a whole number from"),
        (["--train-size", "0"], "; give a whole number from"),
        (["--test-size", "-5"], "; give a whole number from"),
        (["--features", "nonsense"], "--features: 'nonsense'; give"),
        (["--out", "FILE"], "is a file; give a folder"),
        (["--out", "FILE/deeper"], "is a file; give a folder"),
        (["--out", ""], "--out: '' is no name"),
    ],
)
def test_wrong_options_of_identify_are_named(table, capsys, options, words):
    options = [option.replace("FILE", str(table)) for option in options]
    assert run("identify", f"a={table}", f"b={table}", *options) == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert len(shown.splitlines()) == 1


GOOD = {
    "dataset": "digits",
    "title": "t",
    "facts": {},
    "accuracies": [],
    "intervals": None,
    "verdicts": [],
}


@pytest.mark.parametrize(
    "summary",
    [
        [],
        "digits",
        {},
        {**GOOD, "dataset": ["digits"]},
        {**GOOD, "dataset": None},
        {**GOOD, "accuracies": {"arm": "full"}},
        {**GOOD, "accuracies": [1]},
        {**GOOD, "verdicts": "good"},
        {key: value for key, value in GOOD.items() if key != "title"},
    ],
)
def test_a_summary_of_something_else_is_refused(tmp_path, capsys, summary):
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert run("report", tmp_path) == 2
    assert "is not a summary that curate run wrote" in capsys.readouterr().err


def test_broken_images_are_skipped_and_counted(tmp_path, capsys):
    names = [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(5)]
    write_folder(tmp_path / "set", names)
    (tmp_path / "set" / "cat" / "9.png").write_bytes(b"")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CurateWarning)
        data = curate.data.load(tmp_path / "set", errors="skip")
    table = example_table(len(data)).set_column(0, "example_id", [data.ids])
    curate.prune(table, 0.5).save(tmp_path / "s.parquet")
    command = ["export", tmp_path / "set", tmp_path / "s.parquet", "--out", tmp_path / "out"]
    assert run(*command) == 2
    assert "'cat/9.png'" in capsys.readouterr().err
    with warnings.catch_warnings():  # the command line shows warnings in its own way
        warnings.simplefilter("always")
        assert not run(*command, "--errors", "skip")
    shown = capsys.readouterr()
    assert shown.err.startswith("curate: ")
    assert "1 left out, such as 'cat/9.png' (1 broken)" in shown.err
    assert "4 examples written" in shown.out
    assert run(*command, "--errors", "ignore", "--overwrite") == 2
    assert "errors: 'ignore'; give 'raise' or 'skip'" in capsys.readouterr().err
