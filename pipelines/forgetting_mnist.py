"""Unforgettable examples of MNIST and permuted MNIST, at the paper's settings.

    python pipelines/forgetting_mnist.py                             # MNIST, 5 seeds, 200 epochs
    python pipelines/forgetting_mnist.py --dataset permuted-mnist
    python pipelines/forgetting_mnist.py --seeds 1 --epochs 50       # a first point
    python pipelines/forgetting_mnist.py --only-print

Toneva et al., ICLR 2019, Section 4.1: 91.7 % of MNIST and 75.3 % of permuted MNIST are never
forgotten by any of 5 runs. As in the paper's code: two convolutions and two linear layers without
dropout, SGD with momentum 0.5 and a learning rate of 0.01, batches of 64, 200 epochs; a seed of
permuted MNIST has a permutation of its own. A run that was interrupted goes on from its last
checkpoint under ``runs/``; what is finished is kept in ``benchmarks/results/``.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from pyarrow import parquet
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr
from torch import nn
from torch.nn.functional import cross_entropy

import curate
from curate.files import atomic_path
from curate.scores import unforgettable

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
MEAN, STD = 0.1307, 0.3081  # of MNIST's pixels, as the paper's code has them
MARKS = (1, 2, 5, 10, 20, 50, 100, 200)  # epochs after which the examples' counts are kept
PAPER = {"mnist": 91.7, "permuted-mnist": 75.3}


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", choices=PAPER, default="mnist")
    parser.add_argument("--data", help="folder with a local copy; else CURATE_DATA")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, default=Path("runs/forgetting-mnist"))
    parser.add_argument("--only-print", action="store_true")
    options = parser.parse_args()
    if not options.only_print:
        options.folder.mkdir(parents=True, exist_ok=True)
        train_set = curate.data.load("mnist", "train", options.data)
        test_set = curate.data.load("mnist", "test", options.data)
        for seed in range(options.seeds):
            record(options, train_set, test_set, seed)
    print_table(options.dataset)


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


def record(options, train_set, test_set, seed: int) -> None:
    """Train one net, from its checkpoint where there is one, and keep the counts at the marks."""
    kept = table_path(options.dataset, seed)
    done = epochs_of(kept)
    if done and done[-1] >= options.epochs:
        return
    permuted = seed if options.dataset == "permuted-mnist" else None
    images, labels = pixels(train_set, permuted)
    test_images, test_labels = pixels(test_set, permuted)
    torch.manual_seed(seed)
    model = net().to(options.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    order = torch.Generator().manual_seed(seed)
    recorder = curate.Recorder(train_set.ids, track="forgetting")
    shares: list[float] = []
    accuracies: list[float] = []
    columns: dict[str, np.ndarray] = {}
    checkpoint = options.folder / f"{options.dataset}-{seed}.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        for name, part in (("model", model), ("optimizer", optimizer), ("recorder", recorder)):
            part.load_state_dict(state[name])
        order.set_state(state["order"])
        shares, accuracies = state["shares"], state["accuracies"]
        columns = {name: values.numpy() for name, values in state["columns"].items()}
    for epoch in range(len(shares) + 1, options.epochs + 1):
        model.train()
        for batch in torch.randperm(len(labels), generator=order).split(64):
            targets = labels[batch].to(options.device)
            logits = model(images[batch].to(options.device))
            loss = cross_entropy(logits, targets)
            recorder.update(batch, logits, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        recorder.end_epoch()
        table = recorder.table()
        shares.append(float(unforgettable(table).mean()))
        accuracies.append(accuracy(model, test_images, test_labels, options.device))
        if epoch in MARKS:
            columns[f"events_{epoch}"] = events_of(table)
        if epoch in MARKS or epoch % 10 == 0 or epoch == options.epochs:
            state = {
                "model": model.state_dict(), "optimizer": optimizer.state_dict(),
                "recorder": recorder.state_dict(), "order": order.get_state(),
                "shares": shares, "accuracies": accuracies,
                "columns": {name: torch.from_numpy(values) for name, values in columns.items()},
            }  # fmt: skip
            with atomic_path(checkpoint) as path:
                torch.save(state, path)
            keep(kept, columns, shares, accuracies)
            print(f"{options.dataset}, seed {seed}, epoch {epoch}: {shares[-1]:.1%}", flush=True)


@torch.no_grad()
def accuracy(model, images, labels, device: str) -> float:
    model.eval()
    right = [
        (model(some.to(device)).argmax(1).cpu() == expected).sum()
        for some, expected in zip(images.split(1000), labels.split(1000), strict=True)
    ]
    return float(sum(right)) / len(labels)


def events_of(table: pa.Table) -> np.ndarray:
    """(n,) int16 forgetting events; -1 where the example was never learned."""
    events = curate.score(table, "forgetting")
    return np.where(np.isfinite(events), events, -1).astype(np.int16)


def table_path(dataset: str, seed: int) -> Path:
    return RESULTS / f"forgetting-{dataset}-seed{seed}.parquet"


def keep(kept: Path, columns, shares, accuracies) -> None:
    """Write the counts at the marks, and the shares by epoch as metadata."""
    table = pa.table(columns).replace_schema_metadata(
        {
            "unforgettable_by_epoch": repr([round(share, 5) for share in shares]),
            "test_accuracy_by_epoch": repr([round(share, 4) for share in accuracies]),
        }
    )
    with atomic_path(kept) as path:
        parquet.write_table(table, path, compression="zstd")


def by_epoch(kept: Path, what: str) -> list[float]:
    """A number for every epoch that is done; empty where none is."""
    if not kept.exists():
        return []
    text = parquet.read_schema(kept).metadata[what.encode()].decode()
    return [float(word) for word in text.strip("[]").split(",")]


def epochs_of(kept: Path) -> list[int]:
    return list(range(1, len(by_epoch(kept, "unforgettable_by_epoch")) + 1))


def print_table(dataset: str) -> None:
    """The share of unforgettable examples after some epochs: of one run, and of all of them."""
    report = Table(title=f"{dataset}: never forgotten (the paper: {PAPER[dataset]} %, 5 seeds)")
    for column in ("epochs", "seeds", "in one run", "in all of them", "test accuracy"):
        report.add_column(column, justify="right")
    for mark in MARKS:
        found = []
        for path in sorted(RESULTS.glob(f"forgetting-{dataset}-seed*.parquet")):
            if f"events_{mark}" in parquet.read_schema(path).names:
                found.append(path)
        if not found:
            continue
        events = [parquet.read_table(path)[f"events_{mark}"].to_numpy() for path in found]
        never = np.stack(events) == 0
        right = [by_epoch(path, "test_accuracy_by_epoch")[mark - 1] for path in found]
        report.add_row(
            str(mark), str(len(found)), f"{never.mean():.1%}", f"{never.all(0).mean():.1%}",
            f"{np.mean(right):.2%}",
        )  # fmt: skip
    Console(highlight=False).print(report)
    print_early(dataset)


def print_early(dataset: str) -> None:
    """Counts after early epochs against those of the same run at its end, and between seeds."""
    paths = sorted(RESULTS.glob(f"forgetting-{dataset}-seed*.parquet"))
    runs = [parquet.read_table(path) for path in paths]
    longest = max(runs, key=lambda run: len(run.column_names))
    last = longest.column_names[-1]
    report = Table(title=f"{dataset}: early epochs against {last.removeprefix('events_')}")
    for column in ("epochs", "Spearman's ρ", "stay never forgotten", "ρ between two seeds"):
        report.add_column(column, justify="right")
    end = hardness(longest, last)
    for name in longest.column_names:
        early = hardness(longest, name)
        seeds = [hardness(run, name) for run in runs if name in run.column_names]
        pairs = [spearmanr(*pair).statistic for pair in combinations(seeds, 2)]
        report.add_row(
            name.removeprefix("events_"), f"{spearmanr(early, end).statistic:.2f}",
            f"{(end[early == 0] == 0).mean():.1%}", f"{np.mean(pairs):.2f}" if pairs else "",
        )  # fmt: skip
    Console(highlight=False).print(report)


def hardness(run: pa.Table, name: str) -> np.ndarray:
    """(n,) forgetting events; those never learned so far are the hardest."""
    events = run[name].to_numpy().astype(np.int64)
    return np.where(events < 0, events.max() + 1, events)


if __name__ == "__main__":
    main()
