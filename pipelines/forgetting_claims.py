"""What the committed CIFAR-10 tables say of the paper's claims: stability, and C-scores.

    python pipelines/forgetting_claims.py [--data FOLDER]

Toneva et al., ICLR 2019, on the example tables of three models that were trained on all of
CIFAR-10 (``benchmarks/removal.py``): how many examples are never forgotten, by one and by all
runs; do seeds forget the same ones (Section 4.2); and does that agree with a score made in quite
another way, the consistency scores of Jiang et al. (ICML 2021), from thousands of models that were
trained on parts of the set?
"""

import argparse
import os
from itertools import combinations
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr

import curate
from curate.scores import unforgettable
from curate.stats import percentile_interval

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
SCORES = ("forgetting", "first_learned", "aum", "el2n")
RESAMPLES = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("CURATE_DATA"))
    options = parser.parse_args()
    console = Console(highlight=False)
    paths = sorted(RESULTS.glob("removal-cifar10-seed*.parquet"))
    tables = [curate.read(path) for path in paths]
    merged = curate.merge(tables)

    never = np.stack([unforgettable(table) for table in tables])
    console.print(
        f"unforgettable: {never.mean():.1%} in one run, {never.all(0).mean():.1%} in all "
        f"{len(tables)}; never learned by any: {merged['first_learned'].null_count}"
    )

    events = np.stack([table["forgetting_events"].to_numpy() for table in tables]).astype(float)
    pairs = [
        np.corrcoef(events[i], events[j])[0, 1] for i, j in combinations(range(len(events)), 2)
    ]
    expected = np.mean(pairs)
    of_sums = 5 * expected / (1 + 4 * expected)  # Spearman-Brown
    console.print(
        f"Pearson correlation of the events of two seeds: {min(pairs):.3f} to {max(pairs):.3f} "
        f"(paper: 0.892); of sums of five it would be {of_sums:.3f} (paper: 0.976)"
    )

    if options.data is None:
        console.print("the C-scores need CURATE_DATA or --data")
        return
    consistency = np.load(Path(options.data) / "cifar10-labels/cifar10-cscores-orig-order.npz")
    assert (consistency["labels"] == merged["label"].to_numpy()).all()
    report = Table(title="Spearman's rank correlation with the C-scores, 50,000 examples")
    for column in ("score", "one run", f"{len(tables)} runs", "95 % interval"):
        report.add_column(column, justify="left" if column == "score" else "right")
    rng = np.random.default_rng(0)
    for name in SCORES:
        single = [correlation(curate.score(table, name), consistency["scores"]) for table in tables]
        score = curate.score(merged, name)
        draws = rng.integers(0, len(score), (RESAMPLES, len(score)))
        resampled = [correlation(score[draw], consistency["scores"][draw]) for draw in draws]
        low, high = percentile_interval(resampled)
        report.add_row(
            name, f"{np.mean(single):.3f}", f"{correlation(score, consistency['scores']):.3f}",
            f"{low:.3f} to {high:.3f}",
        )  # fmt: skip
    console.print(report)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(spearmanr(first, second).statistic)


if __name__ == "__main__":
    main()
