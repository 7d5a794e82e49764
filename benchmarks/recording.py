"""What recording costs: against the floor, against peers, and as a share of a training step.

    pip install -e '.[bench]' && python benchmarks/recording.py

Prints the tables of docs/benchmarks.md, 'Recording'. One thread; the contestants of a row take
turns, and the figures are medians. Peers that are not installed are left out, and said so.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from measure import medians
from peers import (
    BATCH,
    CLASSES,
    Epoch,
    aum_package,
    cartography_log,
    coreset_tensors,
    json_lines,
    paper_dict,
    traintools_package,
)
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import nn

import curate


def floor(epoch: Epoch) -> None:
    for _, logits, labels in epoch.batches:
        logits.argmax(1) == labels  # noqa: B015


def ours(epoch: Epoch, recorder: curate.Recorder) -> None:
    for ids, logits, labels in epoch.batches:
        recorder.update(ids, logits, labels)
    recorder.flush()


def ours_saved(
    epoch: Epoch, recorder: curate.Recorder, folder: Path, columns: list[str] | None = None
) -> None:
    ours(epoch, recorder)
    table = recorder.table()
    curate.write(table.select(columns) if columns else table, folder / "examples.parquet")


def against_the_floor(n: int, repeats: int) -> Table:
    epoch = Epoch(n)
    recorders = {
        "forgetting": curate.Recorder(n, track="forgetting"),
        "all": curate.Recorder(n),
        "all, history": curate.Recorder(n, history=True),
    }
    contestants = {"floor": lambda: floor(epoch)}
    for name, recorder in recorders.items():
        contestants[name] = lambda recorder=recorder: ours(epoch, recorder)
    seconds = medians(contestants, repeats)
    table = Table(title=f"update, one epoch of {n:,} examples, batches of {BATCH} x {CLASSES}")
    for column in ("track", "seconds", "ns an example", "/ floor", "goal"):
        table.add_column(column, justify="right")
    goals = {"floor": "", "forgetting": "<= 2", "all": "<= 6", "all, history": ""}
    for name, value in seconds.items():
        label = "argmax + compare (floor)" if name == "floor" else name
        table.add_row(
            label,
            f"{value:.4f}",
            f"{value / n * 1e9:.0f}",
            f"{value / seconds['floor']:.2f}",
            goals[name],
        )
    return table


def against_peers(n: int, repeats: int, folder: Path) -> tuple[Table, list[str]]:
    table = Table(title="like for like: an epoch of updates and the peer's end-of-epoch write")
    for column in ("peer", "examples", "peer, s", "curate, s", "peer / curate", "goal"):
        table.add_column(column, justify="right")
    missing = []

    def row(name: str, goal: str, size: int, peer: Callable, own: Callable) -> None:
        seconds = medians({"peer": peer, "own": own}, repeats)
        ratio = seconds["peer"] / seconds["own"]
        figures = (f"{seconds['peer']:.3f}", f"{seconds['own']:.4f}", f"{ratio:.0f}x")
        table.add_row(name, f"{size:,}", *figures, goal)

    def saving(epoch: Epoch, track: str = "all", columns: list[str] | None = None) -> Callable:
        recorder = curate.Recorder(epoch.n, track=track)  # type: ignore[arg-type]
        return lambda: ours_saved(epoch, recorder, folder, columns)

    epoch = Epoch(n)
    # every run starts from nothing, as the peers' lists would otherwise grow with the repeats
    row(
        "the paper's dict, for forgetting",
        ">= 80x",
        n,
        lambda: paper_dict(epoch, {}, folder),
        saving(epoch, track="forgetting"),
    )
    row(
        "the paper's dict, for everything",
        "",
        n,
        lambda: paper_dict(epoch, {}, folder),
        saving(epoch),
    )
    data_map = ["example_id", "label", "correct", "confidence_mean", "confidence_std"]
    row(
        "JSON lines, plainest, for a data map",
        "",
        n,
        lambda: json_lines(epoch, folder),
        saving(epoch, columns=data_map),
    )
    row(
        "as dataset-cartography logs",
        ">= 40x",
        n,
        lambda: cartography_log(epoch, folder),
        saving(epoch, columns=data_map),
    )
    try:
        from aum import AUMCalculator

        row(
            "aum package",
            ">= 30x",
            n,
            lambda: aum_package(epoch, AUMCalculator(str(folder))),
            saving(epoch, columns=["example_id", "presentations", "margin_mean"]),
        )
    except ImportError:
        missing.append("aum")
    epoch.lists = [(ids.tolist(), x, y) for ids, x, y in epoch.batches]  # type: ignore[attr-defined]
    events, last = torch.zeros(n), torch.zeros(n)
    forgetting = curate.Recorder(n, track="forgetting")
    row(
        "coreset tensors (no write)",
        ">= 4x",
        n,
        lambda: coreset_tensors(epoch, events, last),
        lambda: ours(epoch, forgetting),
    )
    try:
        from traintools import ExampleDynamicsTracker

        few = Epoch(n // 10)
        everything = curate.Recorder(few.n)
        row(
            "traintools package (no write)",
            ">= 200x",
            few.n,
            lambda: traintools_package(few, ExampleDynamicsTracker()),
            lambda: ours(few, everything),
        )
    except ImportError:
        missing.append("traintools")
    return table, missing


def mnist_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def resnet18() -> nn.Module:
    from torchvision.models import resnet18 as build

    model = build(num_classes=10)
    model.conv1, model.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return model


def share_of_a_step(steps: dict[str, int]) -> Table:
    table = Table(title="share of a training step on this CPU (one thread)")
    for column in ("net", "batch", "step, ms", "update, us", "share", "goal"):
        table.add_column(column, justify="right")
    cases = {
        "MNIST CNN": (mnist_cnn(), (1, 28, 28), 64, 60_000),
        "CIFAR-10 ResNet-18": (resnet18(), (3, 32, 32), 128, 50_000),
    }
    for name, (model, shape, batch, n) in cases.items():
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        recorder = curate.Recorder(n)
        images, labels = torch.randn(batch, *shape), torch.randint(0, 10, (batch,))
        step_seconds = []
        for _ in range(steps[name]):
            start = time.perf_counter()
            optimizer.zero_grad()
            logits = model(images)
            nn.functional.cross_entropy(logits, labels).backward()
            optimizer.step()
            step_seconds.append(time.perf_counter() - start)
        orders = torch.randperm(n)[: n - n % batch].split(batch)
        start = time.perf_counter()
        for ids in orders:  # a whole epoch, so that the work done in arrears counts
            recorder.update(ids, logits, labels)
        recorder.flush()
        update, step = (time.perf_counter() - start) / len(orders), statistics.median(step_seconds)
        table.add_row(
            name, str(batch), f"{step * 1e3:.1f}", f"{update * 1e6:.0f}", f"{update / step:.3%}",
            "<= 1 %",
        )  # fmt: skip
    return table


def import_time(repeats: int) -> Table:
    table = Table(title="import, in a fresh process")
    for column in ("module", "seconds", "/ torch", "goal"):
        table.add_column(column, justify="right")

    def importing(module: str) -> Callable:
        return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)

    seconds = medians({"torch": importing("torch"), "curate": importing("curate")}, repeats)
    for name, value in seconds.items():
        goal = "<= 1.15" if name == "curate" else ""
        table.add_row(name, f"{value:.3f}", f"{value / seconds['torch']:.3f}", goal)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the examples, once")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    console = Console(width=110)
    n, repeats = (100_000, 1) if quick else (1_000_000, 7)
    peers_n, peer_repeats = (5_000, 1) if quick else (500_000, 3)
    steps = {"MNIST CNN": 5 if quick else 50, "CIFAR-10 ResNet-18": 1 if quick else 5}
    tables, missing = [], []
    with tempfile.TemporaryDirectory() as folder:
        for part in track(["floor", "peers", "step", "import"], "measuring", transient=True):
            if part == "floor":
                tables.append(against_the_floor(n, repeats))
            elif part == "peers":
                found, missing = against_peers(peers_n, peer_repeats, Path(folder))
                tables.append(found)
            elif part == "step":
                tables.append(share_of_a_step(steps))
            else:
                tables.append(import_time(1 if quick else 9))
    console.print(
        f"torch {torch.__version__}, {platform.processor() or platform.machine()}, 1 thread"
    )
    console.print(*tables)
    if missing:
        console.print(f"left out, not installed: {', '.join(missing)}")


if __name__ == "__main__":
    main()
