"""Models at hand instead of their predictions."""

import numpy as np
import pytest
import torch

from curate import CurateError
from curate.retest import accuracy_gap, predict


def batches(seed, size=120):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, size)
    inputs = torch.eye(3)[labels] + torch.from_numpy(rng.normal(size=(size, 3))).float()
    return list(zip(inputs.split(50), torch.from_numpy(labels).split(50), strict=True))


def test_models_are_asked_and_left_as_they_were():
    net = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Dropout(0.9))
    net[1].eval()
    net[0].train()
    models = {"net": net, "identity": lambda inputs: inputs, "half": lambda x: x * 0.5 + x[:, :1]}
    old, new = batches(0), batches(1)
    gap = accuracy_gap(old, new, models=models, resamples=100)
    again = accuracy_gap(predict(models, old), predict(models, new), resamples=100)
    assert gap.table.equals(again.table)
    assert (net[0].training, net[1].training) == (True, False)
    inputs, labels = (torch.cat(parts) for parts in zip(*old, strict=True))
    share = (inputs.argmax(1) == labels).double().mean().item()
    (row,) = [row for row in gap.table.to_pylist() if row["model"] == "identity"]
    assert row["accuracy_original"] == pytest.approx(share)


def test_bad_input():
    for models, given, said in (
        ({}, batches(0), "models: there is none"),
        ({"a": lambda x: x}, [], "batches: there is none"),
        ({"a": lambda x: x[:, 0]}, batches(0), r"models: 'a' gave \(50,\) for a batch of 50"),
    ):
        with pytest.raises(CurateError, match=said):
            predict(models, given)
