"""How much of MNIST and permuted MNIST can go, at the paper's settings?

    python pipelines/removal_mnist.py [--dataset permuted-mnist] [--keep 0.2 0.1]

Toneva et al., ICLR 2019, Section 5.2 and its appendix: the examples in the order of their
forgetting events, summed over the runs that ``forgetting_mnist.py`` recorded, those never learned
last; the same net is trained for as many epochs on those forgotten most, equal counts drawn, and on
as many at random. The error that is added, against the recorded runs on all examples, has 95 %
bounds for new test examples and seeds. What is finished is kept in ``benchmarks/results/``.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from forgetting_epochs import RESULTS, epochs_of, hardness, table_path, tables_of
from forgetting_mnist import Training, pixels, take_turns
from pyarrow import parquet
from rich.console import Console
from rich.table import Table

import curate
from curate.files import atomic_path
from curate.stats import certificate, superiority

KEEP = {"mnist": [0.2, 0.1, 0.05], "permuted-mnist": [0.5, 0.25]}
ARMS = ("forgetting", "random")


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", choices=KEEP, default="mnist")
    parser.add_argument("--data", help="folder with a local copy; else CURATE_DATA")
    parser.add_argument("--keep", type=float, nargs="+", help="shares of the training set")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where what is done is kept")
    parser.add_argument("--only-print", action="store_true")
    options = parser.parse_args()
    options.keep = options.keep or KEEP[options.dataset]
    recorded = [
        path
        for path in tables_of(options.results, options.dataset)
        if epochs_of(path) >= options.epochs
    ]
    if not recorded:
        raise SystemExit(
            f"no run of {options.epochs} epochs is in {options.results}: record one by "
            f"forgetting_mnist.py --dataset {options.dataset} --epochs {options.epochs}"
        )
    if not options.only_print:
        sets = [curate.data.load("mnist", split, options.data) for split in ("train", "test")]
        jobs = [
            Removal(options, sets, arm, round(share * len(sets[0])), seed, recorded)
            for share in options.keep
            for seed in range(options.seeds)
            for arm in ARMS
            if (arm, round(share * len(sets[0])), seed) not in finished(options)
        ]
        together = len(jobs) if options.device != "cpu" else 1
        for start in range(0, len(jobs), together or 1):
            take_turns(jobs[start : start + together])
    print_table(options)


class Removal:
    """A net that is trained on some of the examples; what it gets right is kept at the end."""

    def __init__(self, options, sets, arm: str, count: int, seed: int, recorded) -> None:
        self.options, self.key = options, (arm, count, seed)
        permuted = seed if options.dataset == "permuted-mnist" else None
        rows = chosen(sets[0], arm, count, seed, recorded, options.epochs)
        images, labels = pixels(sets[0], permuted)
        self.training = Training(images[rows], labels[rows], seed, options.device)
        self.test = [part.to(options.device) for part in pixels(sets[1], permuted)]
        self.epochs = 0

    @property
    def done(self) -> bool:
        return self.epochs >= self.options.epochs

    def epoch(self) -> Iterator[None]:
        return self.training.epoch()

    def end_epoch(self) -> None:
        self.epochs += 1
        if self.done:
            right = self.training.right(*self.test)
            names = ("arm", "examples", "seed", "epochs", "right")
            bits = np.packbits(right).tobytes()
            row = dict(zip(names, (*self.key, self.epochs, bits), strict=True))
            rows = finished(self.options) | {self.key: row}
            with atomic_path(kept_at(self.options)) as path:
                parquet.write_table(pa.Table.from_pylist([rows[key] for key in sorted(rows)]), path)
            print(f"{self.key}: {right.mean():.2%}", flush=True)


def chosen(train_set, arm: str, count: int, seed: int, recorded, epochs: int) -> np.ndarray:
    """Rows of the training set: drawn by the seed, or those forgotten most in all runs."""
    if arm == "random":
        return np.sort(np.random.default_rng(seed).permutation(len(train_set))[:count])
    events = [hardness(parquet.read_table(path), f"events_{epochs}") for path in recorded]
    table = pa.table({"example_id": pa.array(list(train_set.ids))})
    selection = curate.prune(table, count, by=np.sum(events, 0))
    return np.flatnonzero(selection.table["kept"].to_numpy())


def kept_at(options) -> Path:
    return options.results / f"removal-{options.dataset}-epochs{options.epochs}.parquet"


def finished(options) -> dict[tuple[str, int, int], dict]:
    rows = parquet.read_table(kept_at(options)).to_pylist() if kept_at(options).exists() else []
    return {(row["arm"], row["examples"], row["seed"]): row for row in rows}


def bits_of(packed: bytes) -> np.ndarray:
    return np.unpackbits(np.frombuffer(packed, np.uint8)).astype(bool)


def print_table(options) -> None:
    """Error added in points, and its one-sided 95 % bound; and against random ones."""
    rows = finished(options)
    report = Table(title=f"{options.dataset}: the error that is added, {options.epochs} epochs")
    for column in ("kept", "seeds", "by", "test error", "added, points", "at most", "than random"):
        report.add_column(column, justify="left" if column == "by" else "right")
    every = {}
    for seed in range(options.seeds):
        path = table_path(options.results, options.dataset, seed)
        if epochs_of(path) >= options.epochs:
            every[seed] = bits_of(parquet.read_schema(path).metadata[b"right"])
    whole = np.stack(list(every.values()))
    report.add_row("all", str(len(every)), "", f"{1 - whole.mean():.2%}")
    for count in sorted({key[1] for key in rows}, reverse=True):
        seeds = [s for s in every if all((arm, count, s) in rows for arm in ARMS)]
        if len(seeds) < 2:
            continue
        full = np.stack([every[seed] for seed in seeds])
        right = {
            arm: np.stack([bits_of(rows[arm, count, seed]["right"]) for seed in seeds])
            for arm in ARMS
        }
        for arm in ARMS:
            test = certificate(full, right[arm], level=0.05)
            against = superiority(right["random"], right[arm], level=0.05)
            better = f"{100 * against.loss:+.2f}, at most {100 * against.bound:+.2f}"
            report.add_row(
                f"{count:,}", str(len(seeds)), arm, f"{1 - right[arm].mean():.2%}",
                f"{100 * test.loss:+.2f}", f"{100 * test.bound:+.2f}",
                better if arm != "random" else "",
            )  # fmt: skip
    Console(highlight=False).print(report)


if __name__ == "__main__":
    main()
