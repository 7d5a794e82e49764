"""Every pipeline says how it is used, and those that run in seconds run."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pyarrow import parquet

import curate
from curate.experiment import run_arm
from curate.train import settings_for

PIPELINES = Path(__file__).parents[2] / "pipelines"


def run(monkeypatch, name, *arguments, **replaced):
    """A pipeline's ``main`` as a script would run it, some of its functions replaced."""
    path = PIPELINES / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"pipeline_{name}", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
    monkeypatch.syspath_prepend(PIPELINES)  # pipelines import each other as scripts do
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as missing:
        if missing.name.startswith("curate"):
            raise
        pytest.skip(f"{name} needs {missing.name}, which is not installed")
    for function, value in replaced.items():
        monkeypatch.setattr(module, function, value)
    module.main()


@pytest.mark.parametrize("name", sorted(path.stem for path in PIPELINES.glob("*.py")))
def test_help_says_how_it_is_used(name, monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, name, "--help")
    assert ended.value.code == 0
    assert "usage: " in capsys.readouterr().out


def kept_run(folder, train_set, test_set, **settings):
    """Networks of a training set and of half of it, with one seed."""
    some = replace(settings_for(train_set.shape), **settings)
    run_arm(
        "all", 0, train_set, test_set, some, recorder=curate.Recorder(train_set.ids), folder=folder
    )
    run_arm(
        "half", 0, train_set, test_set, some, rows=np.arange(0, len(train_set), 2), folder=folder
    )


def test_influence(monkeypatch, tmp_path):
    run(monkeypatch, "influence", "--out", tmp_path / "examples.parquet")
    table = curate.read(tmp_path / "examples.parquet")
    assert {"influence", "self_influence"} <= set(table.column_names)
    assert (table["self_influence"].to_numpy() >= 0).all()


def test_pruning_and_fragility(monkeypatch, tmp_path, capsys):
    sets = [curate.data.load("digits", split) for split in ("train", "test")]
    kept_run(tmp_path / "run", *sets, epochs=3)
    out = tmp_path / "out"
    arguments = ("--images", 20, "--iterations", 2, "--out", out)
    run(monkeypatch, "pruning_and_fragility", tmp_path / "run", *arguments)
    printed = capsys.readouterr().out
    assert "rank correlation with forgetting_events" in printed
    assert "half" in printed
    assert "more than all" in printed
    table = curate.read(out / "forgotten.parquet")
    assert {"forgetting_events", "margin_mean", "fragility_topk"} <= set(table.column_names)
    assert len(table) <= 20
    assert (out / "forgotten.svg").stat().st_size > 1000


def test_pruned_retest(monkeypatch, tmp_path, capsys):
    rng = np.random.default_rng(0)

    def batches(_):
        images = torch.from_numpy(rng.integers(0, 256, (40, 3, 32, 32), dtype=np.uint8))
        return [(images, torch.from_numpy(rng.integers(0, 6, 40)))]

    ((images, labels),) = batches(None)
    made = curate.data.as_example_set(torch.utils.data.TensorDataset(images, labels))
    kept_run(tmp_path, made, made, steps=2, batch_size=20)
    sets = dict.fromkeys(("jpeg", "lossless", "tiny"), batches)
    stranger = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))
    run(
        monkeypatch,
        "pruned_retest",
        tmp_path,
        **sets,
        pretrained=lambda *_: lambda images: stranger(images.float()),
    )
    printed = capsys.readouterr().out
    assert "JPEG and Tiny ImageNet, the classes that both have" in printed
    assert printed.splitlines()[-1].startswith("half")


def test_cifar10_1(real_data, monkeypatch, tmp_path, capsys):
    if not (real_data / "cifar10.1-predictions").is_dir():
        pytest.skip(f"no published predictions at {real_data}")
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, "cifar10_1")
    assert "is shown by 1,617 new images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("forgetting_noise", ["relabelled", "area under the ROC curve: forgetting"]),
        ("forgetting_nets", ["two seeds of mlp", "cnn and mlp"]),
        ("forgetting_blocks", ["random", "forgetting events"]),
        ("forgetting_epochs", ["in all of them", "Pearson's r"]),
    ],
)
def test_claims_of_forgetting(monkeypatch, tmp_path, capsys, name, expected):
    """They run, and a second time from what they kept."""
    few = ("--epochs", 1, "--seeds", 2, "--folder", tmp_path)
    few += ("--blocks", 2) if name == "forgetting_blocks" else ()
    few += ("--dataset", "digits") if name == "forgetting_epochs" else ()
    few += ("--results", tmp_path) if name in ("forgetting_blocks", "forgetting_epochs") else ()
    printed = []
    for _ in range(2):
        run(monkeypatch, name, *few)
        printed.append(capsys.readouterr().out)
    for part in expected:
        assert part in printed[0]
    tables = [text[text.index("\u250f") :] for text in printed]  # without seconds
    assert tables[0] == tables[1]


def test_the_picture_of_forgetting(monkeypatch, tmp_path):
    run(monkeypatch, "forgetting_figure", "--out", tmp_path / "forgetting.svg")
    drawn = (tmp_path / "forgetting.svg").read_text()
    for words in ("never forgotten so far", "permuted MNIST, at random", "as many at random"):
        assert words in drawn


def test_epochs_are_counted_from_the_history(monkeypatch, tmp_path):
    """What is kept at a mark is what a run says that ended there."""
    shared = ("--dataset", "digits", "--seeds", 1, "--net", "mlp")
    digits = curate.data.load("digits", "train")
    recorder, after = curate.Recorder(digits.ids), []
    settings = settings_for(digits.shape, model="mlp", epochs=5)
    run_arm(
        "mlp", 0, digits, curate.data.load("digits", "test"), settings, recorder=recorder,
        on_epoch=lambda epoch: after.append(recorder.table()),
    )  # fmt: skip
    run(
        monkeypatch, "forgetting_epochs", *shared, "--epochs", 5, "--results", tmp_path,
        "--folder", tmp_path / "runs",
    )  # fmt: skip
    kept = parquet.read_table(tmp_path / "forgetting-digits-mlp-seed0.parquet")
    assert kept.column_names == ["events_1", "events_2", "events_5"]
    for epoch in (1, 2, 5):
        table = after[epoch - 1].select(["forgetting_events", "first_learned"]).to_pylist()
        counted = [
            -1 if row["first_learned"] is None else row["forgetting_events"] for row in table
        ]
        assert kept[f"events_{epoch}"].to_pylist() == counted


def test_relabelled_examples_have_another_label(monkeypatch):
    monkeypatch.syspath_prepend(PIPELINES)
    from forgetting_noise import relabelled

    dataset = curate.data.load("digits")
    noisy, wrong = relabelled(dataset, 0.2)
    assert wrong.sum() == round(0.2 * len(dataset))
    assert ((noisy.labels != dataset.labels) == wrong).all()
    assert noisy.labels.min() >= 0
    assert noisy.labels.max() <= 9


def test_saliency_defences(monkeypatch, capsys):
    few = ("--images", 4, "--iterations", 1)
    run(monkeypatch, "saliency_defences", *few, PENALTIES=(0.0, 0.01))
    printed = capsys.readouterr().out
    assert "4 images" in printed
    assert printed.count("SmoothGrad, 8 copies") == 2
    assert "penalty 0.01" in printed


def test_mnist_is_recorded_resumed_and_removed(monkeypatch, tmp_path, capsys):
    drawn = np.random.default_rng(0)
    labels = drawn.integers(0, 10, 200).astype(np.uint8)
    images = drawn.integers(0, 60, (200, 28, 28)).astype(np.uint8)
    images[np.arange(200), 2 * labels + 2] += 190  # a line whose place says which digit it is
    (tmp_path / "data/mnist").mkdir(parents=True)
    np.savez(
        tmp_path / "data/mnist/mnist.npz",
        x_train=images[:150], y_train=labels[:150], x_test=images[150:], y_test=labels[150:],
    )  # fmt: skip
    shared = ("--seeds", 2, "--device", "cpu", "--data", tmp_path / "data")
    columns = []
    for name, stops in (("whole", [5]), ("resumed", [2, 5])):
        for epochs in stops:
            folders = ("--folder", tmp_path / name, "--results", tmp_path / name)
            run(monkeypatch, "forgetting_mnist", "--epochs", epochs, *shared, *folders)
        tables = [
            parquet.read_table(tmp_path / name / f"forgetting-mnist-seed{s}.parquet")
            for s in (0, 1)
        ]
        columns.append([table["events_5"].to_pylist() for table in tables])
    assert columns[0] == columns[1]
    kept = ("--keep", 0.2, "--epochs", 5, "--results", tmp_path / "whole")
    for _ in range(2):  # the second time nothing is left to do
        run(monkeypatch, "removal_mnist", *kept, *shared)
    assert "30" in capsys.readouterr().out
    rows = parquet.read_table(tmp_path / "whole/removal-mnist-epochs5.parquet").to_pylist()
    assert sorted((row["arm"], row["examples"], row["seed"]) for row in rows) == [
        (arm, 30, seed) for arm in ("forgetting", "random") for seed in (0, 1)
    ]
