"""How peers record the same batches, with the writes that they do at the end of an epoch."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas
import torch
from torch import nn

CLASSES, BATCH = 10, 512


class Epoch:
    """One epoch of ids, logits and labels, batch by batch, as a training loop would see them."""

    def __init__(self, n: int) -> None:
        self.n = n
        generator = torch.Generator().manual_seed(0)
        labels = torch.randint(0, CLASSES, (n,), generator=generator)
        logits = torch.randn(n, CLASSES, generator=generator)
        ids = torch.randperm(n, generator=generator)
        self.batches = [(i, logits[i].clone(), labels[i].clone()) for i in ids.split(BATCH)]


def paper_dict(epoch: Epoch, state: dict, folder: Path) -> None:
    """What the paper describes, as plainly as it is usually written: lists in a dict."""
    for ids, logits, labels in epoch.batches:
        losses = nn.functional.cross_entropy(logits, labels, reduction="none")
        correct = logits.argmax(1) == labels
        for j, example in enumerate(ids.tolist()):
            ranked = logits[j].sort().values
            other = ranked[-2] if correct[j] else ranked[-1]
            entry = state.setdefault(example, ([], [], []))
            entry[0].append(losses[j].item())
            entry[1].append(correct[j].item())
            entry[2].append(logits[j, labels[j]].item() - other.item())
    with open(folder / "stats.pkl", "wb") as file:
        pickle.dump(state, file)


def aum_package(epoch: Epoch, calculator: object) -> None:
    for ids, logits, labels in epoch.batches:
        calculator.update(logits, labels, ids.tolist())  # type: ignore[attr-defined]
    calculator.finalize()  # type: ignore[attr-defined]


def json_lines(epoch: Epoch, folder: Path) -> None:
    """Ids, labels and logits of the epoch as JSON lines, in the plainest way."""
    with open(folder / "dynamics.jsonl", "w") as file:
        for ids, logits, labels in epoch.batches:
            rows = zip(ids.tolist(), logits.tolist(), labels.tolist(), strict=True)
            for example, row, label in rows:
                file.write(json.dumps({"guid": example, "logits": row, "gold": label}) + "\n")


def cartography_log(epoch: Epoch, folder: Path) -> None:
    """The same as the dataset-cartography tool goes about it: arrays that grow, a data frame."""
    all_ids, all_labels = np.empty(0, np.int64), np.empty(0, np.int64)
    all_logits = np.empty((0, CLASSES), np.float32)
    for ids, logits, labels in epoch.batches:
        all_ids = np.append(all_ids, ids.numpy())
        all_logits = np.append(all_logits, logits.numpy(), axis=0)
        all_labels = np.append(all_labels, labels.numpy())
    columns = {"guid": list(all_ids), "logits": list(all_logits), "gold": list(all_labels)}
    frame = pandas.DataFrame(columns)
    frame.to_json(folder / "dynamics.jsonl", lines=True, orient="records")


def coreset_tensors(epoch: Epoch, events: torch.Tensor, last: torch.Tensor) -> None:
    """Two float tensors indexed by the sampler's list of ids, as coreset libraries do."""
    for ids, logits, labels in epoch.lists:  # type: ignore[attr-defined]
        predicted = logits.max(1).indices
        now = (predicted == labels).clone().detach().type(torch.float32)
        events[torch.tensor(ids)[(last[ids] - now) > 0.01]] += 1.0
        last[ids] = now


def traintools_package(epoch: Epoch, tracker: object) -> None:
    for step, (ids, logits, labels) in enumerate(epoch.batches):
        tracker.update(ids, logits, labels, step=step)  # type: ignore[attr-defined]
