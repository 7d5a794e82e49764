"""What a user gets wrong is a CurateError that names it."""

import numpy as np
import pytest
import torch

import curate
from curate.bias import Source, cross_dataset, fit_linear, name_that_dataset, two_sample

X = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)


def labelled(name, labels=None, names=("a", "b")):
    labels = np.arange(80) % 2 if labels is None else labels
    return Source(name, np.arange(80), features=X, labels=labels, class_names=names)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: name_that_dataset({"a": X, "b": X + 1}, seed=-1), "seed: -1"),
        (lambda: two_sample(X, X + 1, seed=-1), "seed: -1"),
        (lambda: name_that_dataset({"a": X, "b": X + 1}, sizes=["a"]), "sizes: "),
        (lambda: name_that_dataset({"a": X, "b": X + 1}, sizes=[0]), "sizes: "),
        (lambda: fit_linear(torch.from_numpy(X), torch.rand(80), 2), "y: labels of torch.float32"),
        (
            lambda: cross_dataset([labelled("a"), labelled("b", np.arange(80) % 3)]),
            "source 'b': a label is 2, but there are 2 class names",
        ),
    ],
)
def test_it_is_named(call, message):
    with pytest.raises(curate.CurateError, match=message):
        call()
