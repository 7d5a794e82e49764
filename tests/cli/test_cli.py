import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch

import curate
from curate.cli.app import main


def call(capsys, *arguments):
    """Exit code, standard output, standard error of one command."""
    with pytest.raises(SystemExit) as caught:
        main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return caught.value.code or 0, out, err


SHORT = ["--keep", "0.7", "--epochs", "2", "--seeds", "2", "--model", "mlp"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a short run on the digits, made by the command itself."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    with pytest.raises(SystemExit) as caught:
        main(["run", *SHORT, "--out", str(folder)])
    assert not caught.value.code
    return folder


def test_run_takes_texts(tmp_path, capsys):
    texts = [f"{'good' if i % 2 else 'bad'} <b>word {i}</b>" for i in range(60)]
    rows = pa.table({"text": texts, "label": [i % 2 for i in range(60)]})
    curate.write(rows.append_column("example_id", pa.array(range(60))), tmp_path / "rows.parquet")
    out = tmp_path / "out"
    options = ("--dataset", tmp_path / "rows.parquet", "--epochs", 2, "--seeds", 2, "--out", out)
    code, _, err = call(capsys, "run", "--keep", 0.7, *options)
    assert (code, err) == (0, "")
    assert json.loads((out / "summary.json").read_text())["facts"]["model"] == "lightconv"
    kept = curate.data.parquet(out / "pruned")
    assert set(kept.texts) <= set(texts)
    page = (out / "report.html").read_text()
    assert "&lt;b&gt;word" in page
    assert "<b>word" not in page


def test_run_writes_what_the_docs_say(finished):
    files = {str(path.relative_to(finished)) for path in finished.rglob("*")}
    assert {
        "examples.parquet",
        "seeds/seed=0/examples.parquet",
        "seeds/seed=1/examples.parquet",
        "selection.parquet",
        "pruned/README.md",
        "pruned/provenance.json",
        "report.html",
        "forgetting.svg",
        "accuracy.svg",
        "summary.json",
    } <= files
    table = curate.read(finished / "examples.parquet")
    assert table["presentations"].to_pylist() == [4] * 1297
    about = curate.table.metadata(table)
    train_set = curate.data.load("digits")
    assert about["fingerprint"] == curate.data.fingerprint(train_set)
    assert about["class_names"] == list("0123456789")
    seeds = [curate.read(finished / f"seeds/seed={seed}/examples.parquet") for seed in (0, 1)]
    assert "history" in seeds[0].column_names
    assert (
        table["forgetting_events"].to_pylist()
        == np.add(*(seed["forgetting_events"].to_numpy() for seed in seeds)).tolist()
    )
    selection = curate.Selection.load(finished / "selection.parquet")
    assert len(selection) == 908  # 0.7 of 1,297
    summary = json.loads((finished / "summary.json").read_text())
    assert {row["arm"] for row in summary["accuracies"]} == {"full", "pruned", "random"}
    assert len(summary["verdicts"]) == 2
    assert summary["verdicts"][0] in (finished / "report.html").read_text()


def test_the_export_is_the_kept_examples(finished):
    datasets = pytest.importorskip("datasets")
    back = datasets.load_dataset(str(finished / "pruned"), split="train")
    selection = curate.Selection.load(finished / "selection.parquet")
    assert back["example_id"][:] == selection.kept_ids.to_pylist()


def test_run_again_trains_nothing(finished, capsys, monkeypatch):
    monkeypatch.setattr("curate.experiment.training.trainers.train", None)
    before = json.loads((finished / "summary.json").read_text())
    options = (*SHORT, "--out", finished, "--json")
    code, out, _ = call(capsys, "run", *options)
    assert code == 0
    found = json.loads(out)
    for name in ("accuracies", "policy", "verdicts"):
        assert found[name] == before[name]


def test_run_ranks_by_a_column_with_a_strategy_and_its_options(finished, capsys):
    code, out, _ = call(
        capsys, "run", "--epochs", 2, "--seeds", 2, "--model", "mlp", "--keep", "0.1", "--by",
        "last_loss", "--strategy", "window", "--drop-hardest", "0.2", "--out",
        finished.with_name("window"), "--json",
    )  # fmt: skip
    assert code == 0
    policy = json.loads(out)["policy"]
    assert (policy["by"], policy["strategy"]) == ("last_loss", "window")
    assert policy["drop_hardest"] == 0.2
    assert policy["kept"] == 130


def test_merge(finished, tmp_path, capsys):
    tables = [str(path) for path in sorted(finished.glob("seeds/*.parquet"))][:2]
    tables = tables or [str(finished / "examples.parquet")] * 2
    out = tmp_path / "merged.parquet"
    code, text, _ = call(capsys, "merge", *tables, "--out", out)
    expected = curate.merge([curate.read(table) for table in tables])
    assert code == 0
    assert f"2 tables merged: {len(expected):,} examples" in text
    assert curate.read(out).equals(expected)
    code, text, _ = call(capsys, "merge", *tables, "--out", out, "--json")
    assert json.loads(text) == {"tables": 2, "examples": len(expected), "merged": str(out)}
    code, _, said = call(capsys, "merge", "absent.parquet", "--out", out)
    assert (code, said.count("\n")) == (2, 1)
    assert "absent.parquet" in said


def test_prune_export_inspect_report(finished, tmp_path, capsys):
    table, chosen = finished / "examples.parquet", tmp_path / "s.parquet"
    code, out, _ = call(
        capsys, "prune", table, "--keep", "100", "--by", "aum", "--strategy", "window",
        "--drop-hardest", "0.2", "--stratify", "label", "--out", chosen,
    )  # fmt: skip
    assert code == 0
    assert "100 of 1,297 examples kept" in out
    code, out, _ = call(capsys, "prune", table, "--keep", "0.5", "--out", chosen, "--json")
    assert json.loads(out)["kept"] == 649
    code, out, _ = call(
        capsys, "export", "digits", chosen, "--out", tmp_path / "half", "--format", "parquet"
    )
    assert code == 0
    assert "649 examples written" in out
    code, out, _ = call(capsys, "inspect", table)
    assert code == 0
    assert "forgetting_events" in out
    assert "Most forgotten" in out
    code, out, _ = call(capsys, "inspect", table, "--json")
    assert json.loads(out)
    (finished / "report.html").unlink()
    code, out, _ = call(capsys, "report", finished)
    assert code == 0
    assert (finished / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--dataset", "nope"], "nope"),
        (["run", "--keep", "many"], "--keep: 'many' is not a number"),
        (["run", "--keep", "1.5"], "keep"),
        (["run", "--by", "beauty"], "beauty"),
        (["run", "--by", "influence"], "by: 'influence'"),
        (["run", "--by", "history"], "by: 'history'"),
        (["run", "--strategy", "luck"], "luck"),
        (["run", "--drop-hardest", "0.1"], "drop_hardest: the strategy 'hardest'"),
        (["run", "--strategy", "ccs", "--hard-cutoff", "2"], "hard_cutoff: 2.0"),
        (["run", "--stratify", "colour"], "colour"),
        (["run", "--never-learned", "maybe"], "maybe"),
        (["run", "--epochs", "0"], "epochs: 0"),
        (["run", "--epochs", "x"], "--epochs"),
        (["run", "--seeds", "0"], "--seeds: 0"),
        (["run", "--margin", "7"], "--margin: 7"),
        (["run", "--model", "vgg"], "vgg"),
        (["run", "--device", "abacus"], "abacus"),
        (["run", "--format", "zip"], "--format: 'zip'"),
        (["run", "--wrong"], "--wrong"),
        (["nonsense"], "nonsense"),
        (["prune", "absent.parquet", "--out", "s.parquet"], "absent.parquet"),
        (["prune", "absent.parquet"], "--out"),
        (["inspect", "absent.parquet"], "absent.parquet"),
        (["report", "absent"], "absent"),
        (["export", "digits", "absent.parquet", "--out", "x"], "absent.parquet"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(
    arguments, words, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert words in err
    assert err.startswith("curate: ")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_file_is_named(tmp_path, capsys):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 and then something else")
    code, _, err = call(capsys, "prune", path, "--out", tmp_path / "s.parquet")
    assert code == 2
    assert "t.parquet" in err


@pytest.mark.parametrize(
    "error",
    [
        curate.calculus.CalculusError("x: has no shape; give one"),
        curate.nn.FixupError("depth: 7; give a multiple of 8"),
        curate.nn.LightConvError("heads: 0; give at least 1"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_that_a_user_can_fix_is_one_sentence(error, capsys, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("curate.data.load", fail)
    code, _, err = call(capsys, "run", "--out", tmp_path)
    assert (code, err) == (2, f"curate: {error}\n")


def test_a_full_disk_is_exit_code_1(tmp_path, capsys, monkeypatch):
    recorder = curate.Recorder(4)
    recorder.update(torch.arange(4), torch.randn(4, 2), torch.zeros(4).long())
    recorder.save(tmp_path / "t.parquet")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    code, _, err = call(capsys, "prune", tmp_path / "t.parquet", "--out", tmp_path / "s.parquet")
    assert code == 1
    assert "No space left" in err


def test_names_from_data_do_not_become_paths():
    from curate.cli.output import folder_name

    for name in ("hf:../../etc", "a/../..", "..", "/", "hf:user/set", "x y\u0000z"):
        assert "/" not in folder_name(name)
        assert folder_name(name) not in ("", ".", "..")


def test_the_installed_command_runs():
    done = subprocess.run(
        [sys.executable, "-c", "from curate.cli.app import main; main(['--help'])"],
        capture_output=True,
        text=True,
        check=True,
    )
    for command in ("run", "prune", "export", "identify", "inspect", "report"):
        assert command in done.stdout


def test_an_image_folder_goes_through_the_whole_job(tmp_path, capsys):
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in ("cat", "<b>dog</b>"):
        folder = tmp_path / "photos" / name.replace("/", "\u2215")
        folder.mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(0, 128, (16, 16, 3), dtype=np.uint8) + 100 * (name == "cat")
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
    code, out, err = call(
        capsys, "run", "--keep", 0.7, "--dataset", tmp_path / "photos", "--epochs", 1, "--seeds", 1,
        "--out", tmp_path / "run", "--format", "imagefolder", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["dataset"].endswith("photos")
    table = curate.read(tmp_path / "run" / "examples.parquet")
    assert table["example_id"].type == pa.string()
    assert "<b>dog" not in (tmp_path / "run" / "report.html").read_text()


def test_version_and_module():
    done = subprocess.run(
        [sys.executable, "-m", "curate", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == f"curate-data {curate.__version__}\n"
