"""Loops that accelerate prepares."""

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import curate
from setups.harness import BATCH, EPOCHS, SEEN, N, Net, Run, X, Y, setup, sgd

NEEDS = ("accelerate",)


def prepared(run, data, **options):
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True, **options)
    model, loader = Net(), DataLoader(data, BATCH, shuffle=True)
    return accelerator, *accelerator.prepare(model, sgd(model), loader)


@setup("accelerate", "prepared", needs=NEEDS)
def plain(run: Run):
    data = curate.data.with_ids(TensorDataset(X, Y))  # changed
    accelerator, model, optimizer, loader = prepared(run, data)
    recorder = run.recorder(N)  # added
    for _ in range(EPOCHS):
        for x, y, ids in loader:  # changed
            optimizer.zero_grad()
            logits = model(x)
            recorder.update(ids, logits, y)  # added
            accelerator.backward(cross_entropy(logits, y))
            optimizer.step()
        recorder.end_epoch()  # added
    return recorder


@setup("accelerate", "accumulated, string ids, short last batch", needs=NEEDS)
def accumulated(run: Run):
    names = [f"doc-{i}" for i in range(N - 3)]
    data = curate.data.with_ids(TensorDataset(X[:-3], Y[:-3]), names)  # changed
    options = {"gradient_accumulation_steps": 2}
    accelerator, model, optimizer, loader = prepared(run, data, **options)
    recorder = run.recorder(names)  # added
    for _ in range(EPOCHS):
        for x, y, ids in loader:  # changed
            with accelerator.accumulate(model):
                logits = model(x)
                recorder.update(ids, logits, y)  # added
                accelerator.backward(cross_entropy(logits, y))
                optimizer.step()
                optimizer.zero_grad()
        recorder.end_epoch()  # added
    return recorder


@setup("accelerate", "save_state, load_state", needs=NEEDS)
def saved(run: Run):
    recorder = None
    for resumes in (False, True):
        data = curate.data.with_ids(TensorDataset(X, Y))  # changed
        accelerator, model, optimizer, loader = prepared(run, data)
        recorder = run.recorder(N)
        accelerator.register_for_checkpointing(recorder)  # added
        if resumes:
            accelerator.load_state(f"{run.folder}/state")
            del SEEN[2 * len(loader) :]
        for epoch in range(2 * resumes, EPOCHS + resumes):
            for x, y, ids in loader:  # changed
                logits = model(x)
                recorder.update(ids, logits, y)  # added
                optimizer.zero_grad()
                accelerator.backward(cross_entropy(logits, y))
                optimizer.step()
            recorder.end_epoch()  # added
            if epoch == 1 and not resumes:
                accelerator.save_state(f"{run.folder}/state")
        accelerator.wait_for_everyone()
    return recorder


@setup("accelerate", "curate.watch", needs=NEEDS)
def watched(run: Run):
    accelerator, model, optimizer, loader = prepared(run, TensorDataset(X, Y))
    recorder = curate.watch(model, loader)  # added
    for _ in range(EPOCHS):
        for x, y in loader:
            optimizer.zero_grad()
            accelerator.backward(cross_entropy(model(x), y))
            optimizer.step()
        with torch.no_grad():
            model(x)
    return recorder
