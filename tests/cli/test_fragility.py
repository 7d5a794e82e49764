"""``curate fragility``, from a run's model and from a state dict."""

import json

import pyarrow.parquet as pq
import pytest
import torch

import curate
from curate.cli.app import main

QUICK = ["--images", "12", "--iterations", "4", "--certify", "none", "--k", "8"]


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["fragility", *map(str, arguments)])
    out, err = capsys.readouterr()
    return caught.value.code or 0, out, err


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    from curate.train.weights import model_path, save_model

    folder = tmp_path_factory.mktemp("run")
    train_set = curate.data.load("digits")
    settings = curate.train.settings_for(train_set.shape, model="mlp", epochs=3)
    values, labels = train_set.arrays()
    trained = curate.train.train(values, labels, 10, settings, 0)
    save_model(model_path(folder, "all", 0), trained, settings, train_set.shape, 10)
    return folder


def test_a_run(run_folder, tmp_path, capsys):
    out = tmp_path / "out"
    command = (f"run:{run_folder}", "digits", *QUICK)
    code, text, err = call(capsys, *command, "--out", out)
    assert (code, err) == (0, "")
    assert "top pixels kept" in text
    table = curate.read(out / "table.parquet")
    assert table.num_rows == 12
    assert {"fragility_spearman", "fragility_topk", "fragility_shift"} <= set(table.column_names)
    assert {"details.parquet", "summary.parquet", "summary.json", "report.html"} <= {
        path.name for path in out.iterdir()
    }
    assert (out / "report.html").read_text().count("<img") == 5 * sum(
        value is not None
        for value in pq.read_table(out / "details.parquet")["deletion"].to_pylist()
    )
    again = tmp_path / "again"
    code, text, err = call(capsys, *command, "--out", again, "--json")
    assert code == 0
    assert json.loads(text)["summary"] == json.loads((out / "summary.json").read_text())["summary"]


def test_a_named_model_and_its_state_dict(tmp_path, capsys):
    import torchvision

    torch.manual_seed(0)
    model = torchvision.models.get_model("squeezenet1_1", num_classes=2)
    torch.save({"state_dict": model.state_dict()}, tmp_path / "weights.pt")
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(10):
            noise = torch.randint(256, (40, 40, 3), dtype=torch.uint8).numpy()
            Image.fromarray(noise).save(tmp_path / "set" / name / f"{number}.png")
    options = ("--weights", tmp_path / "weights.pt", "--out", tmp_path / "out", "--images", 4)
    more = ("--iterations", 2, "--certify", "none", "--mean", "0.5,0.5,0.5", "--std", "1,1,1")
    command = ("squeezenet1_1", tmp_path / "set", *options, *more, "--split", "train")
    code, _, err = call(capsys, *command)
    assert (code, err) == (0, "")


def test_programs_are_refused_by_name(tmp_path, capsys):
    scripted = torch.jit.script(torch.nn.Linear(2, 2))
    scripted.save(tmp_path / "scripted.pt")
    exported = torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),))
    torch.export.save(exported, tmp_path / "exported.pt2")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "pickled.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    for name, reason in {
        "scripted.pt": "is TorchScript, whose ReLU cannot be swapped",
        "exported.pt2": "was made by torch.export, whose loader falls back to pickles",
    }.items():
        code, _, err = call(capsys, tmp_path / name, "digits")
        assert (code, reason in err) == (2, True), err
        code, _, err = call(capsys, "resnet18", "digits", "--weights", tmp_path / name)
        assert (code, reason in err) == (2, True), err
    for name, reason in {
        "pickled.pt": "nothing is unpickled",
        "list.pt": "is no state dict",
        "absent.pt": "is no file",
    }.items():
        code, _, err = call(capsys, "resnet18", "digits", "--weights", tmp_path / name)
        assert (code, reason in err) == (2, True), err


def test_bad_input(run_folder, capsys):
    run = f"run:{run_folder}"
    for arguments, reason in [
        (("beauty", "digits"), "'beauty' is no model of torchvision or timm"),
        (("resnet18", "digits"), "--weights: none for 'resnet18'"),
        (("weights.pth", "digits"), "is a file of weights"),
        (("run:nowhere", "digits"), "no model at"),
        ((run, "digits", "--images", 0), "--images: 0"),
        ((run, "digits", *QUICK, "--epsilon", 0), "epsilon: 0"),
        ((run, "digits", *QUICK, "--k", 65), "k: 65 pixels; a map has 64"),
        ((run, "digits", "--method", "lime"), "method: 'lime'"),
        ((run, "digits", "--mean", "0"), "give both or none"),
        ((run, "digits", "--certify", "many"), "--certify: 'many'"),
    ]:
        code, _, err = call(capsys, *arguments)
        assert code == 2, (arguments, err)
        assert reason in err, err
        assert err.count("\n") == 1
