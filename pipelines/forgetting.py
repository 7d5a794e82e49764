"""Example forgetting (Toneva et al., ICLR 2019) on any data set that curate loads.

    python pipelines/forgetting.py [--dataset digits] [--seeds 4] [--data FOLDER]

The paper's questions, in its order: how many examples are never forgotten (section 4.1)? Do
different seeds forget the same ones (section 4.2)? How much can be removed, against removing at
random (section 5.2)?
"""

import argparse

import numpy as np
import pyarrow.compute as pc
from rich.console import Console
from rich.progress import track
from rich.table import Table

import curate
from curate.experiment import run_arm
from curate.scores import unforgettable
from curate.train import settings_for

REMOVED = (0.1, 0.3, 0.5, 0.7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data", help="folder with local copies of mnist and cifar10")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int)
    arguments = parser.parse_args()
    console = Console()

    train_set = curate.data.load(arguments.dataset, "train", arguments.data)
    test_set = curate.data.load(arguments.dataset, "test", arguments.data)
    settings = settings_for(
        train_set.shape, text=train_set.texts is not None, epochs=arguments.epochs
    )

    # Section 3: record forgetting events while training, with several seeds.
    tables, accuracy = [], []
    for seed in track(range(arguments.seeds), "recording", transient=True):
        recorder = curate.Recorder(train_set.ids)
        run, table = run_arm("full", seed, train_set, test_set, settings, recorder=recorder)
        tables.append(table)
        accuracy.append(run.accuracy)

    # Section 4.1: unforgettable examples.
    shares = [unforgettable(table).mean() for table in tables]
    merged = curate.merge(tables)
    console.print(
        f"unforgettable: {np.mean(shares):.1%} of the examples in one run, "
        f"{unforgettable(merged).mean():.1%} in all {len(tables)}; "
        f"never learned by any run: {merged['first_learned'].null_count}"
    )

    # Section 4.2: do seeds agree? Correlation of the events of two halves of the seeds.
    half = len(tables) // 2
    if half:
        sums = [
            curate.merge(part)["forgetting_events"].to_numpy()
            for part in (tables[:half], tables[half : 2 * half])
        ]
        if all(events.any() for events in sums):
            console.print(
                f"correlation between halves of the seeds: {np.corrcoef(*sums)[0, 1]:.2f}"
            )

    # Section 5.2: remove the least forgotten first, against random.
    report = Table(title=f"test accuracy, mean of {len(tables)} seeds")
    for column in ("removed", "least forgotten first", "random", "full"):
        report.add_column(column, justify="right")
    for removed in track(REMOVED, "removing", transient=True):
        means = []
        for strategy in ("hardest", "random"):
            runs = []
            for seed in range(len(tables)):
                selection = curate.prune(merged, 1 - removed, strategy=strategy, seed=seed)
                rows = np.flatnonzero(selection.table["kept"])
                runs.append(run_arm(strategy, seed, train_set, test_set, settings, rows=rows)[0])
            means.append(np.mean([run.accuracy for run in runs]))
        report.add_row(f"{removed:.0%}", *(f"{mean:.2%}" for mean in (*means, np.mean(accuracy))))
    console.print(report)
    most = merged.take(pc.sort_indices(merged["forgetting_events"])[-5:])
    console.print("most forgotten:", most["example_id"].to_pylist()[::-1])


if __name__ == "__main__":
    main()
