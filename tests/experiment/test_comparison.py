import dataclasses

import numpy as np
import pytest
import torch

import curate
from curate.experiment import Comparison, Run, compare, run_arm
from curate.train import Settings

SETTINGS = Settings("mlp", 2, 16, 0.05, 5e-4, False, "cpu")


class Blobs:
    """Three classes in six dimensions."""

    class_names = ("a", "b", "c")

    def __init__(self, n, seed):
        generator = torch.Generator().manual_seed(seed)
        self.ids = [f"{seed}/{i}" for i in range(n)]
        self.labels = np.arange(n) % 3
        self.values = (
            torch.randn(n, 6, generator=generator) + torch.from_numpy(self.labels)[:, None]
        )

    def arrays(self):
        return self.values, torch.from_numpy(self.labels)


def runs_of(accuracies, examples=200):
    """Runs with these accuracies: arm -> one a seed."""
    found = []
    for arm, values in accuracies.items():
        for seed, accuracy in enumerate(values):
            right = np.arange(examples) < round(accuracy * examples)
            found.append(Run(arm, seed, right, {"full": 100}.get(arm, 70), 1.0))
    return found


@pytest.mark.parametrize(
    ("pruned", "random", "words"),
    [
        ([0.95, 0.94, 0.96], [0.90, 0.89, 0.91], ["as good as the full", "is better than"]),
        ([0.90, 0.89, 0.91], [0.95, 0.94, 0.96], ["itself exceeds", "is worse than"]),
        ([0.95, 0.90, 0.97], [0.95, 0.95, 0.92], ["seeds would be needed", "Not shown that it is"]),
    ],
)
def test_verdicts_say_what_is_shown(pruned, random, words):
    runs = runs_of({"full": [0.95, 0.94, 0.96], "pruned": pruned, "random": random})
    comparison = Comparison(runs, margin=0.03)
    for verdict, word in zip(comparison.verdicts, words, strict=True):
        assert word in verdict
    assert "70 of 100 examples" in comparison.verdicts[0]
    means = dict(zip(*(comparison.intervals[c].to_pylist() for c in ("arm", "mean")), strict=True))
    assert means == pytest.approx(
        {"full": 0.95, "pruned": np.mean(pruned), "random": np.mean(random)}
    )
    assert "95 % interval" in str(comparison)


def test_better_is_said_only_where_the_printed_interval_leaves_out_nothing():
    # mean 0.02, standard error 0.0058: 3.46 of them, between the one-sided 2.92 and the 4.30
    runs = runs_of({"full": [0.9] * 3, "pruned": [0.91, 0.92, 0.93], "random": [0.9] * 3})
    difference = Comparison(runs, 0.01).difference("pruned", "random")
    assert difference.low < 0 < difference.lower
    assert "Not shown that it is better" in Comparison(runs, 0.01).verdicts[1]


def test_one_seed_is_no_crash_and_no_claim():
    comparison = Comparison(runs_of({"full": [0.9], "pruned": [0.9], "random": [0.5]}), 0.01)
    assert all("With one seed nothing is shown" in verdict for verdict in comparison.verdicts)
    assert comparison.intervals["low"].null_count == 3
    assert str(comparison)


def test_arms_train_on_what_they_say(tmp_path):
    train_set, test_set = Blobs(60, 0), Blobs(30, 1)
    recorder = curate.Recorder(train_set.ids)
    full, table = run_arm("full", 0, train_set, test_set, SETTINGS, recorder=recorder)
    selection = curate.prune(table, 0.5, stratify="label")
    asked = []

    def run(arm, seed, rows):
        asked.append((arm, seed, rows))
        return run_arm(arm, seed, train_set, test_set, SETTINGS, rows=rows)[0]

    fulls = [full, dataclasses.replace(full, seed=1)]
    comparison = compare(run, fulls, selection, 0.01)
    assert [(arm, seed) for arm, seed, _ in asked] == [
        ("pruned", 0), ("random", 0), ("pruned", 1), ("random", 1),
    ]  # fmt: skip
    kept = selection.kept_ids.to_pylist()
    for arm, _, rows in asked:
        assert np.bincount(train_set.labels[rows]).tolist() == [10, 10, 10]
        assert len(set(rows)) == 30
        if arm == "pruned":
            assert [train_set.ids[i] for i in rows] == kept
    assert set(asked[1][2]) != set(asked[3][2])  # drawn anew for every seed
    assert len(comparison.table) == 6
    with pytest.raises(curate.CurateError, match="margin: 1.5"):
        compare(run, [full], selection, 1.5)


def test_a_finished_run_is_not_trained_again_unless_something_changed(tmp_path, monkeypatch):
    train_set, test_set = Blobs(60, 0), Blobs(30, 1)

    def run(settings=SETTINGS, rows=None, train_set=train_set):
        recorder = curate.Recorder(train_set.ids)
        return run_arm(
            "full", 0, train_set, test_set, settings, rows=rows, recorder=recorder, folder=tmp_path
        )

    first, table = run()
    with monkeypatch.context() as patch:
        patch.setattr("curate.experiment.training.trainers.train", None)
        again, kept = run()
    assert np.array_equal(first.right, again.right)
    assert (first.seconds, first.train_size) == (again.seconds, again.train_size)
    assert kept.equals(table)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [
        "examples.parquet",
        "seed=0.parquet",
        "seed=0.pt",
    ]
    changes = (
        {"settings": dataclasses.replace(SETTINGS, epochs=3)},
        {"rows": np.arange(50)},
        {"train_set": Blobs(60, 5)},
    )
    for change in changes:
        with monkeypatch.context() as patch:
            patch.setattr("curate.experiment.training.trainers.train", None)
            with pytest.raises(TypeError, match="not callable"):
                run(**change)


@pytest.mark.parametrize("row", [1, 777, 1998])
def test_one_changed_example_among_many_is_trained_on(row, tmp_path, monkeypatch):
    train_set, test_set = Blobs(2000, 0), Blobs(30, 1)
    settings = dataclasses.replace(SETTINGS, epochs=1)
    run_arm("full", 0, train_set, test_set, settings, folder=tmp_path)
    train_set.arrays()[0][row, 0] += 1
    monkeypatch.setattr("curate.experiment.training.trainers.train", None)
    with pytest.raises(TypeError, match="not callable"):
        run_arm("full", 0, train_set, test_set, settings, folder=tmp_path)
