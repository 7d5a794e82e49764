"""An experiment takes any labelled data set, through the one view of it."""

import json

import datasets
import numpy as np
import pytest
import torch
from torch.utils.data import Subset, TensorDataset

import curate
from curate.experiment import run_arm, run_experiment
from curate.train import settings_for

TRAIN, TEST = curate.data.load("digits", "train"), curate.data.load("digits", "test")
SETTINGS = settings_for(TRAIN.shape, epochs=1)


def pairs(example_set):
    values, labels = example_set.arrays()
    return TensorDataset(values, labels)


def rows(example_set):
    columns = {"features": example_set.arrays()[0].float().flatten(1).tolist()}
    return datasets.Dataset.from_dict({**columns, "label": example_set.labels.tolist()})


def classless(example_set):
    """The same without class names, which tensors do not have."""
    values, labels = example_set.arrays()
    shape = example_set.shape
    return curate.data.ExampleSet(example_set.ids, labels, None, shape=shape, values=values)


KINDS = {
    "tensors": pairs,
    "with ids": lambda each: curate.data.with_ids(pairs(each), each.ids),
    "a subset of everything": lambda each: Subset(pairs(each), range(len(each))),
    "samples as dicts": lambda each: [
        {"image": value, "label": int(label)} for value, label in pairs(each)
    ],
}


@pytest.fixture(scope="module")
def expected():
    return run_arm("full", 0, classless(TRAIN), classless(TEST), SETTINGS)[0].right


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_examples_train_to_the_same_model(kind, expected):
    run, _ = run_arm("full", 0, KINDS[kind](TRAIN), KINDS[kind](TEST), SETTINGS)
    assert run.right.tolist() == expected.tolist()
    assert run.train_size == len(TRAIN)


def test_hugging_face_rows_of_features():
    flat = {}
    for name, each in (("train", TRAIN), ("test", TEST)):
        values = each.arrays()[0].float().flatten(1)
        flat[name] = curate.data.ExampleSet(
            each.ids, each.labels, None, shape=values.shape[1:], values=values
        )
    settings = settings_for((64,), epochs=1)
    ours, _ = run_arm("full", 0, flat["train"], flat["test"], settings)
    theirs, _ = run_arm("full", 0, rows(TRAIN), rows(TEST), settings)
    assert ours.right.tolist() == theirs.right.tolist()


def test_the_whole_experiment_on_tensors():
    found = run_experiment(pairs(TRAIN), pairs(TEST), settings=SETTINGS, keep=0.5, seeds=1)
    assert len(found.selection) == round(0.5 * len(TRAIN) + 0.01)
    assert found.table["example_id"].to_pylist() == list(range(len(TRAIN)))


def test_what_was_trained_on_is_what_is_exported(tmp_path):
    dataset = curate.data.with_ids(pairs(TRAIN), TRAIN.ids)
    found = run_experiment(dataset, pairs(TEST), settings=SETTINGS, keep=0.1, seeds=1)
    kept = curate.export(dataset, found.selection, tmp_path / "kept", "indices")
    source = json.loads((kept / "provenance.json").read_text())["source"]
    assert source["fingerprint"] == source["fingerprint_when_recorded"]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (TensorDataset(torch.zeros(4, 3)), "train_set: .* no class index"),
        (TensorDataset(torch.zeros(4, 3), torch.full((4,), -1)), "train_set: a label is -1"),
        ([(torch.zeros(3), 0), (torch.zeros(4), 1)], "train_set: .* cannot be stacked"),
        ([(np.zeros(3), "cat"), (np.zeros(3), "dog")], "train_set: .* no class index"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_a_sentence(dataset, message):
    with pytest.raises(curate.CurateError, match=message):
        run_arm("full", 0, dataset, TEST, SETTINGS)
