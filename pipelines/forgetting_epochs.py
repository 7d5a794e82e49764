"""How many examples are never forgotten, epoch by epoch? Toneva et al., ICLR 2019, Section 4.

    python pipelines/forgetting_epochs.py [--dataset cifar10] [--net resnet18] [--epochs 200]
    python pipelines/forgetting_epochs.py --only-print

The reference trainer's runs on all of a training set, recorded with the outcome of every
presentation: the share of examples that were learned and not forgotten so far, in one run and in
all of them, and how far seeds agree. The paper: 31.3 % of CIFAR-10 in all of 5 runs of ResNet-18
and 200 epochs, and Pearson's r of the events of two seeds 0.892. Finished runs are kept in
``benchmarks/results/``; several processes share the seeds (``--folder`` is where they meet).
"""

import argparse
import fcntl
import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr

import curate
from curate.experiment import run_arm
from curate.files import atomic_path
from curate.scores import unforgettable
from curate.train import settings_for

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
MARKS = (1, 2, 5, 10, 20, 50, 100, 200)  # epochs after which the examples' counts are kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data", help="folder with local copies; else CURATE_DATA")
    parser.add_argument("--net", default="cnn", help="of curate.train.NETS")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--device", help="a GPU where there is one")
    parser.add_argument("--folder", type=Path, default=Path("runs/forgetting-epochs"))
    parser.add_argument("--results", type=Path, default=RESULTS, help="where what is done is kept")
    parser.add_argument("--only-print", action="store_true")
    options = parser.parse_args()
    name = f"{options.dataset}-{options.net}"
    if not options.only_print:
        record_what_is_missing(options, name)
    print_table(options.results, name, "the paper: 31.3 % of CIFAR-10, 5 seeds, 200 epochs")
    print_early(options.results, name)


def record_what_is_missing(options: argparse.Namespace, name: str) -> None:
    sets = [curate.data.load(options.dataset, split, options.data) for split in ("train", "test")]
    settings = settings_for(
        sets[0].shape, model=options.net, epochs=options.epochs, device=options.device
    )
    options.folder.mkdir(parents=True, exist_ok=True)
    for seed in range(options.seeds):
        path = table_path(options.results, name, seed)
        with open(options.folder / f"{name}-{seed}.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue  # another process trains it
            if epochs_of(path) >= options.epochs:
                continue
            recorder = curate.Recorder(sets[0].ids, history=True)
            run, table = run_arm(
                name, seed, *sets, settings, recorder=recorder, folder=options.folder
            )
            print(run, flush=True)
            keep(path, table, options.epochs, run.right)


def keep(path: Path, table: pa.Table, epochs: int, right: np.ndarray) -> None:
    """What the history says of every epoch."""
    shares, columns = [], {}
    for epoch in range(1, epochs + 1):
        counts = curate.forgetting_at(table, epoch)
        shares.append(float(unforgettable(counts).mean()))
        if epoch in MARKS or epoch == epochs:
            columns[f"events_{epoch}"] = events_of(counts)
    write_counts(path, columns, shares, [math.nan] * (epochs - 1) + [float(right.mean())], right)


def write_counts(
    path: Path,
    columns: dict[str, np.ndarray],
    shares: list[float],
    accuracies: list[float],
    right: np.ndarray,
) -> None:
    """The counts at the marks, and as metadata the shares and accuracies by epoch and, as bits,
    which test examples are right at the end."""
    metadata = {
        "unforgettable_by_epoch": repr([round(share, 5) for share in shares]),
        "test_accuracy_by_epoch": repr([round(accuracy, 4) for accuracy in accuracies]),
        "right": np.packbits(right).tobytes(),
    }
    table = pa.table(columns).replace_schema_metadata(metadata)
    with atomic_path(path) as written:
        parquet.write_table(table, written, compression="zstd")


def events_of(table: pa.Table) -> np.ndarray:
    """(n,) int16 forgetting events; -1 where the example was never learned."""
    events = curate.score(table, "forgetting")
    return np.where(np.isfinite(events), events, -1).astype(np.int16)


def table_path(folder: Path, name: str, seed: int) -> Path:
    return folder / f"forgetting-{name}-seed{seed}.parquet"


def tables_of(folder: Path, name: str) -> list[Path]:
    return sorted(folder.glob(f"forgetting-{name}-seed*.parquet"))


def by_epoch(kept: Path, what: str) -> list[float]:
    """A number for every epoch that is done; empty where none is."""
    if not kept.exists():
        return []
    text = parquet.read_schema(kept).metadata[what.encode()].decode()
    return [float(word) for word in text.strip("[]").split(",")]


def epochs_of(kept: Path) -> int:
    """How many are done."""
    return len(by_epoch(kept, "unforgettable_by_epoch"))


def print_table(folder: Path, name: str, paper: str) -> None:
    """The share of unforgettable examples after some epochs: of one run, and of all of them."""
    if not tables_of(folder, name):
        raise SystemExit(f"no finished run of {name} is in {folder}")
    report = Table(title=f"{name}: never forgotten ({paper})")
    for column in ("epochs", "seeds", "in one run", "in all of them", "test accuracy"):
        report.add_column(column, justify="right")
    for mark in MARKS:
        found = []
        for path in tables_of(folder, name):
            if f"events_{mark}" in parquet.read_schema(path).names:
                found.append(path)
        if not found:
            continue
        events = [parquet.read_table(path)[f"events_{mark}"].to_numpy() for path in found]
        never = np.stack(events) == 0
        right = np.mean([by_epoch(path, "test_accuracy_by_epoch")[mark - 1] for path in found])
        report.add_row(
            str(mark), str(len(found)), f"{never.mean():.1%}", f"{never.all(0).mean():.1%}",
            "" if math.isnan(right) else f"{right:.2%}",
        )  # fmt: skip
    Console(highlight=False).print(report)


def print_early(folder: Path, name: str) -> None:
    """Counts after early epochs against those of the same run at its end, and between seeds."""
    runs = [parquet.read_table(path) for path in tables_of(folder, name)]
    longest = max(runs, key=lambda run: len(run.column_names))
    last = longest.column_names[-1]
    report = Table(title=f"{name}: early epochs against {last.removeprefix('events_')}")
    for column in (
        "epochs", "Spearman's ρ", "stay never forgotten", "ρ between two seeds", "Pearson's r",
    ):  # fmt: skip
        report.add_column(column, justify="right")
    end = hardness(longest, last)
    for column in longest.column_names:
        early = hardness(longest, column)
        seeds = [hardness(run, column) for run in runs if column in run.column_names]
        pairs = list(combinations(seeds, 2))
        ranked = [spearmanr(*pair).statistic for pair in pairs]
        straight = [np.corrcoef(*pair)[0, 1] for pair in pairs]
        report.add_row(
            column.removeprefix("events_"), f"{spearmanr(early, end).statistic:.2f}",
            f"{(end[early == 0] == 0).mean():.1%}",
            *(f"{np.mean(found):.2f}" if found else "" for found in (ranked, straight)),
        )  # fmt: skip
    Console(highlight=False).print(report)


def hardness(run: pa.Table, column: str) -> np.ndarray:
    """(n,) forgetting events; those never learned so far are the hardest."""
    events = run[column].to_numpy().astype(np.int64)
    return np.where(events < 0, events.max() + 1, events)


if __name__ == "__main__":
    main()
