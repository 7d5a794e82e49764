"""Unforgettable examples of MNIST and permuted MNIST, at the paper's settings.

    python pipelines/forgetting_mnist.py                             # MNIST, 5 seeds, 200 epochs
    python pipelines/forgetting_mnist.py --dataset permuted-mnist
    python pipelines/forgetting_mnist.py --seeds 1 --epochs 50       # a first point
    python pipelines/forgetting_mnist.py --only-print

Toneva et al., ICLR 2019, Section 4.1: 91.7 % of MNIST and 75.3 % of permuted MNIST are never
forgotten by any of 5 runs. As in the paper's code: two convolutions and two linear layers without
dropout, SGD with momentum 0.5 and a learning rate of 0.01, batches of 64, 200 epochs; a seed of
permuted MNIST has a permutation of its own. A run that was interrupted goes on from its last
checkpoint under ``runs/``; what is finished is kept in ``benchmarks/results/``. On a GPU the seeds
are trained together, by CUDA graphs.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from forgetting_epochs import (
    MARKS,
    RESULTS,
    epochs_of,
    events_of,
    print_early,
    print_table,
    table_path,
    write_counts,
)
from torch import nn
from torch.nn.functional import cross_entropy

import curate
from curate.files import atomic_path
from curate.scores import unforgettable

MEAN, STD = 0.1307, 0.3081  # of MNIST's pixels, as the paper's code has them
BATCH = 64
PAPER = {"mnist": 91.7, "permuted-mnist": 75.3}


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", choices=PAPER, default="mnist")
    parser.add_argument("--data", help="folder with a local copy; else CURATE_DATA")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--folder", type=Path, default=Path("runs/forgetting-mnist"))
    parser.add_argument("--results", type=Path, default=RESULTS, help="where what is done is kept")
    parser.add_argument("--only-print", action="store_true")
    options = parser.parse_args()
    if not options.only_print:
        options.folder.mkdir(parents=True, exist_ok=True)
        train_set = curate.data.load("mnist", "train", options.data)
        test_set = curate.data.load("mnist", "test", options.data)
        recordings = [
            Recording(options, train_set, test_set, seed)
            for seed in range(options.seeds)
            if epochs_of(table_path(options.results, options.dataset, seed)) < options.epochs
        ]
        # on a GPU the seeds take turns: a step of one net is far too small for it
        together = len(recordings) if options.device != "cpu" else 1
        for start in range(0, len(recordings), together or 1):
            take_turns(recordings[start : start + together])
    paper = f"the paper: {PAPER[options.dataset]} %, 5 seeds"
    print_table(options.results, options.dataset, paper)
    print_early(options.results, options.dataset)


def net() -> nn.Module:
    """The paper's, without dropout."""
    return nn.Sequential(
        nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(10, 20, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(320, 50), nn.ReLU(), nn.Linear(50, 10),
    )  # fmt: skip


def pixels(dataset: curate.data.ExampleSet, seed: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised images (N, 1, 28, 28), permuted where a seed says how, and labels (N,)."""
    values, labels = dataset.arrays()
    images = (values.float() / 255 - MEAN) / STD
    if seed is not None:
        order = torch.randperm(28 * 28, generator=torch.Generator().manual_seed(seed))
        images = images.flatten(1)[:, order].view(-1, 1, 28, 28)
    return images, labels


class Training:
    """One net, its examples, and its steps; on a GPU a step is captured once and replayed.

    Attributes:
        images, labels: (N, 1, 28, 28) float32 and (N,) int64, on the device.
        order: draws the order of the examples, epoch by epoch.
    """

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, seed: int, device: str) -> None:
        self.images, self.labels, self.device = images.to(device), labels.to(device), device
        torch.manual_seed(seed)
        self.model = net().to(device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.5)
        self.order = torch.Generator().manual_seed(seed)
        self.logits = torch.zeros(len(labels), 10, device=device)  # of this epoch, by example
        self.graphs: dict[int, torch.cuda.CUDAGraph] = {}  # of a step, by the size of its batch
        if device != "cpu":
            self.stream = torch.cuda.Stream()
            self.rows = torch.arange(len(labels), device=device)  # the epoch's order
            self.at = torch.zeros(1, dtype=torch.int64, device=device)  # how far it has come
            self.places = torch.arange(BATCH, device=device)
            self.capture({min(BATCH, len(labels)), len(labels) % BATCH or BATCH})

    def state(self) -> dict[str, list[torch.Tensor]]:
        """Weights and momenta."""
        parameters = list(self.model.parameters())
        return {
            "weights": [p.detach() for p in parameters],
            "momenta": [self.optimizer.state[p]["momentum_buffer"] for p in parameters],
        }

    @torch.no_grad()
    def load(self, state: dict[str, list[torch.Tensor]]) -> None:
        """Into the tensors that there are, as captured steps know no others."""
        for p, weight, momentum in zip(self.model.parameters(), *state.values(), strict=True):
            p.copy_(weight)
            held = self.optimizer.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
            held.copy_(momentum)

    def step(self, rows: torch.Tensor) -> None:
        logits = self.model(self.images[rows])
        loss = cross_entropy(logits, self.labels[rows])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.logits[rows] = logits.detach()

    def next_step(self, size: int) -> None:
        """The step at the counter, which it moves on."""
        self.step(self.rows[self.places[:size] + self.at])
        self.at += size

    def capture(self, sizes: set[int]) -> None:
        """A graph for each size of a batch: sixty kernels of microseconds are otherwise bound by
        their launches."""
        weights = [p.detach().clone() for p in self.model.parameters()]
        torch.cuda.synchronize()
        with torch.cuda.stream(self.stream):
            for size in [*sizes] * 3:  # libraries choose their kernels
                self.at.zero_()
                self.next_step(size)
            torch.cuda.synchronize()
            for size in sizes:
                self.graphs[size] = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self.graphs[size], stream=self.stream):
                    self.next_step(size)
        self.load({"weights": weights, "momenta": [torch.zeros_like(each) for each in weights]})
        torch.cuda.synchronize()

    def epoch(self) -> Iterator[None]:
        """The steps of an epoch, one at a time, so that several nets can take turns."""
        rows = torch.randperm(len(self.labels), generator=self.order)
        if self.graphs:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                self.rows.copy_(rows)
                self.at.zero_()
        self.model.train()
        for batch in rows.split(BATCH):
            if self.graphs:
                with torch.cuda.stream(self.stream):
                    self.graphs[len(batch)].replay()
            else:
                self.step(batch)
            yield

    @torch.no_grad()
    def right(self, images: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
        """(N,) bool: which of these it gets right."""
        self.model.eval()
        found = torch.cat([self.model(some).argmax(1) for some in images.split(1000)])
        return (found == labels).cpu().numpy()


def take_turns(trainings: Sequence[Any]) -> None:
    """Train all of them to their last epoch, in turns of one step.

    Each has ``epoch()``, the steps of one, ``end_epoch()``, and whether it is ``done``.
    """
    while unfinished := [each for each in trainings if not each.done]:
        for _ in zip_longest(*(each.epoch() for each in unfinished)):
            pass
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        for each in unfinished:
            each.end_epoch()


class Recording:
    """A net that is recorded, from its checkpoint where there is one; keeps counts at the marks."""

    def __init__(self, options, train_set, test_set, seed: int) -> None:
        self.options, self.seed = options, seed
        permuted = seed if options.dataset == "permuted-mnist" else None
        self.test = [part.to(options.device) for part in pixels(test_set, permuted)]
        self.training = Training(*pixels(train_set, permuted), seed, options.device)
        self.recorder = curate.Recorder(train_set.ids, track="forgetting")
        self.shares: list[float] = []
        self.accuracies: list[float] = []
        self.right = np.zeros(0, bool)
        self.columns: dict[str, np.ndarray] = {}
        self.checkpoint = options.folder / f"{options.dataset}-{seed}.pt"
        if self.checkpoint.exists():
            state = torch.load(self.checkpoint, weights_only=True)
            self.training.load(state["net"])
            self.training.order.set_state(state["order"])
            self.recorder.load_state_dict(state["recorder"])
            self.shares, self.accuracies = state["shares"], state["accuracies"]
            self.columns = {name: values.numpy() for name, values in state["columns"].items()}

    @property
    def done(self) -> bool:
        return len(self.shares) >= self.options.epochs

    def epoch(self) -> Iterator[None]:
        return self.training.epoch()

    def end_epoch(self) -> None:
        training, every = self.training, torch.arange(len(self.training.labels))
        self.recorder.update(every, training.logits, training.labels)
        self.recorder.end_epoch()
        table = self.recorder.table()
        self.shares.append(float(unforgettable(table).mean()))
        self.right = training.right(*self.test)
        self.accuracies.append(float(self.right.mean()))
        epoch = len(self.shares)
        if epoch in MARKS or self.done:
            self.columns[f"events_{epoch}"] = events_of(table)
        if epoch in MARKS or epoch % 10 == 0 or self.done:
            self.keep()
            name = f"{self.options.dataset}, seed {self.seed}"
            print(f"{name}, epoch {epoch}: {self.shares[-1]:.1%}", flush=True)

    def keep(self) -> None:
        """A checkpoint; the counts at the marks, and as metadata the shares by epoch and, as bits,
        which test examples are right."""
        state = {
            "net": self.training.state(), "order": self.training.order.get_state(),
            "recorder": self.recorder.state_dict(),
            "shares": self.shares, "accuracies": self.accuracies,
            "columns": {name: torch.from_numpy(values) for name, values in self.columns.items()},
        }  # fmt: skip
        with atomic_path(self.checkpoint) as path:
            torch.save(state, path)
        path = table_path(self.options.results, self.options.dataset, self.seed)
        write_counts(path, self.columns, self.shares, self.accuracies, self.right)


if __name__ == "__main__":
    main()
