"""Do other nets forget the same examples? Toneva et al., ICLR 2019, Section 5.3.

    python pipelines/forgetting_nets.py [--dataset digits] [--nets cnn mlp] [--seeds 2]

Models of several nets are recorded on one training set. Printed are Spearman's rank correlations
of scores between models, mean of all pairs: two seeds of one net, and two nets; where a smaller
net's examples are those of a larger one, it may choose for it (``smallest_set(proxy=…)``).
"""

import argparse
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import spearmanr

import curate
from curate.experiment import run_arm
from curate.train import settings_for

SCORES = ("forgetting", "aum", "el2n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data", help="folder with local copies of mnist and cifar10")
    parser.add_argument("--nets", nargs="+", default=["cnn", "mlp"], help="of curate.train.NETS")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, help="where runs are kept, to go on from")
    options = parser.parse_args()

    sets = [curate.data.load(options.dataset, split, options.data) for split in ("train", "test")]
    tables, console = {}, Console(highlight=False)
    for net in options.nets:
        settings = settings_for(
            sets[0].shape, model=net, epochs=options.epochs, device=options.device
        )
        tables[net] = []
        for seed in track(range(options.seeds), net, transient=True):
            recorder = curate.Recorder(sets[0].ids)
            folder = None if options.folder is None else options.folder / net
            run, table = run_arm(net, seed, *sets, settings, recorder=recorder, folder=folder)
            console.print(run)
            tables[net].append(table)

    report = Table(title=f"{options.dataset}: rank correlation of scores, {options.seeds} seeds")
    report.add_column("models")
    for name in SCORES:
        report.add_column(name, justify="right")
    pairs = {f"two seeds of {net}": list(combinations(tables[net], 2)) for net in tables}
    for a, b in combinations(tables, 2):
        # models of one seed see the examples in one order, which early scores hang on
        pairs[f"{a} and {b}"] = [
            (tables[a][first], tables[b][second])
            for first, second in permutations(range(options.seeds), 2)
        ]
    for models, both in pairs.items():
        if both:
            report.add_row(models, *(f"{agreement(both, name):.2f}" for name in SCORES))
    console.print(report)


def agreement(pairs, name: str) -> float:
    """Mean over pairs of tables; examples never learned are the hardest."""
    return float(
        np.mean(
            [spearmanr(*(curate.score(table, name) for table in pair)).statistic for pair in pairs]
        )
    )


if __name__ == "__main__":
    main()
