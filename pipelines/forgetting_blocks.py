"""Which tenth of the training set is missed most? Toneva et al., ICLR 2019, Section 5.2.

    python pipelines/forgetting_blocks.py [--dataset digits] [--blocks 10] [--seeds 5]

Examples in the order of their forgetting events (sums over the seeds; equal counts by the mean
margin) are cut into blocks of one size, the least forgotten first. Models are trained without each
of the blocks, and without as many random examples; the paper took blocks of 5,000 of CIFAR-10
away, and missed those most that hold the most forgotten examples. What is finished is kept in
``benchmarks/results/`` (``--only-print`` prints it).
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import ttest_1samp

import curate
from curate.experiment import run_arm
from curate.files import atomic_path
from curate.train import settings_for

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data", help="folder with local copies of mnist and cifar10")
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, help="where runs are kept, to go on from")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where what is done is kept")
    parser.add_argument("--only-print", action="store_true")
    options = parser.parse_args()
    kept = options.results / f"blocks-{options.dataset}.parquet"
    if not options.only_print:
        with atomic_path(kept) as path:
            parquet.write_table(pa.Table.from_pylist(leave_out(options)), path)
    if not kept.exists():
        raise SystemExit(f"no finished blocks of {options.dataset} are in {options.results}")
    print_table(options.dataset, parquet.read_table(kept))


def leave_out(options: argparse.Namespace) -> list[dict]:
    """A row for each block (or as many at random) and seed: its mean count, and points lost."""
    sets = [curate.data.load(options.dataset, split, options.data) for split in ("train", "test")]
    settings = settings_for(sets[0].shape, epochs=options.epochs, device=options.device)
    print(settings, flush=True)

    def accuracy(arm: str, seed: int, rows: np.ndarray) -> float:
        run, _ = run_arm(arm, seed, *sets, settings, rows=rows, folder=options.folder)
        return run.accuracy

    full, tables = [], []
    for seed in track(range(options.seeds), "recording", transient=True):
        recorder = curate.Recorder(sets[0].ids)
        run, table = run_arm("all", seed, *sets, settings, recorder=recorder, folder=options.folder)
        full.append(run.accuracy)
        tables.append(table)
    merged = curate.merge(tables)
    blocks = np.array_split(order_of(merged), options.blocks)

    every = np.arange(len(merged))
    events = merged["forgetting_events"].to_numpy()
    rng = np.random.default_rng(0)
    drawn = [rng.permutation(every)[: len(blocks[0])] for _ in range(options.seeds)]
    left_out = {str(number): [block] * options.seeds for number, block in enumerate(blocks, 1)}
    return [
        {
            "block": name, "examples": len(rows[seed]), "seed": seed,
            "events": float(events[rows[seed]].mean()),
            "lost": 100 * (full[seed] - accuracy(
                f"without-{name}", seed, np.setdiff1d(every, rows[seed])
            )),
        }
        for name, rows in track((left_out | {"random": drawn}).items(), "leaving out")
        for seed in range(options.seeds)
    ]  # fmt: skip


def print_table(dataset: str, kept: pa.Table) -> None:
    rows = kept.to_pylist()
    size, seeds = rows[0]["examples"], len({row["seed"] for row in rows})
    report = Table(title=f"{dataset}: {size:,} examples left out", caption=f"{seeds} seeds")
    for column in ("block", "forgetting events, mean", "accuracy lost, points", "95 % interval"):
        report.add_column(column, justify="right")
    for name in dict.fromkeys(row["block"] for row in rows):
        of = [row for row in rows if row["block"] == name]
        lost = [row["lost"] for row in of]
        low, high = ttest_1samp(lost, 0).confidence_interval()
        counted = np.mean([row["events"] for row in of])
        report.add_row(
            name, f"{counted:.2f}", f"{np.mean(lost):+.2f}", f"{low:+.2f} to {high:+.2f}"
        )
    Console(highlight=False).print(report)


def order_of(table: pa.Table) -> np.ndarray:
    """Rows, the least forgotten first; the never learned last, equal counts by the margin."""
    return np.lexsort((curate.score(table, "aum"), curate.score(table, "forgetting")))


if __name__ == "__main__":
    main()
