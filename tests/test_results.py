"""Results are small: one line of repr, a readable print, a table, and an == that never raises."""

import dataclasses
import html

import joblib
import numpy as np
import pyarrow as pa
import pytest
import torch

import curate
from curate.experiment import Comparison, Experiment, Run
from curate.report import inspect
from curate.train import settings_for
from tests.example_tables import example_table

LONG = 50_000  # examples: a repr does not grow with them


def runs():
    return [
        Run(arm, seed, np.arange(10_000) % 10 > seed, LONG, 12345.678)
        for arm in ("full", "pruned", "random")
        for seed in range(20)
    ]


def experiment():
    table = example_table(200)
    settings = settings_for((3, 32, 32), model="resnet18", device="cpu")
    selection = curate.prune(table, 0.7)
    return Experiment(Comparison(runs(), 0.01), selection, table, settings, None)


def search():
    """Of a set whose models are the same whatever they are trained on."""

    def train(rows, seed, recorder, *, on, steps=None):
        labels = torch.from_numpy(data.labels[rows])
        if recorder is not None:
            recorder.update(data.ids[rows], torch.eye(2)[labels], labels)
        return np.arange(len(on)) % 50 > seed

    data, test = (
        curate.data.ExampleSet(
            np.arange(size), np.arange(size) % 2, None, shape=(1,), values=torch.zeros(size, 1)
        )
        for size in (3000, 2000)
    )
    with joblib.parallel_config("sequential"):
        return curate.smallest_set(data, test, train=train)


RESULTS = {
    "Run": lambda: runs()[0],
    "Comparison": lambda: Comparison(runs(), 0.01),
    "Experiment": experiment,
    "SmallestSet": search,
    "Selection": lambda: experiment().selection,
    "Suspects": lambda: curate.suspects(example_table(LONG)),
    "Inspection": lambda: inspect(example_table(LONG)),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_small_and_readable(name):
    result, other = RESULTS[name](), RESULTS[name]()
    assert repr(result).startswith(f"{name}(")
    assert len(repr(result)) < 100
    assert "\n" not in repr(result)
    assert len(str(result)) < 10_000
    assert max(map(len, str(result).splitlines())) <= 100
    if name != "Run":
        assert result._repr_html_() == f"<pre>{html.escape(str(result))}</pre>"
    assert isinstance(result.table, pa.Table)
    assert len(result.table) > 0
    assert (result == other) in (True, False)
    assert result == result
    assert result != 1
    if dataclasses.is_dataclass(result):
        with pytest.raises(dataclasses.FrozenInstanceError):
            result.table = None


def test_settings_fit_a_line():
    settings = settings_for((3, 32, 32), model="resnet18", device="cpu")
    assert "resnet18, 10 epochs" in repr(settings)
    assert len(repr(settings)) < 100
    assert settings == settings_for((3, 32, 32), model="resnet18", device="cpu")
