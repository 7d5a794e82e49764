"""Keras 3 on torch: its fit on one process, its models under torch's DDP on two."""

import contextlib

import torch
from torch.nn.functional import cross_entropy, nll_loss
from torch.utils.data import TensorDataset

import curate
from setups.harness import EPOCHS, N, Run, X, Y, note, setup, train

with contextlib.suppress(ImportError):
    import keras

NEEDS = ("keras",)


def noting_model(activation=None):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5,))
    outputs = keras.layers.Dense(3, activation=activation)(inputs[:, 1:])
    model = keras.Model(inputs, outputs)
    from_logits = activation is None
    model.compile(
        keras.optimizers.SGD(2.0), keras.losses.SparseCategoricalCrossentropy(from_logits),
        metrics=["accuracy"],
    )  # fmt: skip

    def noting(model, args, outputs):
        note(model, args[0][:, 0], outputs if from_logits else outputs.log())

    model.register_forward_hook(noting)
    return model


def fitted(run, model, probabilities=False):
    loader = run.loader(TensorDataset(X, Y))
    if run.ranks == 1:
        recorder = curate.watch(model, loader)  # added
        model.fit(loader, epochs=EPOCHS, validation_data=loader, verbose=0)
        return recorder
    model = run.wrapped(model)
    recorder = curate.watch(model, loader)
    optimizer = torch.optim.SGD(model.parameters(), 2.0)
    for _ in run.epochs(loader):
        for x, y in loader:
            outputs = model(x)
            losses = nll_loss(outputs.log(), y) if probabilities else cross_entropy(outputs, y)
            train(optimizer, losses)
    return recorder


@setup("keras", "fit, curate.watch, logits", needs=NEEDS)
def logits(run: Run):
    return fitted(run, noting_model())


@setup("keras", "fit, curate.watch, probabilities", needs=NEEDS)
def probabilities(run: Run):
    return fitted(run, noting_model("softmax"), probabilities=True)


@setup("keras", "a loop of torch", needs=NEEDS)
def loop(run: Run):
    model = run.wrapped(noting_model())
    optimizer = torch.optim.SGD(model.parameters(), 2.0)
    loader = run.loader(curate.data.with_ids(TensorDataset(X, Y)))  # changed
    recorder = run.recorder(N)  # added
    for _ in run.epochs(loader):
        for x, y, ids in loader:  # changed
            logits = model(x, training=True)
            recorder.update(ids, logits, y)  # added
            train(optimizer, cross_entropy(logits, y))
        recorder.end_epoch()  # added
    return recorder
