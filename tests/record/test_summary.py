"""The numbers for loggers are those of the table, example by example."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import curate


def recorded(n, steps, seed, track):
    recorder = curate.Recorder(n, track=track)
    draw = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        ids = torch.randperm(n, generator=draw)[:3]
        recorder.update(ids, torch.randn(len(ids), 4, generator=draw), ids % 4)
    return recorder


@given(
    st.integers(1, 9),
    st.integers(0, 12),
    st.integers(0, 99),
    st.sampled_from(["all", "forgetting"]),
)
def test_numbers(n, steps, seed, track):
    recorder = recorded(n, steps, seed, track)
    rows = [row for row in recorder.table().to_pylist() if row["presentations"]]
    found = recorder.summary()
    assert found.pop("examples_presented") == len(rows)
    assert found.pop("presentations") == sum(row["presentations"] for row in rows)
    expected = {}
    if rows:
        learned = [row["first_learned"] is not None for row in rows]
        kept = [ok and not row["forgetting_events"] for ok, row in zip(learned, rows, strict=True)]
        expected = {
            "share_learned": sum(learned) / len(rows),
            "share_unforgettable": sum(kept) / len(rows),
            "forgetting_events_mean": sum(row["forgetting_events"] for row in rows) / len(rows),
        }
        if track == "all":
            for name in ("loss_mean", "margin_mean", "confidence_mean", "el2n_mean"):
                expected[name] = sum(row[name] for row in rows) / len(rows)
    assert found == pytest.approx(expected)
    assert all(type(value) is float for value in found.values())
    json.dumps(found)


def test_tensorboard(tmp_path):
    tensorboard = pytest.importorskip("torch.utils.tensorboard", exc_type=ImportError)
    recorder = recorded(9, 4, 0, "all")
    with tensorboard.SummaryWriter(tmp_path) as writer:
        for name, value in recorder.summary().items():
            writer.add_scalar(f"curate/{name}", value, recorder.epoch)
    assert list(tmp_path.glob("events*"))


def test_mlflow(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tmp_path.as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    recorder = recorded(9, 4, 0, "all")
    mlflow.set_experiment("curate")
    with mlflow.start_run() as run:
        mlflow.log_metrics(recorder.summary(), step=recorder.epoch)
    stored = mlflow.get_run(run.info.run_id).data.metrics
    assert stored == pytest.approx(recorder.summary())


def test_weights_and_biases(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    with wandb.init(dir=tmp_path, project="curate") as run:
        run.log(recorded(9, 4, 0, "all").summary())
    assert list(tmp_path.rglob("*.wandb"))
