"""Loops written by hand."""

import io

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

import curate
from setups.harness import (
    BATCH,
    CLASSES,
    EPOCHS,
    SEEN,
    TOKENS,
    N,
    Net,
    Run,
    X,
    Y,
    note,
    setup,
    sgd,
    train,
)  # fmt: skip


@setup("plain", "tuples")
def tuples(run: Run):
    model = run.wrapped(Net())
    optimizer = sgd(model)
    loader = run.loader(curate.data.with_ids(TensorDataset(X, Y)))  # changed
    recorder = run.recorder(N)  # added
    for _ in run.epochs(loader):
        for x, y, ids in loader:  # changed
            logits = model(x)
            recorder.update(ids, logits, y)  # added
            train(optimizer, cross_entropy(logits, y))
        recorder.end_epoch()  # added
    return recorder


@setup("plain", "dicts of datasets, string ids", needs=("datasets",))
def dicts(run: Run):
    import datasets

    names = [f"doc-{i}" for i in range(N)]
    data = datasets.Dataset.from_dict({"x": X.tolist(), "label": Y.tolist()})
    model = run.wrapped(Net())
    optimizer = sgd(model)
    data = curate.data.with_ids(data, names).with_format("torch")  # changed
    loader = run.loader(data)
    recorder = run.recorder(names)  # added
    for _ in run.epochs(loader):
        for batch in loader:
            logits = model(batch["x"])
            recorder.update(batch["example_id"], logits, batch["label"])  # added
            train(optimizer, cross_entropy(logits, batch["label"]))
        recorder.end_epoch()  # added
    return recorder


@setup("plain", "one-hot labels")
def one_hot_labels(run: Run):
    model = run.wrapped(Net())
    optimizer = sgd(model)
    data = TensorDataset(X, one_hot(Y, CLASSES).float())
    loader = run.loader(curate.data.with_ids(data))  # changed
    recorder = run.recorder(N)  # added
    for _ in run.epochs(loader):
        for x, y, ids in loader:  # changed
            logits = model(x)
            recorder.update(ids, logits, y)  # added
            train(optimizer, cross_entropy(logits, y))
        recorder.end_epoch()  # added
    return recorder


@setup("plain", "binary, logits (N, 1)", "binary", Y % 2)
def binary(run: Run):
    model = run.wrapped(Net(1))
    optimizer = sgd(model)
    loader = run.loader(curate.data.with_ids(TensorDataset(X, (Y % 2).float())))  # changed
    recorder = run.recorder(N)  # added
    for _ in run.epochs(loader):
        for x, y, ids in loader:  # changed
            logits = model(x)
            recorder.update(ids, logits, y)  # added
            train(optimizer, binary_cross_entropy_with_logits(logits[:, 0], y))
        recorder.end_epoch()  # added
    return recorder


MANY = torch.stack([Y % 2, (Y > 0).long(), torch.where(Y == 1, -1, 1)], 1)


@setup("plain", "multilabel, some unknown", "multilabel", MANY)
def multilabel(run: Run):
    model = run.wrapped(Net())
    optimizer = sgd(model)
    loader = run.loader(curate.data.with_ids(TensorDataset(X, MANY.float())))  # changed
    recorder = run.recorder(N, kind="multilabel")  # added
    for _ in run.epochs(loader):
        for x, y, ids in loader:  # changed
            logits = model(x)
            recorder.update(ids, logits, y)  # added
            train(optimizer, binary_cross_entropy_with_logits(logits, y, (y >= 0).float()))
        recorder.end_epoch()  # added
    return recorder


TAGS = [[t % 4 for t in row[:-2]] + [-100, -100] for row in TOKENS]


class Tagger(torch.nn.Module):
    """A class for every token; the first token says which example it is."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Embedding(100, 4)

    def forward(self, tokens):
        logits = self.layer(tokens)
        note(self, tokens[:, 0] - 1, logits)
        return logits


@setup("plain", "token sequences, padded", "sequence", TAGS)
def sequences(run: Run):
    model = run.wrapped(Tagger())
    optimizer = sgd(model)
    data = TensorDataset(torch.tensor(TOKENS), torch.tensor(TAGS))
    loader = run.loader(curate.data.with_ids(data))  # changed
    recorder = run.recorder(N)  # added
    for _ in run.epochs(loader):
        for x, y, ids in loader:  # changed
            logits = model(x)
            recorder.update(ids, logits, y)  # added
            train(optimizer, cross_entropy(logits.transpose(1, 2), y))
        recorder.end_epoch()  # added
    return recorder


@setup("plain", "bfloat16, accumulated, workers, short last batch")
def half(run: Run):
    model = run.wrapped(Net())
    optimizer = sgd(model)
    data = curate.data.with_ids(TensorDataset(X[:-3], Y[:-3]))  # changed
    loader = run.loader(data, num_workers=2)
    recorder = run.recorder(N - 3)  # added
    for _ in run.epochs(loader):
        for step, (x, y, ids) in enumerate(loader):  # changed
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(x)
                loss = cross_entropy(logits, y)
            recorder.update(ids, logits, y)  # added
            loss.backward()
            if step % 3 == 2:
                optimizer.step()
                optimizer.zero_grad()
        recorder.end_epoch()  # added
    return recorder


@setup("plain", "drawn with replacement")
def repeats(run: Run):
    model = run.wrapped(Net())
    optimizer = sgd(model)
    drawn = torch.Generator().manual_seed(run.rank)
    sampler = WeightedRandomSampler((1 + Y).tolist(), 24, generator=drawn)
    loader = DataLoader(
        curate.data.with_ids(TensorDataset(X, Y)), BATCH, sampler=sampler
    )  # changed
    recorder = run.recorder(N)  # added
    for _ in range(2 * EPOCHS):
        for x, y, ids in loader:  # changed
            logits = model(x)
            recorder.update(ids, logits, y)  # added
            train(optimizer, cross_entropy(logits, y))
        recorder.end_epoch()  # added
    return recorder


@setup("plain", "checkpoint in mid-epoch, resumed")
def resumed(run: Run):
    saved, done = io.BytesIO(), 0
    for stops in (True, False):
        model = run.wrapped(Net())
        optimizer, step = sgd(model), 0
        loader = run.loader(curate.data.with_ids(TensorDataset(X, Y)))  # changed
        recorder = run.recorder(N)  # added
        if not stops:
            saved.seek(0)
            states = torch.load(saved, weights_only=True)
            model.load_state_dict(states["model"])
            recorder.load_state_dict(states["recorder"])
            del SEEN[done:]
        for _ in run.epochs(loader):
            torch.manual_seed(step)
            for x, y, ids in loader:  # changed
                step += 1
                if step <= done:
                    continue
                logits = model(x)
                recorder.update(ids, logits, y)  # added
                train(optimizer, cross_entropy(logits, y))
                if stops and step == len(loader) + 3:
                    recorder.exchange()
                    states = {"model": model.state_dict(), "recorder": recorder.state_dict()}
                    torch.save(states, saved)
                if stops and step == len(loader) + 5:
                    break
            if stops and step >= len(loader) + 5:
                break
            if step > done:
                recorder.end_epoch()  # added
        done = len(loader) + 3
    return recorder


@setup("plain", "curate.watch, workers")
def watched(run: Run):
    model = run.wrapped(Net())
    optimizer = sgd(model)
    loader = run.loader(TensorDataset(X, Y), num_workers=2)
    recorder = curate.watch(model, loader)  # added
    for _ in run.epochs(loader):
        for x, y in loader:
            train(optimizer, cross_entropy(model(x), y))
    return recorder


@setup("plain", "mixup, swept after every epoch", sweeps=True)
def swept(run: Run):
    model = run.wrapped(Net())
    optimizer = sgd(model)
    loader = run.loader(TensorDataset(X, Y))
    clean = run.loader(curate.data.with_ids(TensorDataset(X, Y)))  # added
    recorder = run.recorder(N)  # added
    for _ in run.epochs(loader):
        model.train()
        for x, y in loader:
            logits = model(0.6 * x + 0.4 * x.flip(0))
            train(
                optimizer, 0.6 * cross_entropy(logits, y) + 0.4 * cross_entropy(logits, y.flip(0))
            )
        recorder.sweep(model, clean)  # added
    return recorder
