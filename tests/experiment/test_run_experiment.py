from shutil import copytree

import numpy as np
import pytest

import curate
from curate.experiment import Experiment, run_experiment
from curate.train import settings_for


@pytest.fixture(scope="module")
def sets():
    """The digits to train and to test on."""
    return curate.data.load("digits"), curate.data.load("digits", "test")


def settings_of(train_set):
    return settings_for(train_set.shape, model="mlp", epochs=1)


@pytest.fixture(scope="module")
def finished(sets, tmp_path_factory):
    """A short experiment, its folder, and the calls of ``on_progress``."""
    folder = tmp_path_factory.mktemp("experiment")
    heard = []
    experiment = run_experiment(
        *sets,
        settings=settings_of(sets[0]),
        keep=0.5,
        seeds=2,
        folder=folder,
        on_progress=lambda *args: heard.append(args),
    )
    return experiment, folder, heard


def test_the_whole_experiment_runs_from_python(sets, finished):
    experiment, folder, heard = finished
    train_set, _ = sets
    assert isinstance(experiment, Experiment)
    assert len(experiment.selection) == 649
    assert [(run.arm, run.seed) for run in experiment.comparison.runs] == [
        ("full", 0), ("full", 1), ("pruned", 0), ("random", 0), ("pruned", 1), ("random", 1),
    ]  # fmt: skip
    assert {run.train_size for run in experiment.comparison.runs} == {1297, 649}
    assert experiment.table["example_id"].to_pylist() == list(train_set.ids)
    about = curate.table.metadata(experiment.table)
    assert about["fingerprint"] == curate.data.fingerprint(train_set)
    assert curate.read(folder / "examples.parquet").equals(experiment.table)
    stored = curate.Selection.load(folder / "selection.parquet")
    assert stored.table.equals(experiment.selection.table)
    assert "pruned set (649 of 1,297 examples)" in str(experiment)
    assert [what for what, _, _ in heard] == [
        "full, seed 0", "full, seed 1",
        "pruned, seed 0", "random, seed 0", "pruned, seed 1", "random, seed 1",
    ]  # fmt: skip
    done = [done for _, done, _ in heard]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(heard[-1][2]) == pytest.approx(2 * (1 + 2 * 649 / 1297))


def test_called_again_it_trains_nothing(sets, finished, monkeypatch):
    experiment, folder, _ = finished
    monkeypatch.setattr("curate.experiment.training.trainers.train", None)
    again = run_experiment(*sets, settings=settings_of(sets[0]), keep=0.5, seeds=2, folder=folder)
    assert again.selection.kept_ids.equals(experiment.selection.kept_ids)
    assert again.comparison.table.equals(experiment.comparison.table)


def first(scores, keep, ties, *, skip=0):
    """Keeps rows in their order."""
    mask = np.zeros(len(scores), bool)
    mask[skip : skip + keep] = True
    return mask


@pytest.mark.parametrize(
    "by",
    ["loss_mean", lambda table: table["presentations"], np.arange(1297.0)],
    ids=["column", "function", "array"],
)
def test_guests_choose_the_examples(sets, finished, by, tmp_path):
    folder = copytree(finished[1], tmp_path / "copy")  # other tests need its own runs
    experiment = run_experiment(
        *sets, settings=settings_of(sets[0]), keep=100, by=by, strategy=first, skip=7,
        stratify=None, seeds=2, folder=folder,
    )  # fmt: skip
    assert experiment.selection.kept_ids.to_pylist() == list(sets[0].ids[7:107])
    assert experiment.selection.policy["skip"] == 7


def test_ties_and_floors_reach_the_selection(sets, finished, tmp_path):
    folder = copytree(finished[1], tmp_path / "copy")
    experiment = run_experiment(
        *sets, settings=settings_of(sets[0]), keep=100, ties="margin", min_per_class=9, seeds=2,
        folder=folder,
    )  # fmt: skip
    policy = experiment.selection.policy
    assert (policy["ties"], policy["min_per_class"]) == ("margin", 9)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": "influence"}, "by: 'influence'"),
        ({"by": "history"}, "by: 'history'"),
        ({"by": "grand"}, "no column 'grand'"),
        ({"by": np.arange(5)}, r"shape \(5,\)"),
        ({"by": np.where(np.arange(1297) == 7, np.nan, 0)}, "unknown: 1 of 1,297 rows"),
        ({"strategy": "luck"}, "strategy: 'luck'"),
        ({"drop_hardest": 0.1}, "drop_hardest: the strategy 'hardest' does not take it"),
        ({"strategy": "window", "drop_hardest": 1.5}, "drop_hardest: 1.5"),
        ({"strategy": "ccs", "ties": "margin"}, "ties: 'margin'"),
        ({"min_per_class": 0}, "min_per_class: 0"),
        ({"keep": 1.5}, "keep: 1.5"),
        ({"stratify": "colour"}, "stratify: 'colour'"),
        ({"seeds": 0}, "seeds: 0"),
        ({"margin": 7}, "margin: 7"),
    ],
)
def test_a_wrong_argument_is_named_before_any_training(sets, options, words, monkeypatch):
    monkeypatch.setattr("curate.experiment.training.trainers.train", None)
    with pytest.raises(curate.CurateError, match=words):
        run_experiment(*sets, **options)
