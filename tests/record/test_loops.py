"""Loops that cannot be edited, sweeps, and accelerate, against a loop that records by hand."""

import subprocess
import sys

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

import curate

N = 23
X = torch.randn(N, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(N) % 3
SAME = ("example_id", "label", "presentations", "correct", "forgetting_events", "history")


def net():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout(0.0))


class Rows(Dataset):
    """Numbers, so that a loop can say which examples it saw."""

    def __init__(self, dicts=False):
        self.dicts = dicts

    def __len__(self):
        return N

    def __getitem__(self, i):
        return {"x": X[i], "label": Y[i], "i": i} if self.dicts else (X[i], Y[i], i)


def train(model, loader, seen, ahead=False, epochs=3):
    """Somebody's loop; ``seen`` is ours, to know what is right."""
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    for _ in range(epochs):
        batches = iter(loader)
        batch = next(batches)
        while batch is not None:
            following = next(batches, None) if ahead else batch
            x, y, i = (batch["x"], batch["label"], batch["i"]) if isinstance(batch, dict) else batch
            logits = model(x)
            seen.append((i.clone(), logits.detach().clone(), y.clone()))
            torch.nn.functional.cross_entropy(logits, y).backward()
            optimizer.step()
            optimizer.zero_grad()
            batch = following if ahead else next(batches, None)
        model.eval()
        model(X)  # not a step
        model.train()
        with torch.no_grad():
            model(X)


def by_hand(seen, per_epoch, ids=N):
    recorder = curate.Recorder(ids, history=True)
    for place, (i, logits, labels) in enumerate(seen):
        recorder.update(i if isinstance(ids, int) else [ids[k] for k in i], logits, labels)
        if (place + 1) % per_epoch == 0:
            recorder.end_epoch()
    return recorder.table()


def assert_same(found, expected):
    for name in SAME:
        assert found[name].to_pylist() == expected[name].to_pylist(), name


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize(
    ("dicts", "workers", "options"),
    [(False, 0, {"shuffle": True}), (True, 0, {"shuffle": True, "drop_last": True}),
     (False, 2, {"shuffle": True, "persistent_workers": True}), (True, 2, {})],
)  # fmt: skip
def test_a_loop_that_is_watched_is_one_that_records(ahead, dicts, workers, options):
    model, seen = net(), []
    if workers:  # a fork of a process with threads may hang
        options = {**options, "num_workers": workers, "multiprocessing_context": "spawn"}
    loader = DataLoader(Rows(dicts), 5, **options)
    recorder = curate.watch(model, loader, history=True)
    train(model, loader, seen, ahead)
    assert recorder.epoch == 3
    assert_same(recorder.table(), by_hand(seen, len(loader)))
    assert isinstance(loader, DataLoader)


def test_ids_are_those_of_the_data_set():
    names = [f"img-{i}" for i in range(N)]
    model, loader = net(), DataLoader(curate.data.with_ids(TensorDataset(X, Y), names), 4)
    recorder = curate.watch(model, loader)
    for x, *_ in loader:
        model(x)
    assert recorder.table()["example_id"].to_pylist() == names
    subset = DataLoader(Subset(TensorDataset(X, Y), [7, 3, 5]), 2)
    recorder = curate.watch(model, subset)
    for x, _ in subset:
        model(x)
        model(x)  # a second look at the same batch is no second presentation
    assert recorder.table()["example_id"].to_pylist() == [7, 3, 5]
    assert recorder.table()["presentations"].to_pylist() == [1, 1, 1]


def test_what_cannot_be_told_is_said():
    class Stream(IterableDataset):
        def __iter__(self):
            yield X[0], Y[0]

    with pytest.raises(curate.CurateError, match="loader: its data set is a stream"):
        curate.watch(net(), DataLoader(Stream(), 1))
    with pytest.raises(curate.CurateError, match="loader: a list"):
        curate.watch(net(), [(X, Y)])
    model, loader = net(), DataLoader(TensorDataset(X, Y), 4)
    curate.watch(model, loader)
    batches = iter(loader)
    next(batches), next(batches)
    with pytest.raises(curate.CurateError, match="loader: 2 batches were drawn"):
        model(X[:4] + 1)


@pytest.mark.parametrize("dicts", [False, True])
def test_a_sweep_is_a_presentation_of_every_example_as_it_is(dicts):
    data = [{"input": x, "label": int(y)} for x, y in zip(X, Y, strict=True)]
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout(0.9))
    model.train()
    model[0].eval()
    loader = DataLoader(curate.data.with_ids(data if dicts else TensorDataset(X, Y)), 4)
    recorder, one = curate.Recorder(N, history=True), curate.Recorder(N, history=True)
    recorder.sweep(model, loader)
    assert (model.training, model[0].training, model[1].training) == (True, False, True)
    with torch.no_grad():
        one.update(range(N), model[0](X), Y)
    one.end_epoch()
    assert_same(recorder.table(), one.table())
    assert recorder.epoch == 1


def test_accelerate_saves_and_loads_a_registered_recorder(tmp_path):
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True)
    model, seen = net(), []
    loader = DataLoader(Rows(), 5, shuffle=True)
    model, loader = accelerator.prepare(model, loader)
    recorder = curate.watch(model, loader, history=True)
    accelerator.register_for_checkpointing(recorder)
    train(model, loader, seen)
    assert_same(recorder.table(), by_hand(seen, len(loader)))
    accelerator.save_state(str(tmp_path))
    before = recorder.table()
    recorder.update([0], torch.randn(1, 3), [0])
    accelerator.load_state(str(tmp_path))
    assert recorder.table().equals(before)


def test_watching_is_of_the_face():
    subprocess.run([sys.executable, "-c", "import curate; curate.watch"], check=True)
